//! `quai registry`: a registry of one's own, as the OCI distribution specification 1.1 describes it.
//!
//! Content is kept in a store's blobs: named by digest, written once, verified when it comes and when it goes. What a
//! repository holds is a folder of small files, each replaced by one rename, so that a kill at any instant leaves the
//! old or the new state. Deliberately absent: token servers (basic authentication is enough for a class), mirrors of
//! other registries, and the protocol's first version except its search.

mod names;
mod repository;
mod storage;
mod upload;

mod answer;
mod blobs;
mod manifests;
mod routes;
mod tags;

mod auth;
mod serve;

pub use auth::{HtpasswdError, password_line};
pub use serve::{RegistryArgs, ServeError, run};
