//! Registries: the client's side of the OCI distribution specification.
//!
//! Nothing is believed that can be computed: digests and sizes are compared on everything that arrives, documents
//! have a limit, and credentials go only where they belong. Deliberately absent: the store (what arrives is handed
//! on as it comes), layers at foreign addresses (`urls` of a descriptor), and the manifests of 2015 (schema 1).
//! Reading order: `settings` and `endpoint` (which addresses a name has), `challenge` and `auth` (who we are there),
//! `client` (one request), then `manifest`, `blob`, `upload`, `search` (what is asked).

mod endpoint;
mod resolver;
mod settings;
mod tls;

mod auth;
mod challenge;

mod client;
mod error;

mod fetch;

mod blob;
mod download;
mod manifest;
mod search;
mod upload;

pub use auth::{Credentials, Login};
pub use blob::{BlobReader, Wanted};
pub use client::Repository;
pub use download::{DownloadReader, DownloadWriter, download, download_pipe};
pub use endpoint::{DEFAULT_REGISTRY, Endpoint, INDEX_SERVER, host_and_port};
pub use error::RegistryError;
pub use fetch::{FetchError, FetchPolicy, FetchedFile, fetch, fetch_as_caller};
pub use manifest::{DOCUMENT_LIMIT, FetchedManifest};
pub(crate) use resolver::Resolver;
pub use search::{SearchHit, search};
pub use settings::{BadNetwork, BadSetting, Network, Settings};
pub(crate) use tls::AnyCertificate;
pub use tls::{TlsError, authorities};
pub use upload::{Blob, Stored};
