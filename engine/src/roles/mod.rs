//! Processes with one thread and no async runtime: the shim, and what it makes on the way to the
//! program.
//!
//! `shim` is executed by the daemon; it forks `birth`, which enters the stage and makes `init`,
//! which prepares the container from inside and becomes the program. `exec` makes a second process
//! in a container that runs. `bundle` does the same without a shim, for `quai runtime`. None of them reads anything but the plan.
//! `user_root` makes an ordinary user root of namespaces of its own, for a build without a daemon.

pub mod bundle;
pub mod shim;
pub mod user_root;

mod birth;
mod confinement;
mod exec;
mod hooks;
mod init;
mod membership;
mod program;
mod questions;
mod schedule;
mod setting;
mod tini;
mod voice;
