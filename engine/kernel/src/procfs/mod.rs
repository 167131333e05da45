//! What `/proc` says about a process; see proc_pid_status(5) and its neighbours.
//!
//! [`Process`] is a handle on one process: a descriptor of its directory, which stays dead when
//! the process dies, so that a recycled pid cannot be read by mistake. The texts are parsed by
//! pure functions, one file per format. Everything in them that a user may choose (names, mount
//! points, arguments) is bytes of unknown encoding: bounded, and never split on a character that
//! the kernel does not escape.

pub mod mountinfo;
pub mod namespace;
pub mod own;
pub mod process;
pub mod stat;
pub mod status;

pub use mountinfo::MountInfo;
pub use namespace::NamespaceKind;
pub use own::open_own;
pub use process::Process;
pub use stat::Stat;
pub use status::Status;
