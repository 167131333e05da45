//! The Docker Engine API: a thin skin over `daemon`.
//!
//! `types` are the bodies, shared with the command line. Routes translate between HTTP and the daemon's calls and
//! decide nothing; statuses and wording of errors are in `error`. Paths may begin with a version (`/v1.24` and up):
//! it is cut off before routing; `adapt` gives older requests their old meaning.

pub mod types;

mod adapt;
mod body;
mod detach;
mod error;
mod hijack;
mod peer;
mod pipe;
mod query;
mod quiet;
mod routes;
mod serve;
mod socket_group;
mod tls;
mod version;
mod websocket;

pub use routes::table;
pub use serve::{ServeError, run};
