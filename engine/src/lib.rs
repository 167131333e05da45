//! The container engine: images, runtime, networks, the Docker API and its command line.
//!
//! Modules form layers, each importing only what stands below it in this list read backwards; ARCHITECTURE.md has
//! the picture. A newcomer reads `runtime/plan.rs`, then `roles/init.rs`.

pub mod api;
pub mod build;
pub mod cli;
pub mod cluster;
pub mod compose;
pub mod daemon;
pub mod dockerfile;
pub mod image;
pub mod logs;
pub mod network;
pub mod oci;
pub mod oci_cli;
pub mod registry;
pub mod registry_server;
pub mod roles;
pub mod rootless;
pub mod runtime;
pub mod stage;
pub mod store;
