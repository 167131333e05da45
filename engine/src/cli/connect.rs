//! Connections to daemons: a socket, an address, or `ssh` to a machine that has the socket.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use super::context::Target;
use super::context::endpoint::{Endpoint, Remote};

/// A connection, before anything is said.
#[derive(Debug)]
pub(crate) enum Stream {
    /// A socket of this machine, or our end of a protected connection.
    Unix(UnixStream),
    /// Plain TCP.
    Tcp(TcpStream),
    /// `ssh`, and what it has to say if it ends.
    Ssh(UnixStream, oneshot::Receiver<String>),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nobody answers there.
    #[error("{0}")]
    Unanswered(#[source] io::Error),
    /// The name means no address.
    #[error("dial tcp: lookup {0}: no such host")]
    NoSuchHost(String),
    /// The two ends cannot agree on a protected connection.
    #[error("{0}")]
    Tls(#[source] io::Error),
    /// `ssh` cannot be started.
    #[error("exec: \"ssh\": {0}")]
    Ssh(#[source] io::Error),
}

/// Connects to a daemon.
pub(crate) async fn connect(target: &Target) -> Result<Stream, ConnectError> {
    match &target.endpoint {
        Endpoint::Unix(path) => UnixStream::connect(path)
            .await
            .map(Stream::Unix)
            .map_err(ConnectError::Unanswered),
        Endpoint::Ssh(remote) => ssh(remote),
        Endpoint::Tcp(address) => {
            let stream = tcp(address).await?;
            match &target.tls {
                None => Ok(Stream::Tcp(stream)),
                Some(tls) => tls
                    .protect(stream, address)
                    .await
                    .map(Stream::Unix)
                    .map_err(ConnectError::Tls),
            }
        }
    }
}

async fn tcp(address: &str) -> Result<TcpStream, ConnectError> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "2375"));
    let port = port.parse().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = ConnectError::NoSuchHost(host.to_owned());
    for ip in addresses(host).await {
        match TcpStream::connect(SocketAddr::new(ip, port)).await {
            Ok(stream) => {
                // Keys that are typed must not wait for one another.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = ConnectError::Unanswered(error),
        }
    }
    Err(last)
}

/// The addresses that a name means: those of `/etc/hosts`, then those that the servers of
/// `/etc/resolv.conf` know. The executable is static, so the C library's resolver is not there.
async fn addresses(host: &str) -> Vec<IpAddr> {
    if let Ok(ip) = host.parse() {
        return vec![ip];
    }
    if host == "localhost" {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let known = named(&hosts, host);
    if !known.is_empty() {
        return known;
    }
    let servers = std::fs::read("/etc/resolv.conf").ok();
    let settings = servers.and_then(|file| parse_resolv_conf(file).ok());
    let Some((config, options)) = settings.filter(|(config, _)| !config.name_servers().is_empty())
    else {
        return Vec::new();
    };
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build();
    match resolver {
        Ok(resolver) => match resolver.lookup_ip(host).await {
            Ok(found) => found.iter().collect(),
            Err(_) => Vec::new(),
        },
        Err(_) => Vec::new(),
    }
}

fn named(hosts: &str, host: &str) -> Vec<IpAddr> {
    let lines = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let ip = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(ip)
        })
        .collect()
}

/// The words of the `ssh` command line that reaches the daemon of `remote`.
fn ssh_words(remote: &Remote) -> Vec<String> {
    let mut words: Vec<String> = ["-o", "ConnectTimeout=30", "-T"].map(str::to_owned).into();
    if let Some(user) = &remote.user {
        words.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = &remote.port {
        words.extend(["-p".to_owned(), port.clone()]);
    }
    words.extend(["--".to_owned(), remote.host.clone(), "docker".to_owned()]);
    if let Some(socket) = &remote.socket {
        words.extend(["--host".to_owned(), socket.clone()]);
    }
    words.extend(["system", "dial-stdio"].map(str::to_owned));
    words
}

/// `ssh` with one end of a pair of sockets as its input and output; the other end is ours.
fn ssh(remote: &Remote) -> Result<Stream, ConnectError> {
    let words = ssh_words(remote);
    let failed = ConnectError::Ssh;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    let input = OwnedFd::from(theirs.try_clone().map_err(failed)?);
    let mut child = Command::new("ssh")
        .args(&words)
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (say, said) = oneshot::channel();
    std::thread::spawn(move || {
        let mut complaint = String::new();
        if let Some(mut errors) = child.stderr.take() {
            // What cannot be read is not shown; the exit status still is.
            let _ = errors.read_to_string(&mut complaint);
        }
        let status = match child.wait() {
            Ok(status) => status.to_string().replace("exit status: ", "exit status "),
            Err(error) => error.to_string(),
        };
        // Nobody asks how `ssh` ended once the answer is there.
        let _ = say.send(format!(
            "command [ssh {}] has exited with {status}, make sure the URL is valid, and Docker \
             18.09 or later is installed on the remote host: stderr={complaint}",
            words.join(" ")
        ));
    });
    ours.set_nonblocking(true).map_err(failed)?;
    let ours = UnixStream::from_std(ours).map_err(failed)?;
    Ok(Stream::Ssh(ours, said))
}

/// How `ssh` ended, when it did so soon after the connection broke.
pub(crate) async fn last_words(said: oneshot::Receiver<String>) -> Option<String> {
    tokio::time::timeout(Duration::from_secs(5), said)
        .await
        .ok()?
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_called_as_docker_calls_it() {
        let remote = Remote {
            user: Some("u".into()),
            host: "h".into(),
            port: Some("22".into()),
            socket: Some("unix:///x".into()),
        };
        assert_eq!(
            ssh_words(&remote).join(" "),
            "-o ConnectTimeout=30 -T -l u -p 22 -- h docker --host unix:///x system dial-stdio"
        );
    }

    #[test]
    fn names_are_those_of_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n10.0.0.7 a b # c\n::1 a\n";
        assert_eq!(named(hosts, "B"), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(named(hosts, "a").len(), 2);
        assert!(named(hosts, "c").is_empty());
    }
}
