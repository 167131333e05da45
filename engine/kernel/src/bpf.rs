//! Programs that the kernel runs for a control group; see bpf(2) and linux/bpf.h.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use crate::error::SysError;
use crate::fs::owned;

/// One instruction of the machine; see Documentation/bpf/standardization/instruction-set.rst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u8,
    /// The register it writes in the low four bits, the one it reads in the high four.
    pub registers: u8,
    /// How many instructions a jump skips, or bytes beyond an address.
    pub offset: i16,
    /// A constant.
    pub value: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
/// Programs of groups above and below are asked too, and all must agree.
const ALLOW_MULTI: u32 = 1 << 1;

/// The fields of `union bpf_attr` for BPF_PROG_LOAD that existed in Linux 4.15.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The same for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Loads a program that decides which devices the processes of a group may use.
///
/// Needs CAP_SYS_ADMIN (or CAP_BPF and CAP_NET_ADMIN) in the initial user namespace.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd, SysError> {
    let attributes = Load {
        kind: PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).unwrap_or(u32::MAX),
        instructions: program.as_ptr() as u64,
        license: c"Dual BSD/GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the structure, the instructions and the licence it points to are live, and its length is
    // told; the kernel copies them and writes to none.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_LOAD,
            &raw const attributes,
            size_of::<Load>(),
        )
    };
    owned("bpf BPF_PROG_LOAD", ret)
}

/// Lets the kernel ask `program` about every device that a process in or below `group` (a directory of version
/// 2) opens or makes. It stays until the group is removed.
pub fn attach_device_program(
    program: BorrowedFd<'_>,
    group: BorrowedFd<'_>,
) -> Result<(), SysError> {
    let attributes = Attach {
        target: group.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        kind: CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: the structure is live and its length is told; the kernel only reads it.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_ATTACH,
            &raw const attributes,
            size_of::<Attach>(),
        )
    };
    SysError::check("bpf BPF_PROG_ATTACH", ret)
}
