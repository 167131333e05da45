//! Files by descriptor: lookups that cannot leave a root, device nodes, memory files.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use crate::error::SysError;

/// Where a relative path begins.
#[derive(Clone, Copy, Debug)]
pub enum Dir<'a> {
    /// At the working directory (`AT_FDCWD`).
    Here,
    /// At this directory, or on this very file when the path is empty.
    At(BorrowedFd<'a>),
}

impl Dir<'_> {
    pub(crate) fn raw(self) -> RawFd {
        match self {
            Self::Here => libc::AT_FDCWD,
            Self::At(fd) => fd.as_raw_fd(),
        }
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To name it only (`O_PATH`).
    Path,
    /// To name a directory only.
    Directory,
    /// To read it.
    Read,
    /// To write it.
    Write,
    /// To read and write it.
    ReadWrite,
    /// To write it from its beginning, made with this mode when it does not exist.
    Create(u32),
    /// To write a file that must not exist yet, made with this mode.
    CreateNew(u32),
}

impl Access {
    fn flags(self) -> libc::c_int {
        match self {
            Self::Path => libc::O_PATH,
            Self::Directory => libc::O_PATH | libc::O_DIRECTORY,
            Self::Read => libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK,
            Self::Write => libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK,
            Self::ReadWrite => libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK,
            Self::Create(_) => libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOCTTY,
            Self::CreateNew(_) => libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
        }
    }

    fn mode(self) -> u64 {
        match self {
            Self::Create(mode) | Self::CreateNew(mode) => mode.into(),
            _ => 0,
        }
    }
}

/// Opens `path` as if `root` were `/`: neither `..` nor a link leads out; see openat2(2).
///
/// Magic links (`/proc/PID/fd/…`) are refused.
pub fn open_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    access: Access,
) -> Result<OwnedFd, SysError> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    openat2(root, path, access, resolve)
}

/// Opens `path` from `dir`, following symbolic links but not magic ones.
pub fn open_without_magic(
    dir: BorrowedFd<'_>,
    path: &Path,
    access: Access,
) -> Result<OwnedFd, SysError> {
    openat2(dir, path, access, libc::RESOLVE_NO_MAGICLINKS)
}

/// Opens `path` below `dir`, refusing every symbolic link and every way out.
pub fn open_beneath(dir: BorrowedFd<'_>, path: &Path, access: Access) -> Result<OwnedFd, SysError> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS;
    openat2(dir, path, access, resolve)
}

/// Opens `path` below `dir` without following any link or entering any other mount.
pub fn open_on_mount(
    dir: BorrowedFd<'_>,
    path: &Path,
    access: Access,
) -> Result<OwnedFd, SysError> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    openat2(dir, path, access, resolve)
}

fn openat2(
    dir: BorrowedFd<'_>,
    path: &Path,
    access: Access,
    resolve: u64,
) -> Result<OwnedFd, SysError> {
    let name = c_path(path)?;
    // SAFETY: all-zero bytes are a valid `open_how`, which has private padding.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from((access.flags() | libc::O_CLOEXEC).cast_unsigned());
    how.mode = access.mode();
    how.resolve = resolve;
    // SAFETY: the path is a live `CString` and `how` a live local of the given size; the kernel
    // only reads both.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            dir.as_raw_fd(),
            name.as_ptr(),
            &raw const how,
            size_of_val(&how),
        )
    };
    owned("openat2", ret).map_err(|e| e.on(path.to_string_lossy()))
}

/// Opens a path as the caller sees it, links followed.
pub fn open(path: &Path, access: Access) -> Result<OwnedFd, SysError> {
    open_at(Dir::Here, path, access)
}

/// Opens a path from a directory, links followed.
pub fn open_at(dir: Dir<'_>, path: &Path, access: Access) -> Result<OwnedFd, SysError> {
    let name = c_path(path)?;
    let mode = libc::mode_t::try_from(access.mode()).expect("modes are 32 bits");
    // SAFETY: the path is a live `CString` that the kernel only reads.
    let ret = unsafe {
        libc::openat(
            dir.raw(),
            name.as_ptr(),
            access.flags() | libc::O_CLOEXEC,
            mode,
        )
    };
    owned("open", ret.into()).map_err(|e| e.on(path.to_string_lossy()))
}

/// Makes an anonymous file in memory; see memfd_create(2).
pub fn memfd(name: &CStr) -> Result<OwnedFd, SysError> {
    // SAFETY: the name is a `CStr` borrow that outlives the call.
    let ret =
        unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    owned("memfd_create", ret.into())
}

/// Forbids any further change of a memory file.
pub fn seal(memory: BorrowedFd<'_>) -> Result<(), SysError> {
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes its argument by value.
    let ret = unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    SysError::check("fcntl F_ADD_SEALS", ret.into())
}

/// Makes a device node; see mknod(2).
pub fn make_char_device(
    dir: Dir<'_>,
    path: &Path,
    mode: u32,
    major: u32,
    minor: u32,
) -> Result<(), SysError> {
    make_node(dir, path, libc::S_IFCHR | mode, libc::makedev(major, minor))
}

/// Makes a block device node; see mknod(2).
pub fn make_block_device(
    dir: Dir<'_>,
    path: &Path,
    mode: u32,
    major: u32,
    minor: u32,
) -> Result<(), SysError> {
    make_node(dir, path, libc::S_IFBLK | mode, libc::makedev(major, minor))
}

/// Makes a named pipe; see mkfifo(3).
pub fn make_fifo(dir: Dir<'_>, path: &Path, mode: u32) -> Result<(), SysError> {
    make_node(dir, path, libc::S_IFIFO | mode, 0)
}

fn make_node(dir: Dir<'_>, path: &Path, mode: u32, device: libc::dev_t) -> Result<(), SysError> {
    let name = c_path(path)?;
    // SAFETY: the path is a live `CString` that the kernel only reads.
    let ret = unsafe { libc::mknodat(dir.raw(), name.as_ptr(), mode, device) };
    SysError::check("mknod", ret.into()).map_err(|e| e.on(path.to_string_lossy()))
}

/// Makes a directory; one that exists is left as it is.
pub fn make_directory(dir: Dir<'_>, path: &Path, mode: u32) -> Result<(), SysError> {
    let name = c_path(path)?;
    // SAFETY: the path is a live `CString` that the kernel only reads.
    let ret = unsafe { libc::mkdirat(dir.raw(), name.as_ptr(), mode) };
    match SysError::check("mkdir", ret.into()) {
        Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|e| e.on(path.to_string_lossy())),
    }
}

/// How large a file system is, and what an ordinary user may still use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All its bytes.
    pub bytes: u64,
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// All its inodes; 0 where it does not count them.
    pub files: u64,
    /// Inodes that may still be made.
    pub free_files: u64,
}

/// Bytes that an ordinary user may still write on the file system that holds `path`.
pub fn free_bytes(path: &Path) -> Result<u64, SysError> {
    Ok(room(path)?.free_bytes)
}

/// The size of the file system that holds `path`; see statvfs(3).
pub fn room(path: &Path) -> Result<Room, SysError> {
    let name = c_path(path)?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a live `CString`; statvfs(3) fills the live local behind the pointer.
    let ret = unsafe { libc::statvfs(name.as_ptr(), answer.as_mut_ptr()) };
    SysError::check("statvfs", ret.into()).map_err(|e| e.on(path.to_string_lossy()))?;
    // SAFETY: the call succeeded, so it filled the whole structure.
    let answer = unsafe { answer.assume_init() };
    Ok(Room {
        bytes: answer.f_blocks * answer.f_frsize,
        free_bytes: answer.f_bavail * answer.f_frsize,
        files: answer.f_files,
        free_files: answer.f_favail,
    })
}

/// The next written part of a sparse file at or after `from`, as its first byte and the byte after
/// its last; `None` when only a hole is left. See lseek(2), `SEEK_DATA`.
pub fn next_data(file: BorrowedFd<'_>, from: u64) -> std::io::Result<Option<(u64, u64)>> {
    let seek = |at: u64, whence| {
        let at = libc::off_t::try_from(at).map_err(std::io::Error::other)?;
        // SAFETY: lseek(2) takes its arguments by value.
        let ret = unsafe { libc::lseek(file.as_raw_fd(), at, whence) };
        u64::try_from(ret).map_err(|_| std::io::Error::last_os_error())
    };
    match seek(from, libc::SEEK_DATA) {
        Err(e) if e.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(e) => Err(e),
        Ok(start) => Ok(Some((start, seek(start, libc::SEEK_HOLE)?))),
    }
}

/// The major and minor number of a device.
pub fn device_numbers(device: u64) -> (u32, u32) {
    (libc::major(device), libc::minor(device))
}

pub(crate) fn c_path(path: &Path) -> Result<CString, SysError> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "a NUL in the path");
        SysError::io("open", source).on(path.to_string_lossy())
    })
}

pub(crate) fn owned(call: &'static str, ret: libc::c_long) -> Result<OwnedFd, SysError> {
    SysError::check(call, ret)?;
    let fd = RawFd::try_from(ret).expect("a descriptor fits in an int");
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_link_cannot_lead_out_of_the_root() {
        let dir = std::env::temp_dir().join(format!("kernel-fs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.join("out")).unwrap();
        let root = open(&dir, Access::Directory).unwrap();
        let error = open_in_root(root.as_fd(), Path::new("out"), Access::Read).unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
        let error = open_beneath(root.as_fd(), Path::new("out"), Access::Read).unwrap_err();
        assert_eq!(error.source.raw_os_error(), Some(libc::ELOOP));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
