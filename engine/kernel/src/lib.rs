//! Linux, safely: one file per kernel object, no policy.
//!
//! Functions are named after the manual page and take borrowed descriptors. This is the only
//! crate that may contain `unsafe`.
#![allow(
    unsafe_code,
    reason = "system calls; each block names its preconditions"
)]

pub mod apparmor;
pub mod beneath;
pub mod bpf;
pub mod capability;
pub mod cgroup;
pub mod child;
pub mod error;
pub mod file;
pub mod fs;
pub mod inherited;
pub mod inode_flags;
pub mod lock;
pub mod loop_device;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod poll;
pub mod process;
pub mod procfs;
pub mod pty;
pub mod rendezvous;
pub mod reservation;
pub mod rights;
pub mod seccomp;
pub mod signal;
pub mod socket_path;
pub mod tcp;
pub mod termios;
pub mod tree;
pub mod visit;
