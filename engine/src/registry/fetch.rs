//! A file of the web for a build: ADD, and contexts that are an address.
//!
//! Whoever writes a Dockerfile must not reach through the engine what only the engine can reach: private addresses
//! are refused on every hop, after the name was looked up, and the connection goes to the very address that was
//! looked at.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_DISPOSITION, LAST_MODIFIED, LOCATION};
use reqwest::{Client, Response, Url};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::endpoint::host_and_port;
use super::resolver::Resolver;
use super::settings::{Network, host_name};
use super::tls::{self, Proof};

/// How often an address may lead to another.
const HOPS: usize = 10;
/// Bytes of what is fetched.
const LIMIT: u64 = 16 << 30;
/// How long a server may be silent, and the span over which it has to bring [`LEAST`].
const PATIENCE: Duration = Duration::from_secs(60);
/// A transfer that brings less in one span of patience has stalled.
const LEAST: u64 = 1 << 10;

/// Which addresses a build may fetch from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchPolicy {
    /// Whether the network is a learner's own: loopback and private addresses are then the learner's.
    pub own_network: bool,
    /// Networks that may be reached although they are private (`--allow-private-fetch`).
    pub allowed: Vec<Network>,
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchedFile {
    /// `Content-Disposition`'s or the path's file name; empty when there is none.
    pub name: String,
    /// `Last-Modified`, seconds since the epoch.
    pub modified: Option<i64>,
}

/// A file that was not fetched. The wording is that of Go's client, which Docker's users know.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is no address of the web.
    #[error(
        "Get {0:?}: unsupported protocol scheme or invalid address: expected http:// or https://"
    )]
    Address(String),
    /// A name or address where nothing may be fetched.
    #[error(
        "Get {url:?}: refused to fetch from {address}, an address of a private network or of this machine \
         (the engine's --allow-private-fetch NETWORK permits it)"
    )]
    Private {
        /// What was asked for.
        url: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// It leads to another address again and again.
    #[error("Get {0:?}: stopped after {HOPS} redirects")]
    Hops(String),
    /// The server says no.
    #[error("Get {url:?}: failed to GET with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Its answer.
        status: String,
    },
    /// The server cannot be reached, or the transfer broke off.
    #[error("Get {url:?}: {why}")]
    Transfer {
        /// What was asked for.
        url: String,
        /// Why.
        why: String,
    },
    /// It is larger than anything that is fetched.
    #[error("Get {0:?}: larger than {LIMIT} bytes")]
    TooLarge(String),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl FetchPolicy {
    /// Whether something may be fetched from there.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        if self.allowed.iter().any(|network| network.contains(address)) {
            return true;
        }
        match reach(address) {
            Reach::World => true,
            Reach::Private => self.own_network,
            Reach::Link => false,
        }
    }

    /// The addresses of a host (a name or an address), if all of them are allowed.
    pub async fn addresses(&self, root: &Path, url: &Url) -> Result<Vec<IpAddr>, FetchError> {
        let name = url.host_str().unwrap_or_default();
        let bare = name.trim_matches(['[', ']']);
        let found = match bare.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => Resolver::new(root, bare)
                .look_up(bare)
                .await
                .map_err(|error| FetchError::Transfer {
                    url: url.to_string(),
                    why: error.to_string(),
                })?,
        };
        match found.iter().find(|address| !self.allows(**address)) {
            Some(address) => Err(FetchError::Private {
                url: url.to_string(),
                address: *address,
            }),
            None => Ok(found),
        }
    }
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    World,
    /// This machine, or a network that is not the world's.
    Private,
    /// The link: clouds answer there with a machine's secrets. Nothing that a build wants is there either.
    Link,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let odd = a == 0 || a >= 240 || address.is_multicast() || address.is_broadcast();
            if address.is_link_local() || odd {
                Reach::Link
            } else if address.is_private() || address.is_loopback() || shared {
                Reach::Private
            } else {
                Reach::World
            }
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            let nat64 = address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
            if nat64 {
                let octets = address.octets();
                let inner = Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
                return reach(inner.into());
            }
            if first & 0xffc0 == 0xfe80 || address.is_unspecified() || address.is_multicast() {
                Reach::Link
            } else if address.is_loopback() || first & 0xfe00 == 0xfc00 {
                Reach::Private
            } else {
                Reach::World
            }
        }
    }
}

/// On whose behalf something is fetched.
#[derive(Clone, Copy, Debug)]
enum Asker<'a> {
    /// A Dockerfile's, which must not reach what only the engine can.
    Build(&'a FetchPolicy),
    /// The person's whose process this is, who could fetch it without us: everything, also through a proxy.
    Caller,
}

/// Fetches a file over HTTP or HTTPS; names and authorities are those below `root`.
pub async fn fetch(
    root: &Path,
    policy: &FetchPolicy,
    address: &str,
    into: &Path,
) -> Result<FetchedFile, FetchError> {
    follow(root, Asker::Build(policy), address, into).await
}

/// Fetches a file as the caller of this process, from wherever it is.
pub async fn fetch_as_caller(address: &str, into: &Path) -> Result<FetchedFile, FetchError> {
    follow(Path::new("/"), Asker::Caller, address, into).await
}

async fn follow(
    root: &Path,
    asker: Asker<'_>,
    address: &str,
    into: &Path,
) -> Result<FetchedFile, FetchError> {
    let mut url = Url::parse(address).map_err(|_| FetchError::Address(address.to_owned()))?;
    for _ in 0..HOPS {
        let answer = ask(root, asker, &url).await?;
        let status = answer.status();
        if status.is_redirection()
            && let Some(next) = answer.headers().get(LOCATION)
        {
            let bad = || FetchError::Address(address.to_owned());
            let next = url
                .join(next.to_str().map_err(|_| bad())?)
                .map_err(|_| bad())?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(FetchError::Transfer {
                    url: url.to_string(),
                    why: "it leads from an encrypted address to one that is not".into(),
                });
            }
            url = next;
            continue;
        }
        if !status.is_success() {
            return Err(FetchError::Status {
                url: url.to_string(),
                status: status.to_string(),
            });
        }
        let told = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let fetched = FetchedFile {
            name: file_name(told(CONTENT_DISPOSITION), url.path()),
            modified: told(LAST_MODIFIED).and_then(http_date),
        };
        write(answer, &url, into).await?;
        return Ok(fetched);
    }
    Err(FetchError::Hops(address.to_owned()))
}

async fn ask(root: &Path, asker: Asker<'_>, url: &Url) -> Result<Response, FetchError> {
    let named = !url.username().is_empty() || url.password().is_some();
    let spoken = matches!(url.scheme(), "http" | "https");
    let fitting = spoken && (matches!(asker, Asker::Caller) || !named);
    let Some(host) = url.host_str().filter(|_| fitting) else {
        return Err(FetchError::Address(url.to_string()));
    };
    let failed = |why: String| FetchError::Transfer {
        url: url.to_string(),
        why,
    };
    let tls = tls::config(root, &host_and_port(url), Proof::Certificate)
        .map_err(|error| failed(error.to_string()))?;
    let builder = Client::builder()
        .user_agent(concat!("quai/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(30))
        .read_timeout(PATIENCE)
        .http1_only();
    let builder = match asker {
        Asker::Build(policy) => {
            let addresses = policy.addresses(root, url).await?;
            let sockets: Vec<_> = addresses
                .iter()
                .map(|address| std::net::SocketAddr::new(*address, 0))
                .collect();
            // What a proxy would look up could not be looked at here.
            builder.resolve_to_addrs(host, &sockets).no_proxy()
        }
        Asker::Caller => builder.dns_resolver(Resolver::new(root, host_name(host))),
    };
    let client = builder.build().map_err(|error| failed(causes(&error)))?;
    let answer = client.get(url.clone()).send().await;
    answer.map_err(|error| failed(causes(&error)))
}

/// The innermost cause says most: `Connection refused`.
fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_ascii_lowercase()
}

async fn write(mut answer: Response, url: &Url, into: &Path) -> Result<(), FetchError> {
    let failed = |why: String| FetchError::Transfer {
        url: url.to_string(),
        why,
    };
    let disk = |source| FetchError::Write {
        path: into.to_owned(),
        source,
    };
    let expected = answer.content_length();
    if expected.is_some_and(|length| length > LIMIT) {
        return Err(FetchError::TooLarge(url.to_string()));
    }
    let mut file = tokio::fs::File::create(into).await.map_err(disk)?;
    let (mut count, mut span, mut in_span) = (0u64, Instant::now(), 0u64);
    loop {
        let piece = timeout(PATIENCE, answer.chunk()).await;
        let piece = piece.map_err(|_| failed("the transfer has stalled".into()))?;
        let Some(piece) = piece.map_err(|error| failed(causes(&error)))? else {
            break;
        };
        count += piece.len() as u64;
        in_span += piece.len() as u64;
        if count > LIMIT {
            return Err(FetchError::TooLarge(url.to_string()));
        }
        if span.elapsed() >= PATIENCE {
            if in_span < LEAST {
                return Err(failed("the transfer has stalled".into()));
            }
            (span, in_span) = (Instant::now(), 0);
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    if expected.is_some_and(|length| length != count) {
        return Err(failed("unexpected EOF".into()));
    }
    file.flush().await.map_err(disk)
}

/// A name that leads elsewhere is none.
fn file_name(disposition: Option<&str>, path: &str) -> String {
    let given = disposition.and_then(|text| {
        let name = text
            .split(';')
            .find_map(|part| part.trim().strip_prefix("filename="))?;
        Some(name.trim_matches('"').to_owned())
    });
    let name = given.unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default().to_owned());
    if name.contains(['/', '\0']) || matches!(name.as_str(), "." | "..") {
        String::new()
    } else {
        name
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(time.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_names() {
        assert_eq!(
            file_name(Some("attachment; filename=\"a.txt\""), "/x"),
            "a.txt"
        );
        assert_eq!(
            file_name(Some("attachment; filename=\"../../a\""), "/x"),
            ""
        );
        assert_eq!(file_name(Some("inline"), "/dir/b.tar"), "b.tar");
    }

    #[test]
    fn private_addresses_are_refused_unless_they_are_the_learners_own() {
        let stranger = FetchPolicy::default();
        let own = FetchPolicy {
            own_network: true,
            ..FetchPolicy::default()
        };
        for (address, on_host, in_machine) in [
            ("93.184.216.34", true, true),
            ("2606:2800::1", true, true),
            ("127.0.0.1", false, true),
            ("10.0.0.1", false, true),
            ("172.17.0.2", false, true),
            ("192.168.1.1", false, true),
            ("100.126.0.1", false, true),
            ("fd00::1", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
        ] {
            let parsed = address.parse().unwrap();
            assert_eq!(stranger.allows(parsed), on_host, "{address}");
            assert_eq!(own.allows(parsed), in_machine, "{address}");
        }
        let exception = FetchPolicy {
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
            ..FetchPolicy::default()
        };
        assert!(exception.allows("127.0.0.1".parse().unwrap()));
        assert!(!exception.allows("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn only_the_web_is_fetched_from() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let into = std::env::temp_dir().join("never-made");
        for url in [
            "file:///etc/passwd",
            "ftp://x/y",
            "http://user@93.184.216.34/x",
            "http:///",
            "http://127.0.0.1:1/x",
            "http://[::1]/x",
            "http://2130706433/",
        ] {
            let done = runtime.block_on(fetch(Path::new("/"), &FetchPolicy::default(), url, &into));
            assert!(done.is_err(), "{url}");
        }
        assert!(!into.exists());
    }
}
