//! Loading a finished filter program; see seccomp(2).

use crate::error::SysError;

/// The size of one instruction.
pub const INSTRUCTION: usize = 8;

/// Loads a BPF program that decides about every system call of this process from now on.
///
/// Needs CAP_SYS_ADMIN in this user namespace, or `no_new_privs`.
pub fn load(program: &[u8]) -> Result<(), SysError> {
    let instructions: Vec<libc::sock_filter> = program
        .chunks_exact(INSTRUCTION)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let invalid = |_| SysError {
        call: "seccomp",
        object: Some("a program that is too long".into()),
        source: std::io::Error::from_raw_os_error(libc::EINVAL),
    };
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(invalid)?,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the structure and the instructions it points to are live; the kernel copies them
    // and writes to neither.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    SysError::check("seccomp", ret)
}
