//! An open file: its flags, owner and file system; pipes; links.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::SysError;
use crate::fs::Dir;

/// File systems that masks and device checks have to recognise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// procfs.
    Proc,
    /// sysfs.
    Sys,
    /// Another one through which the kernel shows itself, such as debugfs or cgroups.
    OfKernel,
    /// Any other.
    Other,
}

/// Which file system an open file lies on; see fstatfs(2).
pub fn file_system(file: BorrowedFd<'_>) -> Result<FileSystem, SysError> {
    let mut facts = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: fstatfs(2) writes one `statfs` through the pointer to a live local.
    let ret = unsafe { libc::fstatfs(file.as_raw_fd(), facts.as_mut_ptr()) };
    SysError::check("fstatfs", ret.into())?;
    // SAFETY: fstatfs succeeded, so it filled the whole structure.
    Ok(match unsafe { facts.assume_init() }.f_type {
        libc::PROC_SUPER_MAGIC => FileSystem::Proc,
        SYSFS_MAGIC => FileSystem::Sys,
        magic if OF_KERNEL.contains(&magic) => FileSystem::OfKernel,
        _ => FileSystem::Other,
    })
}

const SYSFS_MAGIC: libc::c_long = 0x6265_6572;

/// bpf, cgroup, cgroup2, configfs, debugfs, efivarfs, fusectl, pstore, securityfs, selinuxfs,
/// tracefs; see linux/magic.h.
const OF_KERNEL: [libc::c_long; 11] = [
    0xcafe_4a11,
    0x27_e0eb,
    0x6367_7270,
    0x6265_6570,
    0x6462_6720,
    0xde5e_81e4,
    0x6573_5543,
    0x6165_676c,
    0x7363_6673,
    0xf97c_ff8c,
    0x7472_6163,
];

/// Makes reads and writes return at once when they cannot go on.
pub fn set_nonblocking(file: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: F_GETFL takes no further argument and touches no memory of ours.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    SysError::check("fcntl F_GETFL", flags.into())?;
    // SAFETY: F_SETFL takes its argument by value.
    let ret = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    SysError::check("fcntl F_SETFL", ret.into())
}

/// Changes the owner of an open file; see fchown(2).
pub fn chown(file: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), SysError> {
    // SAFETY: fchown(2) takes its arguments by value.
    let ret = unsafe { libc::fchown(file.as_raw_fd(), uid, gid) };
    SysError::check("fchown", ret.into())
}

/// Changes the permissions of a file below a directory, whatever the umask; see fchmodat(2).
pub fn chmod_at(dir: Dir<'_>, name: &CStr, mode: u32) -> Result<(), SysError> {
    // SAFETY: the name is a `CStr` borrow that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::fchmodat(dir.raw(), name.as_ptr(), mode, 0) };
    SysError::check("fchmodat", ret.into()).map_err(|e| e.on(name.to_string_lossy()))
}

/// Makes a symbolic link; see symlinkat(2).
pub fn symlink_at(target: &CStr, dir: Dir<'_>, name: &CStr) -> Result<(), SysError> {
    // SAFETY: both names are `CStr` borrows that outlive the call; the kernel only reads them.
    let ret = unsafe { libc::symlinkat(target.as_ptr(), dir.raw(), name.as_ptr()) };
    SysError::check("symlinkat", ret.into()).map_err(|e| e.on(name.to_string_lossy()))
}

/// Lets a pipe hold so many bytes; see F_SETPIPE_SZ in fcntl(2). Without privilege /proc/sys/fs/pipe-max-size is the
/// most.
pub fn set_pipe_size(pipe: BorrowedFd<'_>, bytes: usize) -> Result<(), SysError> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: F_SETPIPE_SZ takes a descriptor, which is borrowed and open, and a number.
    let ret = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
    SysError::check("fcntl", ret.into())
}

/// Both ends of a new pipe.
#[derive(Debug)]
pub struct Pipe {
    /// The end that is read.
    pub reader: OwnedFd,
    /// The end that is written.
    pub writer: OwnedFd,
}

/// Makes a pipe whose ends are closed by `execve`; see pipe2(2).
pub fn pipe() -> Result<Pipe, SysError> {
    let mut ends = [-1; 2];
    // SAFETY: pipe2(2) writes two descriptors through the pointer to a live local array.
    let ret = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    SysError::check("pipe2", ret.into())?;
    // SAFETY: the call succeeded, so both are new descriptors that nobody else owns.
    let [reader, writer] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(Pipe { reader, writer })
}

/// Makes the open directory the root of this process; see chroot(2).
pub fn chroot_here() -> Result<(), SysError> {
    // SAFETY: the path is a static string.
    let ret = unsafe { libc::chroot(c".".as_ptr()) };
    SysError::check("chroot", ret.into())
}

/// Exchanges what two names stand for, in one step; see renameat2(2), `RENAME_EXCHANGE`.
pub fn exchange(dir: Dir<'_>, one: &CStr, other: &CStr) -> Result<(), SysError> {
    // SAFETY: both names are `CStr` borrows that outlive the call; the kernel only reads them.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            dir.raw(),
            one.as_ptr(),
            dir.raw(),
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    SysError::check("renameat2", ret).map_err(|e| e.on(one.to_string_lossy()))
}
