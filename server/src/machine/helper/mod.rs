//! The helper: the one process with the host's root, on a private socket, with a closed list of
//! verbs (`verbs`).
//!
//! It gives machines their ids (`ranges`), disks (`disk`), control groups (`groups`), starts them
//! (`start`, `isolate`), knows them again after a restart (`record`), and removes what dead ones left
//! (`machines`). It makes no mount in the host's mount namespace. `spawn` starts it before the web
//! process becomes an ordinary user; `client` is how that process then speaks to it.

pub(crate) mod client;
mod disk;
mod down;
mod groups;
mod isolate;
mod machines;
mod owner;
mod ranges;
mod record;
mod serve;
mod spawn;
mod start;
pub(crate) mod verbs;

pub(crate) use down::run as down;
pub(crate) use serve::run;
pub(crate) use spawn::{HelperSocket, SpawnError, spawn_and_drop};
