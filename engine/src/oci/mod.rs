//! The documents of the OCI image and runtime specifications.
//!
//! Manifests and descriptors are `oci-spec`'s types. The image configuration is ours: `oci-spec` 0.10 keeps it in
//! hash maps, so that the same image would get another id each time it is written, and it has no place for the
//! fields that only Docker writes (`Healthcheck`, `OnBuild`, `Shell`).

mod digest;
mod document;
mod image_config;
mod manifest;
mod platform;
pub mod runtime_spec;

pub use digest::{BadDigest, Digest, Hasher, HashingReader, chain_ids};
pub use document::{
    BadDocument, DOCKER_LIST, DOCKER_MANIFEST, Document, Index, IndexEntry, OCI_INDEX, OCI_MANIFEST,
};
pub use image_config::{EmptyObject, History, ImageConfig, RootFs, RunConfig};
pub use manifest::{LayerFormat, manifest_of};
pub use oci_spec::image::{Descriptor, ImageManifest, MediaType};
pub use platform::{BadPlatform, Platform};
