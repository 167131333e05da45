//! Processes: making, replacing, waiting, signalling, and what a child inherits.

mod attribute;
mod clone;
mod execute;
mod rlimit;
mod schedule;
mod wait;

pub use attribute::{
    Dumpable, KeepCapabilities, become_subreaper, become_user, effective_gid, effective_uid,
    fchdir, join_new_session_keyring, set_domain_name, set_dumpable, set_groups, set_host_name,
    set_keep_capabilities, set_name, set_no_new_privileges, set_parent_death_signal, setsid, umask,
};
pub use clone::{Child, Forked, Parent, exit, fork, fork_in};
pub use execute::{
    Program, close_on_exec_from, close_on_exec_from_3, execute_with, execve, fexecve, inherited,
    pipe,
};
pub use rlimit::{Resource, rlimit, set_rlimit};
pub use schedule::{
    Deadline, IoClass, Policy, Schedule, set_affinity, set_io_priority, set_personality,
    set_schedule,
};
pub use wait::{Exit, Patience, Signal, kill, pidfd_open, pidfd_send_signal, reap, wait};
