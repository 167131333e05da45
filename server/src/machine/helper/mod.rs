//! The helper: the one process with the host's root, on a private socket, with a closed list of
//! verbs (`verbs`).
//!
//! It gives machines their ids (`ranges`), disks (`disk`), control groups (`groups`), starts them
//! (`start`, `isolate`), knows them again after a restart (`record`), and removes what dead ones left
//! (`machines`). Open machines have a link to the host (`uplinks`), a resolver (`nameservers`) and
//! rules that keep them off everything but the outside (`policy`). It makes no mount in the host's
//! mount namespace. `spawn` starts it before the web
//! process becomes an ordinary user; `client` is how that process then speaks to it.

mod cables;
mod cause;
pub(crate) mod client;
mod disk;
mod down;
mod groups;
mod isolate;
mod machines;
mod nameservers;
mod owner;
mod policy;
mod ranges;
mod record;
mod serve;
mod spawn;
mod start;
mod uplinks;
pub(crate) mod verbs;

pub(crate) use down::run as down;
pub(crate) use serve::run;
pub(crate) use spawn::{HelperSocket, SpawnError, spawn_and_drop};
