//! Work inside another network namespace: on a fresh thread that enters it and then ends.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kernel::error::SysError;
use kernel::fs::{self, Access};
use kernel::namespace::{self, Namespaces};

use super::NetworkError;
use crate::stage::Stage;

/// An open network namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    path: PathBuf,
    fd: OwnedFd,
}

impl Namespace {
    /// That of the stage: the host's own, or the machine's.
    pub(super) fn of_stage(stage: &Stage) -> Result<Self, NetworkError> {
        let path = match stage {
            Stage::Host => PathBuf::from("/proc/thread-self/ns/net"),
            Stage::Inner { pid } => PathBuf::from(format!("/proc/{pid}/ns/net")),
        };
        Self::open(&path)
    }

    /// That of a container. The engine's own is refused: the container has ended, and its number is somebody else's.
    pub(super) fn of_process(engine_pid: u32) -> Result<Self, NetworkError> {
        let path = format!("/proc/{engine_pid}/ns/net");
        let found = Self::open(Path::new(&path))?;
        let identity = |path: &str| std::fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
        if identity(&path) == identity("/proc/thread-self/ns/net") {
            return Err(NetworkError::Namespace {
                path,
                source: SysError::io("open", std::io::Error::from_raw_os_error(NO_SUCH_PROCESS)),
            });
        }
        Ok(found)
    }

    fn open(path: &Path) -> Result<Self, NetworkError> {
        let fd = fs::open(path, Access::Read).map_err(|source| NetworkError::Namespace {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            fd,
        })
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Enters it with this thread, for good.
    pub(super) fn enter(&self) -> Result<(), NetworkError> {
        // To enter even its own again takes a right that an ordinary user's engine has not over the host's.
        let own = std::fs::metadata("/proc/thread-self/ns/net").map(|m| (m.dev(), m.ino()));
        let this = self.fd.try_clone().map(std::fs::File::from);
        let this = this
            .and_then(|file| file.metadata())
            .map(|m| (m.dev(), m.ino()));
        if let (Ok(own), Ok(this)) = (own, this)
            && own == this
        {
            return Ok(());
        }
        namespace::setns(self.fd.as_fd(), Namespaces::NETWORK).map_err(|source| {
            NetworkError::Namespace {
                path: self.path.display().to_string(),
                source,
            }
        })
    }
}

/// `ESRCH`
const NO_SUCH_PROCESS: i32 = 3;

/// Runs `work` on a thread that is in `namespace`.
pub(super) fn inside<T: Send>(
    namespace: &Namespace,
    work: impl FnOnce() -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            namespace.enter()?;
            work()
        });
        thread.join().unwrap_or_else(|_| {
            let source = std::io::Error::other("the thread panicked");
            Err(NetworkError::Namespace {
                path: namespace.path.display().to_string(),
                source: SysError::io("thread", source),
            })
        })
    })
}

/// Runs `work` on a thread that is in the network of the stage.
pub(crate) fn in_stage<T: Send>(
    stage: &Stage,
    work: impl FnOnce() -> Result<T, NetworkError> + Send,
) -> Result<T, NetworkError> {
    inside(&Namespace::of_stage(stage)?, work)
}
