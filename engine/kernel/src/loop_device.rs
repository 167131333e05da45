//! Loop devices: a file as a block device; see loop(4).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::SysError;
use crate::fs::{self, Access};

/// A device bound to a file. The kernel unbinds it by itself when the last opener (this value, a
/// mount) is gone.
#[derive(Debug)]
pub struct LoopDevice {
    /// Such as `/dev/loop3`.
    pub path: PathBuf,
    #[expect(dead_code, reason = "held open so that the device stays bound")]
    device: OwnedFd,
}

const LOOP_CONFIGURE: libc::Ioctl = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

#[repr(C)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

/// Binds a free device to `file`.
pub fn attach(file: BorrowedFd<'_>) -> Result<LoopDevice, SysError> {
    let control = fs::open(Path::new("/dev/loop-control"), Access::ReadWrite)?;
    // Another process may take the free device between the two calls: then ask again.
    for _ in 0..64 {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        SysError::check("ioctl LOOP_CTL_GET_FREE", number.into())?;
        let number = number.cast_unsigned();
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open_node(&path, number)?;
        match configure(&device, file) {
            Ok(()) => return Ok(LoopDevice { path, device }),
            Err(e) if e.source.raw_os_error() == Some(libc::EBUSY) => {}
            Err(e) => return Err(e.on(path.to_string_lossy())),
        }
    }
    let source = std::io::Error::from_raw_os_error(libc::EBUSY);
    Err(SysError::io("ioctl LOOP_CONFIGURE", source).on("64 free devices in turn"))
}

/// Opens the node, and makes it where no device manager does.
fn open_node(path: &Path, number: u32) -> Result<OwnedFd, SysError> {
    const LOOP_MAJOR: u32 = 7;
    match fs::open(path, Access::ReadWrite) {
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => {
            fs::make_block_device(fs::Dir::Here, path, 0o600, LOOP_MAJOR, number)?;
            fs::open(path, Access::ReadWrite)
        }
        other => other,
    }
}

fn configure(device: &OwnedFd, file: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: all-zero bytes are a valid `LoopConfig`: it holds numbers only.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = file.as_raw_fd().cast_unsigned();
    config.info.flags = LO_FLAGS_AUTOCLEAR;
    // SAFETY: LOOP_CONFIGURE reads one `loop_config`, whose layout `LoopConfig` repeats, through
    // the pointer to a live local.
    let ret = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
    SysError::check("ioctl LOOP_CONFIGURE", ret.into())
}
