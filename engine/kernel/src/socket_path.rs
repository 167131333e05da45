//! Socket files by a path of any length.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A short name for a socket file, good for as long as this value lives.
///
/// An address has room for 107 bytes (unix(7)), less than many paths take. Through the open folder,
/// `/proc/self/fd/N/NAME` names the same file.
#[derive(Debug)]
pub struct SocketPath {
    /// Keeps the descriptor that `short` goes through.
    _folder: File,
    short: PathBuf,
}

impl SocketPath {
    /// Opens the folder of `path`; the socket itself need not exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let folder = File::open(folder)?;
        let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
        Ok(Self {
            short: short.join(name),
            _folder: folder,
        })
    }

    /// What to bind or to connect to.
    pub fn short(&self) -> &Path {
        &self.short
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_socket_in_a_deep_folder_is_bound_and_found() {
        let top = std::env::temp_dir().join(format!("quai-socket-{}", std::process::id()));
        let folder = top.join("a".repeat(120));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("deep.sock");
        assert!(UnixListener::bind(&path).is_err(), "too long as it is");
        let _listener = UnixListener::bind(SocketPath::open(&path).unwrap().short()).unwrap();
        assert!(path.exists());
        UnixStream::connect(SocketPath::open(&path).unwrap().short()).unwrap();
        std::fs::remove_dir_all(top).unwrap();
    }
}
