//! A directory tree written by strangers, reached only through its descriptor.
//!
//! Names in it (an archive's entries, a container's files) are hostile: `..`, absolute names and links that point
//! anywhere. Every lookup goes through openat2(2) with `RESOLVE_IN_ROOT`, so the tree's own root is the highest place
//! a name can reach, and the last component is never followed by accident.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
pub use nix::sys::stat::FileStat;
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, fstatat, mkdirat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat};

use crate::error::SysError;

/// A directory that names are resolved in, as chroot(2) would.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
}

/// A kind of device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Character device with major and minor; 0:0 is overlayfs's whiteout.
    Char(u64, u64),
    /// Block device with major and minor.
    Block(u64, u64),
    /// Named pipe.
    Fifo,
}

/// A time of modification, as `st_mtim` keeps it: never fewer than zero nanoseconds after the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mtime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds after them, below a billion.
    pub nanoseconds: i64,
}

impl Tree {
    /// Opens the directory `path`, which is trusted.
    pub fn open(path: &Path) -> Result<Self, SysError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|errno| fail("open", path, errno))?;
        Ok(Self { root })
    }

    /// A tree at a descriptor that is already open.
    pub fn at(root: OwnedFd) -> Self {
        Self { root }
    }

    /// The root's descriptor.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens the directory that `path` names, links included, without leaving the tree.
    pub fn dir(&self, path: &Path) -> Result<OwnedFd, SysError> {
        self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// Opens the directory `path` only if no part of it is a link.
    pub fn dir_without_links(&self, path: &Path) -> Result<OwnedFd, SysError> {
        self.resolve_by(
            path,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY,
            ResolveFlag::RESOLVE_NO_SYMLINKS,
        )
    }

    /// Opens the regular file that `path` names for reading; a pipe with no writer does not block.
    pub fn file(&self, path: &Path) -> Result<File, SysError> {
        self.resolve(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
            .map(File::from)
    }

    /// Names whatever `path` ends at, without opening it and without following a last link.
    pub fn place(&self, path: &Path) -> Result<OwnedFd, SysError> {
        self.resolve(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
    }

    /// Names what `path` leads to, through links, without opening it.
    pub fn follow(&self, path: &Path) -> Result<OwnedFd, SysError> {
        self.resolve(path, OFlag::O_PATH)
    }

    fn resolve(&self, path: &Path, flags: OFlag) -> Result<OwnedFd, SysError> {
        self.resolve_by(path, flags, ResolveFlag::RESOLVE_NO_MAGICLINKS)
    }

    fn resolve_by(
        &self,
        path: &Path,
        flags: OFlag,
        links: ResolveFlag,
    ) -> Result<OwnedFd, SysError> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | links);
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        loop {
            match openat2(&self.root, path, how) {
                // A rename elsewhere in the tree makes the kernel give up; asking again is what it expects.
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(fail("openat2", path, errno)),
                Ok(fd) => return Ok(fd),
            }
        }
    }

    /// Opens the directory `path` and makes what is missing of it.
    pub fn make_dirs(&self, path: &Path) -> Result<OwnedFd, SysError> {
        match self.dir(path) {
            Err(error) if error.source.raw_os_error() == Some(Errno::ENOENT as i32) => {}
            done => return done,
        }
        let mut prefix = PathBuf::new();
        for part in path.components() {
            let parent = self.dir(&prefix)?;
            prefix.push(part);
            if let Component::Normal(name) = part {
                match make_dir(parent.as_fd(), name) {
                    Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
                    done => done?,
                }
            }
        }
        self.dir(path)
    }
}

/// The components of an untrusted name, without `.`, `..`, or a leading slash: lexically inside the root.
pub fn clean(name: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// Makes a directory; see mkdirat(2).
pub fn make_dir(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), SysError> {
    mkdirat(parent, name, Mode::from_bits_truncate(0o755))
        .map_err(|errno| fail("mkdirat", name, errno))
}

/// Makes a new file for writing; fails if the name exists, link or not.
pub fn create_file(parent: BorrowedFd<'_>, name: &OsStr) -> Result<File, SysError> {
    let flags =
        OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::from_bits_truncate(0o600))
        .map(File::from)
        .map_err(|errno| fail("openat", name, errno))
}

/// What a name is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// A directory.
    Dir,
    /// A regular file; a pipe with no writer does not block.
    File,
}

/// Opens a name of a directory for reading; a symbolic link is not followed.
pub fn open_child(parent: BorrowedFd<'_>, name: &OsStr, child: Child) -> Result<OwnedFd, SysError> {
    let kind = match child {
        Child::Dir => OFlag::O_DIRECTORY,
        Child::File => OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
    };
    let flags = kind | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty()).map_err(|errno| fail("openat", name, errno))
}

/// Makes a symbolic link; the target is text and is not looked at.
pub fn make_symlink(parent: BorrowedFd<'_>, name: &OsStr, target: &OsStr) -> Result<(), SysError> {
    symlinkat(target, parent, name).map_err(|errno| fail("symlinkat", name, errno))
}

/// Makes a hard link to `old`, which is not followed when it is a symbolic link.
pub fn make_link(
    old_parent: BorrowedFd<'_>,
    old: &OsStr,
    parent: BorrowedFd<'_>,
    name: &OsStr,
) -> Result<(), SysError> {
    linkat(old_parent, old, parent, name, AtFlags::empty())
        .map_err(|errno| fail("linkat", name, errno))
}

/// Makes a device node or pipe; in a user namespace only pipes and the whiteout 0:0 are allowed.
pub fn make_node(parent: BorrowedFd<'_>, name: &OsStr, node: Node) -> Result<(), SysError> {
    let (kind, device) = match node {
        Node::Char(major, minor) => (SFlag::S_IFCHR, nix::sys::stat::makedev(major, minor)),
        Node::Block(major, minor) => (SFlag::S_IFBLK, nix::sys::stat::makedev(major, minor)),
        Node::Fifo => (SFlag::S_IFIFO, 0),
    };
    mknodat(parent, name, kind, Mode::from_bits_truncate(0o600), device)
        .map_err(|errno| fail("mknodat", name, errno))
}

/// Type, mode, owner and size of a name, not followed.
pub fn stat(parent: BorrowedFd<'_>, name: &OsStr) -> Result<FileStat, SysError> {
    fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .map_err(|errno| fail("fstatat", name, errno))
}

/// Type, mode, owner and size of what is open, also of a place; see fstat(2).
pub fn stat_open(file: BorrowedFd<'_>) -> Result<FileStat, SysError> {
    nix::sys::stat::fstat(file).map_err(|errno| fail("fstat", "", errno))
}

/// The text of a symbolic link that is open as a place; see readlinkat(2).
pub fn read_link(link: BorrowedFd<'_>) -> Result<OsString, SysError> {
    nix::fcntl::readlinkat(link, "").map_err(|errno| fail("readlinkat", "", errno))
}

/// Reads the extended attributes of what is open, also of a place.
pub fn xattrs_open(file: BorrowedFd<'_>) -> Result<Vec<(OsString, Vec<u8>)>, SysError> {
    // The name of a descriptor leads to the file itself; a dot after it would need a directory.
    let path = listing_path(file);
    let c_path = c_string(path.as_os_str(), "getxattr")?;
    let name = c"security.capability";
    let value = grow(|buffer| {
        // SAFETY: both strings end with NUL and the kernel writes at most `buffer.len()` bytes.
        unsafe {
            libc::getxattr(
                c_path.as_ptr(),
                name.as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        }
    });
    // No such attribute, or a file system without any, is no failure.
    Ok(value
        .map(|value| vec![(OsString::from("security.capability"), value)])
        .unwrap_or_default())
}

/// Sets the mode of an open file; see fchmod(2).
pub fn chmod_open(file: BorrowedFd<'_>, mode: u32) -> Result<(), SysError> {
    nix::sys::stat::fchmod(file, Mode::from_bits_truncate(mode))
        .map_err(|errno| fail("fchmod", "", errno))
}

/// Sets the owner of an open file; see fchown(2).
pub fn chown_open(file: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), SysError> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    nix::unistd::fchown(file, Some(uid), Some(gid)).map_err(|errno| fail("fchown", "", errno))
}

/// Sets the modification time of an open file; see futimens(3).
pub fn set_mtime_open(file: BorrowedFd<'_>, time: Mtime) -> Result<(), SysError> {
    let time = TimeSpec::new(time.seconds, time.nanoseconds);
    nix::sys::stat::futimens(file, &time, &time).map_err(|errno| fail("futimens", "", errno))
}

/// Sets the owner of a name, not followed; an empty name means `parent` itself.
pub fn chown(parent: BorrowedFd<'_>, name: &OsStr, uid: u32, gid: u32) -> Result<(), SysError> {
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH;
    fchownat(
        parent,
        name,
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        flags,
    )
    .map_err(|errno| fail("fchownat", name, errno))
}

/// Sets the mode of a name that is known not to be a link.
pub fn chmod(parent: BorrowedFd<'_>, name: &OsStr, mode: u32) -> Result<(), SysError> {
    let name = if name.is_empty() {
        OsStr::new(".")
    } else {
        name
    };
    fchmodat(
        parent,
        name,
        Mode::from_bits_truncate(mode),
        FchmodatFlags::FollowSymlink,
    )
    .map_err(|errno| fail("fchmodat", name, errno))
}

/// Sets the modification time of a name, not followed.
pub fn set_mtime(parent: BorrowedFd<'_>, name: &OsStr, time: Mtime) -> Result<(), SysError> {
    let name = if name.is_empty() {
        OsStr::new(".")
    } else {
        name
    };
    let time = TimeSpec::new(time.seconds, time.nanoseconds);
    utimensat(parent, name, &time, &time, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| fail("utimensat", name, errno))
}

/// Sets an extended attribute of an open file or directory; see fsetxattr(2).
pub fn set_xattr(file: BorrowedFd<'_>, name: &OsStr, value: &[u8]) -> Result<(), SysError> {
    let c_name = c_string(name, "fsetxattr")?;
    // SAFETY: the descriptor is borrowed and open, the name ends with NUL, and the kernel reads
    // exactly `value.len()` bytes of a live slice.
    let ret = unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            c_name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    SysError::check("fsetxattr", ret.into()).map_err(|error| error.on(name.to_string_lossy()))
}

/// Where an open directory can be listed by the functions of the standard library, without a second lookup.
pub fn listing_path(dir: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}

/// Reads the extended attributes of a path that is not followed; see llistxattr(2).
pub fn xattrs(path: &Path) -> Result<Vec<(OsString, Vec<u8>)>, SysError> {
    let c_path = c_string(path.as_os_str(), "llistxattr")?;
    let names = grow(|buffer| {
        // SAFETY: the path ends with NUL and the kernel writes at most `buffer.len()` bytes.
        unsafe { libc::llistxattr(c_path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) }
    })
    .map_err(|source| SysError {
        call: "llistxattr",
        object: Some(path.display().to_string()),
        source,
    })?;
    values(&names, |name, buffer| {
        // SAFETY: both strings end with NUL and the kernel writes at most `buffer.len()` bytes.
        unsafe {
            libc::lgetxattr(
                c_path.as_ptr(),
                name.as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        }
    })
}

/// Reads the extended attributes of a file or directory that is open for reading; see flistxattr(2).
pub fn xattrs_of(file: BorrowedFd<'_>) -> Result<Vec<(OsString, Vec<u8>)>, SysError> {
    let fd = file.as_raw_fd();
    let names = grow(|buffer| {
        // SAFETY: the descriptor is borrowed and open, and the kernel writes at most `buffer.len()` bytes.
        unsafe { libc::flistxattr(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
    })
    .map_err(|source| SysError {
        call: "flistxattr",
        object: None,
        source,
    })?;
    values(&names, |name, buffer| {
        // SAFETY: as above, and the name ends with NUL.
        unsafe { libc::fgetxattr(fd, name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) }
    })
}

/// The value of each name in a list of names that end with NUL.
fn values(
    names: &[u8],
    value: impl Fn(&std::ffi::CStr, &mut [u8]) -> isize,
) -> Result<Vec<(OsString, Vec<u8>)>, SysError> {
    let mut found = Vec::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let c_name = c_string(OsStr::from_bytes(name), "getxattr")?;
        // An attribute may vanish between the two calls.
        if let Ok(value) = grow(|buffer| value(&c_name, buffer)) {
            found.push((OsStr::from_bytes(name).to_owned(), value));
        }
    }
    Ok(found)
}

/// Removes a name and everything below it, following no link.
pub fn remove_all(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), SysError> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EISDIR) => {}
        Err(errno) => return Err(fail("unlinkat", name, errno)),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut dir = nix::dir::Dir::openat(parent, name, flags, Mode::empty())
        .map_err(|errno| fail("openat", name, errno))?;
    let names: Vec<OsString> = dir
        .iter()
        .filter_map(Result::ok)
        .map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        .filter(|name| name != "." && name != "..")
        .collect();
    for child in names {
        remove_all(dir.as_fd(), &child)?;
    }
    unlinkat(parent, name, UnlinkatFlags::RemoveDir).map_err(|errno| fail("unlinkat", name, errno))
}

/// Writes everything of the file system that holds `file` to its disk; see syncfs(2).
pub fn sync_filesystem(file: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: syncfs takes only a descriptor, which is borrowed and open.
    let ret = unsafe { libc::syncfs(file.as_raw_fd()) };
    SysError::check("syncfs", ret.into())
}

fn grow(call: impl Fn(&mut [u8]) -> isize) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    loop {
        let size = call(&mut buffer);
        if let Ok(size) = usize::try_from(size) {
            buffer.truncate(size);
            return Ok(buffer);
        }
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || buffer.len() >= 1 << 17 {
            return Err(error);
        }
        buffer.resize(buffer.len() * 4, 0);
    }
}

fn c_string(text: &OsStr, call: &'static str) -> Result<CString, SysError> {
    CString::new(text.as_bytes()).map_err(|_| fail(call, text, Errno::EINVAL))
}

fn fail(call: &'static str, object: impl AsRef<Path>, errno: Errno) -> SysError {
    SysError {
        call,
        object: Some(object.as_ref().display().to_string()),
        source: errno.into(),
    }
}
