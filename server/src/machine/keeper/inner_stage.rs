//! The inner stage as the keeper holds it: its PID 1, the channel to it, and its docker socket.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use kernel::cgroup::{Cgroup, Layout};
use kernel::error::SysError;
use kernel::fs::Access;
use kernel::namespace::{self, IdMap, Namespaces};
use kernel::process::{self, Child, Forked, Parent, Patience, Program, Signal};
use kernel::signal;
use kernel::tcp;
use web::messages::say;

use super::household::{NoShell, Shell};
use super::outer::{self, OuterError};
use super::screen::Size;
use super::uplink;
use crate::machine::cable::Cable;
use crate::machine::channel::{Channel, ChannelError};
use crate::machine::inner::wire::{FromInit, FromKeeper};
use crate::machine::spec::IDS;
use crate::machine::stage::{CHANNEL, story};
use crate::machine::uplink::Uplink;

/// A live inner stage.
pub(super) struct InnerStage {
    pub(super) init: Child,
    /// The listening socket at `/run/docker.sock`.
    pub(super) docker: OwnedFd,
    channel: Channel,
    /// Its network, which outlives its processes: the next inner stage takes the link from there.
    network: OwnedFd,
}

/// Why there is no inner stage.
#[derive(Debug, thiserror::Error)]
pub(super) enum InnerError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error(transparent)]
    Outer(#[from] OuterError),
    #[error("{why}")]
    Failed { why: String, errno: i32 },
}

impl InnerError {
    fn ours(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            errno: 0,
        }
    }
}

/// A program in the machine, with its pipes.
pub(super) struct Piped {
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
    /// Tells the exit code as a line, then ends.
    pub(super) exit: OwnedFd,
}

impl InnerStage {
    /// Starts it; see `inner/wire.rs` for the conversation.
    pub(super) fn start(
        uplink: Option<&Uplink>,
        cable: Option<&Cable>,
        former: Option<&Self>,
    ) -> Result<Self, InnerError> {
        let (ours, theirs) = Channel::pair()?;
        let executable = kernel::fs::open(Path::new("/quai"), Access::Path)?;
        let entrant = match process::fork(Namespaces::NONE, Parent::Caller)? {
            Forked::Parent(child) => child,
            Forked::Child => {
                let error = become_init(&theirs, &executable);
                eprintln!("keeper: {}", story(&error));
                process::exit(127)
            }
        };
        drop(theirs);
        expect(&ours, |m| matches!(m, FromInit::Isolated))?;
        let map = IdMap {
            inside: 0,
            outside: 0,
            count: IDS,
        };
        namespace::write_id_maps(entrant.pid, &[map])?;
        let group = Cgroup::new(&Layout::detect()?, "inner");
        // What a former inner stage left; its processes ended with its PID 1.
        group.clear()?;
        group.add(entrant.pid)?;
        ours.send(&FromKeeper::Go)?;
        expect(&ours, |m| matches!(m, FromInit::Networked))?;
        let network = namespace::open(entrant.pid, "net")?;
        outer::mount_inner_sys(network.as_fd())?;
        if let Some(uplink) = uplink {
            let from = former.map(|former| former.network.as_fd());
            let settled = uplink::settle(uplink, from, network.as_fd());
            match (settled, former) {
                // A learner who removed or hid the link has no way out until the machine is
                // stopped and started; the shell is worth more.
                (Err(error), Some(_)) => eprintln!("keeper: no way out: {}", story(&error)),
                (settled, _) => settled?,
            }
        }
        if let (Some(cable), Some(former)) = (cable, former)
            && let Err(error) = super::cable::follow(cable, former.network.as_fd(), network.as_fd())
        {
            eprintln!("keeper: no link to the other machine: {}", story(&error));
        }
        let nameservers = uplink.map_or_else(Vec::new, |uplink| uplink.nameservers.clone());
        ours.send(&FromKeeper::Build {
            nameservers,
            cable: cable.cloned(),
        })?;
        let (message, mut descriptors) = ours.receive_any()?;
        let (FromInit::Init { pid }, Some(pidfd)) = (checked(message)?, descriptors.pop()) else {
            return Err(InnerError::ours("the inner stage spoke out of order"));
        };
        // The inner group may only give controllers once the process that entered has left it.
        process::wait(entrant.pidfd.as_fd(), Patience::Wait)?;
        ours.send(&FromKeeper::Go)?;
        let (message, mut descriptors) = ours.receive_any()?;
        let (FromInit::Ready, Some(docker)) = (checked(message)?, descriptors.pop()) else {
            return Err(InnerError::ours("the inner stage spoke out of order"));
        };
        Ok(Self {
            init: Child { pid, pidfd },
            docker,
            channel: ours,
            network,
        })
    }

    /// Asks for a login shell on a new terminal.
    pub(super) fn open_shell(&self, size: Size) -> Result<Shell, NoShell> {
        let request = FromKeeper::Terminal {
            cols: size.cols(),
            rows: size.rows(),
        };
        let [master, pidfd] = self.ask(&request).map_err(|e| no_shell(&e))?;
        Ok(Shell { master, pidfd })
    }

    /// Asks for a program without a terminal.
    pub(super) fn run(&self, argv: Vec<String>) -> Result<Piped, InnerError> {
        let [input, output, exit] = self.ask(&FromKeeper::Run { argv })?;
        Ok(Piped {
            input,
            output,
            exit,
        })
    }

    /// Moves the end of the link to the exercise's other machine inside.
    pub(super) fn take_cable(&self, cable: &Cable) -> Result<(), SysError> {
        super::cable::settle(cable, self.network.as_fd())
    }

    /// Begins a connection to a port of the machine, from its own network.
    pub(super) fn connect(&self, address: SocketAddr) -> Result<OwnedFd, SysError> {
        super::uplink::within(self.network.as_fd(), || tcp::begin_connect(address))
    }

    /// Ends every process of the stage.
    pub(super) fn kill(&self) {
        // It may have ended by itself.
        let _ = process::pidfd_send_signal(self.init.pidfd.as_fd(), Signal::KILL);
    }

    fn ask<const N: usize>(&self, request: &FromKeeper) -> Result<[OwnedFd; N], InnerError> {
        self.channel.send(request)?;
        let (message, descriptors) = self.channel.receive_any()?;
        let FromInit::Opened = checked(message)? else {
            return Err(InnerError::ours("the inner stage spoke out of order"));
        };
        let received = descriptors.len();
        descriptors.try_into().map_err(|_| {
            InnerError::Channel(ChannelError::Descriptors {
                expected: N,
                received,
            })
        })
    }
}

/// Why there is no shell, for who waits for one.
fn no_shell(error: &InnerError) -> NoShell {
    let why = story(error);
    eprintln!("keeper: no shell: {why}");
    let errno = match error {
        InnerError::Failed { errno, .. } => *errno,
        _ => 0,
    };
    let key = match std::io::Error::from_raw_os_error(errno).kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => "missing",
        ErrorKind::StorageFull => "terminals",
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => "processes",
        _ => "other",
    };
    NoShell(say(&format!("machine.no-shell.{key}"), &[("why", &why)]))
}

fn become_init(channel: &Channel, executable: &OwnedFd) -> SysError {
    if let Err(e) = signal::reset_all() {
        return e;
    }
    let plan = [
        (0, 0),
        (1, 1),
        (2, 2),
        (channel.as_fd().as_raw_fd(), CHANNEL),
    ];
    process::execute_with(
        Program::Open(executable.as_fd()),
        &[c"quai".into(), c"machine-init".into()],
        &[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()],
        &plan,
    )
}

fn expect(channel: &Channel, wanted: impl Fn(&FromInit) -> bool) -> Result<(), InnerError> {
    let message = checked(channel.receive()?)?;
    if wanted(&message) {
        Ok(())
    } else {
        Err(InnerError::ours(format!("unexpected {message:?}")))
    }
}

fn checked(message: FromInit) -> Result<FromInit, InnerError> {
    match message {
        FromInit::Failed { why, errno } => Err(InnerError::Failed { why, errno }),
        other => Ok(other),
    }
}
