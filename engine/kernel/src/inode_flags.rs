//! Flags of an inode that file systems such as ext4 keep; see ioctl_iflags(2).

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::SysError;

/// `FS_TOPDIR_FL` of `linux/fs.h`, which the C library's headers leave out.
const TOP_OF_HIERARCHIES: libc::c_int = 0x0002_0000;

/// Tells the file system that what is in the subdirectories of `dir` belongs apart, as `chattr +T` does.
///
/// ext4 then begins each new subdirectory in a group of blocks with many free inodes, instead of one near `dir`. Other
/// file systems refuse: `ENOTTY`, `EOPNOTSUPP` or `EINVAL`.
pub fn spread_subdirectories(dir: BorrowedFd<'_>) -> Result<(), SysError> {
    // The kernel reads and writes an int here, whatever the request's number says of a long.
    let mut flags: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed and open, and the kernel writes one int to a live one.
    let ret = unsafe { libc::ioctl(dir.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    SysError::check("ioctl FS_IOC_GETFLAGS", ret.into())?;
    if flags & TOP_OF_HIERARCHIES != 0 {
        return Ok(());
    }
    flags |= TOP_OF_HIERARCHIES;
    // SAFETY: as above; the kernel only reads.
    let ret = unsafe { libc::ioctl(dir.as_raw_fd(), libc::FS_IOC_SETFLAGS, &raw const flags) };
    SysError::check("ioctl FS_IOC_SETFLAGS", ret.into())
}
