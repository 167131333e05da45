//! Looking at files below a root that is not trusted; see openat2(2).
//!
//! Links are followed as a process of that root would follow them and never lead out of it;
//! magic links of procfs are refused, and nothing is opened for reading before it is known to be
//! a regular file.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::sys::statfs::fstatfs;

use crate::error::SysError;

/// What happens to a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// It is followed.
    Follow,
    /// It is the object itself.
    Itself,
}

/// The type of a file; see inode(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link.
    Symlink,
    /// Character device.
    Char,
    /// Block device.
    Block,
    /// Named pipe.
    Fifo,
    /// Socket.
    Socket,
}

/// A file that was found, held by descriptor.
#[derive(Debug)]
pub struct Found {
    fd: OwnedFd,
    stat: FileStat,
}

/// Finds `path` below `root`; `None` when there is no such file.
pub fn find(root: BorrowedFd<'_>, path: &Path, last: Last) -> Result<Option<Found>, SysError> {
    let follow = match last {
        Last::Follow => OFlag::empty(),
        Last::Itself => OFlag::O_NOFOLLOW,
    };
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | follow)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let fd = match openat2(root, path, how) {
        Ok(fd) => fd,
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG) => {
            return Ok(None);
        }
        Err(e) => return Err(failed("openat2", e, path)),
    };
    let stat = fstat(&fd).map_err(|e| failed("fstat", e, path))?;
    Ok(Some(Found { fd, stat }))
}

impl AsFd for Found {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Found {
    /// Its type.
    pub fn file_type(&self) -> FileType {
        match SFlag::from_bits_truncate(self.stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => FileType::Dir,
            SFlag::S_IFLNK => FileType::Symlink,
            SFlag::S_IFCHR => FileType::Char,
            SFlag::S_IFBLK => FileType::Block,
            SFlag::S_IFIFO => FileType::Fifo,
            SFlag::S_IFSOCK => FileType::Socket,
            _ => FileType::File,
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.stat.st_size.cast_unsigned()
    }

    /// Permission bits, with set-user-ID, set-group-ID and sticky bits.
    pub fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Owner, in the reader's user namespace.
    pub fn uid(&self) -> u32 {
        self.stat.st_uid
    }

    /// Group, in the reader's user namespace.
    pub fn gid(&self) -> u32 {
        self.stat.st_gid
    }

    /// Opens it for reading; only regular files are, because others may block or act.
    pub fn open(&self) -> Result<Option<File>, SysError> {
        if self.file_type() != FileType::File {
            return Ok(None);
        }
        let path = crate::procfs::process::descriptor_path(self.fd.as_fd());
        File::open(&path).map(Some).map_err(|source| SysError {
            call: "open",
            object: Some(path.display().to_string()),
            source,
        })
    }

    /// Whether this is the top directory of a mounted procfs.
    pub fn is_procfs(&self) -> Result<bool, SysError> {
        // The inode of procfs' top directory, see fs/proc/root.c.
        const PROC_ROOT_INO: u64 = 1;
        let fs = fstatfs(&self.fd).map_err(|e| failed("fstatfs", e, Path::new("/proc")))?;
        let procfs = nix::sys::statfs::PROC_SUPER_MAGIC;
        Ok(fs.filesystem_type() == procfs && self.stat.st_ino == PROC_ROOT_INO)
    }

    /// The target of the link `path` below this directory; `None` when there is none.
    pub fn link(&self, path: &str) -> Result<Option<OsString>, SysError> {
        match readlinkat(&self.fd, path) {
            Ok(target) => Ok(Some(target)),
            Err(Errno::ENOENT | Errno::ESRCH | Errno::EINVAL) => Ok(None),
            Err(e) => Err(failed("readlink", e, Path::new(path))),
        }
    }
}

fn failed(call: &'static str, errno: Errno, path: &Path) -> SysError {
    SysError {
        call,
        object: Some(path.display().to_string()),
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_cannot_lead_out_of_the_root() {
        let dir = std::env::temp_dir().join(format!("beneath-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("etc")).unwrap();
        std::fs::write(dir.join("etc/name"), "inside\n").unwrap();
        symlink("/etc/name", dir.join("absolute")).unwrap();
        symlink("../../../../../../etc/passwd", dir.join("upwards")).unwrap();
        let root = File::open(&dir).unwrap();
        let find = |p, last| find(root.as_fd(), Path::new(p), last).unwrap();

        let mut text = String::new();
        let absolute = find("/absolute", Last::Follow).unwrap();
        absolute
            .open()
            .unwrap()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "inside\n");
        assert!(find("/upwards", Last::Follow).is_none());
        assert_eq!(
            find("/upwards", Last::Itself).unwrap().file_type(),
            FileType::Symlink
        );
        assert_eq!(
            find("/etc", Last::Follow).unwrap().file_type(),
            FileType::Dir
        );
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_procfs_is_recognised_by_its_top_directory_only() {
        let root = File::open("/").unwrap();
        let find = |p| {
            find(root.as_fd(), Path::new(p), Last::Follow)
                .unwrap()
                .unwrap()
        };
        assert!(find("/proc").is_procfs().unwrap());
        assert!(!find("/proc/sys").is_procfs().unwrap());
        assert!(!find("/tmp").is_procfs().unwrap());
    }
}
