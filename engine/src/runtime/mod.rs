//! From a wish to a process: a `RunRequest` becomes a `Plan`, a shim performs it, a container runs.
//!
//! # For the daemon
//!
//! Everything here blocks: call it through `spawn_blocking`.
//!
//! 1. [`launch::create`] starts a shim, which prepares the container and stops just before the
//!    program is executed. It answers with the pids, so that the network can be attached
//!    (`network::attach`) to `/proc/<engine_pid>/ns/net`.
//! 2. [`client::ShimClient`] is a name for the shim's socket; every call opens its own connection,
//!    so it may be cloned and used from any thread, also after a daemon restart:
//!    [`start`](client::ShimClient::start), [`attach`](client::ShimClient::attach) (also before
//!    `start`: no output is lost), [`exec`](client::ShimClient::exec),
//!    [`signal`](client::ShimClient::signal), [`resize`](client::ShimClient::resize),
//!    [`wait`](client::ShimClient::wait), [`status`](client::ShimClient::status).
//! 3. When the program ends the shim writes `<exec root>/<id>/exit.json` ([`handshake::ExitRecord`]),
//!    tells whoever waits, removes the cgroups and ends. A shim whose daemon died goes on;
//!    [`launch::find`] says after a restart what became of a container.
//! 4. `cgroups` freezes, thaws, updates limits, lists processes and reads counters of a
//!    container by its id; it needs no shim.
//!
//! Deliberately absent: images, names, restart policies and every record but `exit.json`.

pub mod request;

pub mod plan;

pub mod bundle;

pub mod hooks;
pub mod mounts;
pub mod namespaces;
pub mod process;

pub mod apparmor;
pub mod capabilities;
pub mod cgroups;
pub(crate) mod cpu_list;
pub(crate) mod devices;
pub(crate) mod limits;
pub(crate) mod rlimits;
pub mod seccomp;
pub(crate) mod user;

mod framing;
pub mod handshake;

pub mod client;
pub mod launch;
