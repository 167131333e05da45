//! The process of the user that stays on the host: it keeps the anchor and the network helper, and opens ports.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kernel::child::{self, Standard};
use kernel::fs::{self, Access};
use kernel::lock::FileLock;
use kernel::namespace::Namespaces;
use kernel::poll::{self, Interest};
use kernel::process::{self, Forked, Signal};
use kernel::signal::Inbox;
use kernel::socket_path::SocketPath;
use kernel::{rendezvous, rights};

use super::anchor::{self, Anchor, Groups, Origin, Setting};
use super::delegation::{self, Delegated};
use super::door::{self, Reply, Request};
use super::places::State;
use super::subordinate::{self, Maps};
use super::uplink::{self, Helper, Uplink};
use super::{RootlessError, nameservers};

/// How long containers without an engine are left before somebody looks whether they are still there.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the engine that started this may take to connect.
const PATIENCE: Duration = Duration::from_secs(30);

/// `quai rootless-parent EXEC_ROOT`: tells on standard output `warning …` lines, then `ready` or `failed …`, and goes on
/// in the background.
pub fn run(words: &[OsString]) -> ExitCode {
    let [exec_root] = words else {
        eprintln!("quai rootless-parent: it is started by `quai engine`");
        return ExitCode::from(2);
    };
    match process::fork(Namespaces::NONE, process::Parent::Caller) {
        Ok(Forked::Child) => {}
        Ok(Forked::Parent(_)) => return ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("failed {error}"));
            return ExitCode::FAILURE;
        }
    }
    match begin(Path::new(exec_root)) {
        Ok(Some(parent)) => {
            tell("ready");
            match parent.go_quiet() {
                Ok(()) => parent.serve(),
                Err(_) => ExitCode::FAILURE,
            }
        }
        // Another one is there already.
        Ok(None) => {
            tell("ready");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&format!("failed {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The engine listens until this process lets go of its output.
#[expect(
    clippy::print_stdout,
    reason = "this is how the parent speaks to the engine that started it"
)]
fn tell(line: &str) {
    println!("{}", line.replace('\n', "; "));
    let _ = std::io::stdout().flush();
}

struct Parent {
    exec_root: PathBuf,
    state: State,
    _lock: FileLock,
    anchor: Anchor,
    _uplink: Option<Uplink>,
    /// Where engines and shims have to be.
    group: Option<PathBuf>,
    listener: OwnedFd,
    signals: Inbox,
}

/// Makes or finds the namespaces; `None` when somebody else has.
fn begin(exec_root: &Path) -> Result<Option<Parent>, RootlessError> {
    process::setsid()?;
    process::set_name(c"quai-rootless")?;
    let state = State::make(exec_root)?;
    let lock = FileLock::wait(&state.lock())?;
    if rendezvous::connect(&state.socket()).is_ok() {
        return Ok(None);
    }
    let maps = Maps::of_caller()?;
    subordinate::check_programs()?;
    let helper = if has_default_route() {
        Some(Helper::find()?)
    } else {
        tell(
            "warning this host has no default route: containers reach each other and what is published, not the outside",
        );
        None
    };
    let (anchor, group) = match live_shim(exec_root) {
        Some(pid) => {
            let origin = Origin::Shim(process::pidfd_open(pid)?);
            (anchor::cast(&origin, &maps)?, delegation::group_of(pid))
        }
        None => new_namespaces(&state, &maps, helper.as_ref().map(|(helper, _)| *helper))?,
    };
    let uplink = helper
        .map(|(helper, program)| uplink::connect((helper, &program), anchor.pid, &state))
        .transpose()?;
    let socket = state.socket();
    // Nobody answered there above, and the lock is ours.
    let _ = std::fs::remove_file(&socket);
    Ok(Some(Parent {
        exec_root: exec_root.to_owned(),
        listener: rendezvous::listen(&socket)?,
        signals: Inbox::open(&[Signal::TERM])?,
        state,
        _lock: lock,
        anchor,
        _uplink: uplink,
        group,
    }))
}

fn new_namespaces(
    state: &State,
    maps: &Maps,
    helper: Option<Helper>,
) -> Result<(Anchor, Option<PathBuf>), RootlessError> {
    let delegated = Delegated::find();
    if delegated.is_none() {
        tell(
            "warning this session has no control group of its own (cgroup v2, delegated): limits of containers are \
             discarded",
        );
    }
    let resolv_conf = match helper {
        Some(helper) => {
            let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
            let path = state.resolv_conf();
            std::fs::write(&path, nameservers::inside(&host, helper.forwarder()))
                .map_err(RootlessError::file("write", &path))?;
            Some(path)
        }
        None => None,
    };
    let origin = Origin::New(Setting {
        groups: match delegated {
            Some(_) => Groups::Delegated,
            None => Groups::Absent,
        },
        resolv_conf,
    });
    let anchor = anchor::cast(&origin, maps)?;
    let group = match delegated {
        // Only now: what the anchor sees as the root of all groups is where it was before.
        Some(delegated) => {
            let leaf = delegated.leaf().to_owned();
            delegated
                .take(anchor.pid)
                .and_then(|()| delegation::move_into(&leaf))
                .map_err(RootlessError::file("move processes into", &leaf))?;
            Some(leaf)
        }
        None => None,
    };
    Ok((anchor, group))
}

fn has_default_route() -> bool {
    kernel::netlink::route::list().is_ok_and(|routes| routes.iter().any(|route| route.prefix == 0))
}

/// The number of a shim whose container lives.
fn live_shim(exec_root: &Path) -> Option<i32> {
    std::fs::read_dir(exec_root)
        .into_iter()
        .flatten()
        .flatten()
        .find_map(|entry| {
            let socket = SocketPath::open(&entry.path().join("shim.sock")).ok()?;
            let stream = UnixStream::connect(socket.short()).ok()?;
            rights::peer_pid(stream.as_fd()).ok()
        })
}

/// Whether somebody connects within this time.
fn is_awaited(listener: &OwnedFd, patience: Duration) -> bool {
    poll::wait(&[(listener.as_fd(), Interest::Read)], Some(patience))
        .is_ok_and(|ready| ready[0].readable)
}

impl Parent {
    /// Lets go of whoever started this; what there is to say goes to a file from now on.
    fn go_quiet(&self) -> Result<(), RootlessError> {
        let null = fs::open(Path::new("/dev/null"), Access::ReadWrite)?;
        let log = fs::open(&self.state.log(), Access::Create(0o600))?;
        child::redirect(null.as_fd(), Standard::Input)?;
        child::redirect(log.as_fd(), Standard::Output)?;
        child::redirect(log.as_fd(), Standard::Error)?;
        std::env::set_current_dir("/").map_err(RootlessError::file("enter", "/"))
    }

    /// Until no engine is connected and no container lives, or until it is told to end.
    fn serve(self) -> ExitCode {
        let mut engines: Vec<OwnedFd> = Vec::new();
        // The engine that started this has yet to connect.
        if is_awaited(&self.listener, PATIENCE) {
            engines.extend(rendezvous::accept(self.listener.as_fd()));
        }
        while !engines.is_empty() || live_shim(&self.exec_root).is_some() {
            let mut set = vec![
                (self.signals.as_fd(), Interest::Read),
                (self.listener.as_fd(), Interest::Read),
            ];
            set.extend(engines.iter().map(|fd| (fd.as_fd(), Interest::Read)));
            let patience = engines.is_empty().then_some(PAUSE);
            let Ok(ready) = poll::wait(&set, patience) else {
                break;
            };
            if ready[0].readable {
                break;
            }
            let mut place = 2;
            engines.retain(|engine| {
                let asks = ready[place].any();
                place += 1;
                !asks || self.answer(engine)
            });
            if ready[1].readable {
                engines.extend(rendezvous::accept(self.listener.as_fd()));
            }
        }
        // Before the lock goes: the next parent must not find it.
        let _ = std::fs::remove_file(self.state.socket());
        ExitCode::SUCCESS
    }

    /// Answers one request; `false` when the engine is gone.
    fn answer(&self, engine: &OwnedFd) -> bool {
        match door::hear(engine.as_fd()) {
            None => return false,
            Some(Request::Enter) => {
                let group = self.group.clone();
                let anchor = Some(self.anchor.pidfd.as_fd());
                door::answer(engine.as_fd(), &Reply::Anchor { group }, anchor);
            }
            Some(Request::Listen { address, carrier }) => match door::open_port(address, carrier) {
                Ok((socket, port)) => {
                    let socket = Some(socket.as_fd());
                    door::answer(engine.as_fd(), &Reply::Listening { port }, socket);
                }
                Err(error) => {
                    let errno = error.source.raw_os_error().unwrap_or_default();
                    door::answer(engine.as_fd(), &Reply::Refused { errno }, None);
                }
            },
        }
        true
    }
}
