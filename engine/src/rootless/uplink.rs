//! The way from the engine's network namespace to the outside: a user-mode network helper.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernel::process::{self, Patience, Signal};

use super::RootlessError;
use super::places::State;

/// A program that carries packets between a namespace and the sockets of an ordinary user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `pasta`, of passt: as the host's addresses, without translation.
    Pasta,
    /// `slirp4netns`: a private network behind one address.
    Slirp4netns,
}

impl Helper {
    /// The one that is installed; `pasta` where both are.
    pub fn find() -> Result<(Self, PathBuf), RootlessError> {
        [Self::Pasta, Self::Slirp4netns]
            .into_iter()
            .find_map(|helper| Some((helper, find_program(helper.program())?)))
            .ok_or(RootlessError::NoHelper)
    }

    /// Its name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Pasta => "pasta",
            Self::Slirp4netns => "slirp4netns",
        }
    }

    /// The address at which it hands questions to the host's resolver.
    pub(super) fn forwarder(self) -> IpAddr {
        match self {
            // Link-local, as podman does: no network of the host has it.
            Self::Pasta => IpAddr::from([169, 254, 1, 1]),
            Self::Slirp4netns => IpAddr::from([10, 0, 2, 3]),
        }
    }

    /// Nothing of the host's loopback is reached from inside, and no port is opened: the engine relays those it
    /// publishes, and knows which.
    fn arguments(self, anchor: i32, state: &State) -> Vec<String> {
        let anchor = anchor.to_string();
        let mark = state.uplink().display().to_string();
        let words: Vec<&str> = match self {
            Self::Pasta => vec![
                "--config-net",
                "--quiet",
                "--no-map-gw",
                "--dns-forward",
                "169.254.1.1",
                "-t",
                "none",
                "-u",
                "none",
                "-T",
                "none",
                "-U",
                "none",
                "--ns-ifname",
                "eth0",
                "--pid",
                &mark,
                &anchor,
            ],
            Self::Slirp4netns => vec![
                "--configure",
                "--mtu=65520",
                "--disable-host-loopback",
                "--enable-ipv6",
                "--ready-fd=0",
                "--api-socket",
                &mark,
                &anchor,
                "eth0",
            ],
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Looks a program up in `PATH`, then where a bare environment does not look.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    std::env::split_paths(&path)
        .chain(usual.map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A helper that runs; it ends with this value.
#[derive(Debug)]
pub(super) struct Uplink {
    pidfd: OwnedFd,
    /// Keeps the pipe open that it writes its words to.
    _child: Option<std::process::Child>,
}

impl Drop for Uplink {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = process::pidfd_send_signal(self.pidfd.as_fd(), Signal::TERM);
    }
}

/// Connects the network of the anchor. Ends first what a former parent left.
pub(super) fn connect(
    (helper, path): (Helper, &Path),
    anchor: i32,
    state: &State,
) -> Result<Uplink, RootlessError> {
    end_stale(state);
    let mut command = Command::new(path);
    command.args(helper.arguments(anchor, state));
    command.stdout(Stdio::null());
    let refused = |said: String| RootlessError::Unconnected {
        program: helper.program(),
        said,
    };
    match helper {
        Helper::Pasta => {
            // It goes into the background once the interface is there.
            let output = command
                .stdin(Stdio::null())
                .output()
                .map_err(RootlessError::file("execute", path))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(refused(said.trim().replace('\n', "; ")));
            }
            let pid = recorded(state).ok_or_else(|| refused("it wrote no number".into()))?;
            Ok(Uplink {
                pidfd: process::pidfd_open(pid)?,
                _child: None,
            })
        }
        Helper::Slirp4netns => {
            // Its descriptor 0 is where it says that it is ready.
            let (ready, word) = process::pipe()?;
            let child = command
                .stdin(Stdio::from(word))
                .stderr(Stdio::piped())
                .spawn()
                .map_err(RootlessError::file("execute", path))?;
            drop(command);
            let pid = i32::try_from(child.id()).expect("a pid is an int");
            let pidfd = process::pidfd_open(pid)?;
            let mut byte = [0];
            let ready = std::io::Read::read(&mut std::fs::File::from(ready), &mut byte);
            if !matches!(ready, Ok(1)) {
                let output = child
                    .wait_with_output()
                    .map_err(RootlessError::file("wait for", path))?;
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(refused(said.trim().replace('\n', "; ")));
            }
            Ok(Uplink {
                pidfd,
                _child: Some(child),
            })
        }
    }
}

fn recorded(state: &State) -> Option<i32> {
    let text = std::fs::read_to_string(state.uplink()).ok()?;
    text.trim().parse().ok()
}

/// A parent that was killed has left its helper: it is known by the path in its arguments.
fn end_stale(state: &State) {
    let mark = state.uplink();
    let mark = mark.as_os_str().as_encoded_bytes();
    for pid in kernel::procfs::process::pids().unwrap_or_default() {
        let Ok(process) = kernel::procfs::Process::open(pid) else {
            continue;
        };
        let ours = process
            .arguments()
            .is_ok_and(|words| words.iter().any(|word| word.as_slice() == mark));
        if ours && process::pidfd_send_signal(process.pidfd(), Signal::KILL).is_ok() {
            let ended = kernel::poll::wait(
                &[(process.pidfd(), kernel::poll::Interest::Read)],
                Some(std::time::Duration::from_secs(5)),
            );
            drop(ended);
            let _ = process::reap(Patience::Poll);
        }
    }
    let _ = std::fs::remove_file(state.uplink());
}
