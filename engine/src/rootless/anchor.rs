//! The anchor: a process that makes the namespaces, prepares them, and then only keeps them.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kernel::child::{self, Standard};
use kernel::error::SysError;
use kernel::fs::{self, Access, Dir};
use kernel::mount::{self, Attributes, Depth, FileSystem};
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Dumpable, Forked, Parent};
use kernel::{netlink, rights};

use super::RootlessError;
use super::subordinate::Maps;

/// All that an engine of an ordinary user has for itself. Processes are numbered as on the host.
const KINDS: [Namespaces; 4] = [
    Namespaces::USER,
    Namespaces::MOUNT,
    Namespaces::NETWORK,
    Namespaces::CGROUP,
];

/// The kinds as one set.
pub(super) fn kinds() -> Namespaces {
    KINDS
        .into_iter()
        .fold(Namespaces::NONE, |all, kind| all | kind)
}

/// A live anchor; it ends with this value, or with its parent, whatever ends that.
#[derive(Debug)]
pub(super) struct Anchor {
    /// Its number.
    pub(super) pid: i32,
    /// Names it.
    pub(super) pidfd: OwnedFd,
    /// It waits for the end of this.
    _line: OwnedFd,
}

/// Where the namespaces come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// They are new.
    New(Setting),
    /// A process of containers that live has kept them.
    Shim(OwnedFd),
}

/// What new namespaces show.
#[derive(Debug)]
pub(super) struct Setting {
    /// What is mounted over the host's control groups.
    pub(super) groups: Groups,
    /// Stands for `/etc/resolv.conf`; none where there is no way out.
    pub(super) resolv_conf: Option<PathBuf>,
}

/// The control groups inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// Those below the user's own.
    Delegated,
    /// None.
    Absent,
}

/// Makes the anchor and, for new namespaces, its maps.
pub(super) fn cast(origin: &Origin, maps: &Maps) -> Result<Anchor, RootlessError> {
    let (line, theirs) = rights::pair()?;
    let child = match process::fork(Namespaces::NONE, Parent::Caller)? {
        Forked::Child => {
            // The descriptor of the shim goes with all the others.
            let joined = match origin {
                Origin::New(_) => Ok(()),
                Origin::Shim(shim) => namespace::setns(shim.as_fd(), kinds()),
            };
            let _failed = child::abandon_all_but(theirs.as_fd(), || live(&theirs, origin, joined));
            process::exit(125)
        }
        Forked::Parent(child) => child,
    };
    drop(theirs);
    let anchor = Anchor {
        pid: child.pid,
        pidfd: child.pidfd,
        _line: line,
    };
    let mut words = vec![anchor.hear()?];
    if words[0] == Word::Unmapped {
        maps.write(anchor.pid)?;
        rights::send(anchor._line.as_fd(), b"mapped", &[])?;
        words.push(anchor.hear()?);
    }
    match words.pop() {
        Some(Word::Ready) => Ok(anchor),
        Some(Word::Forbidden(errno)) => Err(RootlessError::Forbidden {
            source: SysError::io("unshare", std::io::Error::from_raw_os_error(errno)),
        }),
        Some(Word::Failed(why)) => Err(RootlessError::Inside(why)),
        _ => Err(RootlessError::Inside("the anchor ended early".into())),
    }
}

/// What the anchor says.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Word {
    Unmapped,
    Ready,
    Forbidden(i32),
    Failed(String),
}

impl Anchor {
    fn hear(&self) -> Result<Word, RootlessError> {
        let mut buffer = [0; 4096];
        let (length, _) = rights::receive(self._line.as_fd(), &mut buffer)?;
        let end = || Word::Failed("the anchor ended early".into());
        Ok(serde_json::from_slice(&buffer[..length]).unwrap_or_else(|_| end()))
    }
}

fn say(line: &OwnedFd, word: &Word) {
    let bytes = serde_json::to_vec(word).expect("a word has string keys only");
    // Nobody to tell means nobody to live for: the next read ends.
    let _ = rights::send(line.as_fd(), &bytes, &[]);
}

/// The life of the child.
fn live(line: &OwnedFd, origin: &Origin, joined: Result<(), SysError>) {
    let _ = process::set_name(c"quai-anchor");
    let prepared = match origin {
        Origin::New(setting) => begin(line, setting),
        Origin::Shim(_) => joined.map_err(Failure::from).and_then(|()| join()),
    };
    match prepared {
        Ok(()) => say(line, &Word::Ready),
        Err(Failure::Forbidden(errno)) => return say(line, &Word::Forbidden(errno)),
        Err(Failure::Step(error)) => return say(line, &Word::Failed(error.to_string())),
    }
    // The parent never writes again: this returns when it is gone.
    let _ = rights::receive(line.as_fd(), &mut [0; 8]);
}

enum Failure {
    Forbidden(i32),
    Step(SysError),
}

impl From<SysError> for Failure {
    fn from(error: SysError) -> Self {
        Self::Step(error)
    }
}

fn begin(line: &OwnedFd, setting: &Setting) -> Result<(), Failure> {
    quiet()?;
    namespace::unshare(kinds())
        .map_err(|e| Failure::Forbidden(e.source.raw_os_error().unwrap_or_default()))?;
    // New capabilities made it a secret; newuidmap and the engine have to look at it.
    process::set_dumpable(Dumpable::Yes)?;
    say(line, &Word::Unmapped);
    rights::receive(line.as_fd(), &mut [0; 8])?;
    netlink::link::set_up("lo")?;
    if Path::new("/sys/fs/cgroup").exists() {
        cover_groups(setting.groups)?;
    }
    if let Some(file) = &setting.resolv_conf {
        cover_resolv_conf(file)?;
    }
    Ok(())
}

fn join() -> Result<(), Failure> {
    quiet()?;
    process::set_dumpable(Dumpable::Yes)?;
    Ok(())
}

/// Lets go of the terminal and the log.
fn quiet() -> Result<(), SysError> {
    let null = fs::open(Path::new("/dev/null"), Access::ReadWrite)?;
    for to in [Standard::Input, Standard::Output, Standard::Error] {
        child::redirect(null.as_fd(), to)?;
    }
    Ok(())
}

/// The host's groups are locked, but can be covered: what is not ours to use is then not there at all.
fn cover_groups(groups: Groups) -> Result<(), SysError> {
    let attributes = Attributes::NO_SUID | Attributes::NO_DEV | Attributes::NO_EXEC;
    let mount = match groups {
        Groups::Delegated => FileSystem::open(c"cgroup2")?.mount(attributes)?,
        Groups::Absent => {
            let empty = FileSystem::open(c"tmpfs")?;
            empty.set(c"mode", c"755")?;
            empty.mount(attributes | Attributes::READ_ONLY)?
        }
    };
    mount::attach(mount.as_fd(), Dir::Here, c"/sys/fs/cgroup")
}

fn cover_resolv_conf(file: &Path) -> Result<(), SysError> {
    // It is a link most often.
    let Ok(place) = std::fs::canonicalize("/etc/resolv.conf") else {
        return Ok(());
    };
    let mount = mount::clone_tree(Dir::Here, &path(file), Depth::One)?;
    mount::attach(mount.as_fd(), Dir::Here, &path(&place))
}

fn path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path that exists has no NUL")
}
