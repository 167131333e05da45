//! Where collectors are looked for: in the network and the root of the stage.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use kernel::beneath::{self, Last};
use kernel::namespace::{self, Namespaces};
use kernel::socket_path::SocketPath;

use crate::stage::Stage;

/// The stage that collectors are looked for in.
#[derive(Clone, Debug)]
pub(crate) struct Place(pub(crate) Stage);

impl Place {
    /// Makes a socket in the network namespace of the stage. The caller has one thread.
    pub(super) fn in_network<T>(&self, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.0 == Stage::Host {
            return make();
        }
        let own = File::open("/proc/self/ns/net")?;
        let theirs = File::open(self.0.namespace_path("net"))?;
        namespace::setns(theirs.as_fd(), Namespaces::NETWORK).map_err(|error| error.source)?;
        let made = make();
        namespace::setns(own.as_fd(), Namespaces::NETWORK).map_err(|error| error.source)?;
        made
    }

    /// Reads a file of the stage.
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("open {}: {error}", path.display()))
        };
        let Stage::Inner { pid } = self.0 else {
            return std::fs::read(path).map_err(named);
        };
        let root = File::open(format!("/proc/{pid}/root"))?;
        let found = beneath::find(root.as_fd(), path, Last::Follow)
            .map_err(|error| named(error.source))?
            .ok_or_else(|| named(io::ErrorKind::NotFound.into()))?;
        std::fs::read(format!("/proc/self/fd/{}", found.as_fd().as_raw_fd())).map_err(named)
    }

    /// Connects to a socket file below the root of the stage; links of a machine do not lead out of it.
    pub(super) fn with_socket<T>(
        &self,
        path: &Path,
        connect: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.0 {
            Stage::Host => {
                let socket = SocketPath::open(path)?;
                connect(socket.short())
            }
            Stage::Inner { pid } => {
                let root = File::open(format!("/proc/{pid}/root"))?;
                let found = beneath::find(root.as_fd(), path, Last::Follow)
                    .map_err(|error| error.source)?
                    .ok_or(io::ErrorKind::NotFound)?;
                let number = found.as_fd().as_raw_fd();
                connect(&PathBuf::from(format!("/proc/self/fd/{number}")))
            }
        }
    }
}
