//! The caches of builds: those of others, and ours for others.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::build::{BlobSource, BuildError, CacheExport, CacheScope, Context, ImportedCache};
use crate::image::{Reference, Selector};
use crate::oci::{Digest, Document, OCI_MANIFEST};
use crate::registry::{Blob, BlobReader, Credentials, Endpoint, Repository, Wanted};

use super::build::{BuildOptions, FOLDERS};
use super::build_run::credentials_for;
use super::{Daemon, DaemonError};

/// A place in a registry where a build's cache goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheTarget {
    /// Under which name.
    pub name: Reference,
    /// What of it.
    pub scope: CacheScope,
}

impl CacheTarget {
    /// Reads `min:NAME` or `max:NAME`.
    pub fn parse(text: &str) -> Result<Self, DaemonError> {
        let (scope, name) = match text.split_once(':') {
            Some(("max", name)) => (CacheScope::All, name),
            Some(("min", name)) => (CacheScope::Result, name),
            _ => (CacheScope::Result, text),
        };
        let name = Reference::parse(name)?;
        Ok(Self { name, scope })
    }
}

impl Daemon {
    /// What `--cache-from` names: images as they are, and imported steps. A cache that is not there is none.
    pub(super) fn caches(
        self: &Arc<Self>,
        options: &BuildOptions,
        sent: &mut Context,
        scratch: &Path,
    ) -> Result<(Vec<String>, Vec<ImportedCache>), DaemonError> {
        let (mut images, mut imported) = (Vec::new(), Vec::new());
        for source in &options.cache_from {
            if let Some(folder) = source.strip_prefix("folder:") {
                let files = sent.take(&format!("{FOLDERS}/{folder}"))?;
                imported.extend(ImportedCache::of_layout(files)?);
            } else if let Some(name) = source.strip_prefix("registry:") {
                match self.remote_cache(name, options, scratch) {
                    Ok(Some(cache)) => imported.push(cache),
                    Ok(None) => images.push(name.to_owned()),
                    Err(error) => tracing::warn!("the cache {name} is not used: {error}"),
                }
            } else {
                images.push(source.clone());
            }
        }
        Ok((images, imported))
    }

    fn remote_cache(
        self: &Arc<Self>,
        name: &str,
        options: &BuildOptions,
        scratch: &Path,
    ) -> Result<Option<ImportedCache>, DaemonError> {
        let name = Reference::parse(name)?;
        let place = Place {
            daemon: Arc::clone(self),
            credentials: credentials_for(options, &name),
            handle: Handle::current(),
            scratch: scratch.to_owned(),
            name: name.clone(),
        };
        let bytes = place.block(move |repository| async move {
            let manifest = match name.selector() {
                Selector::Tag(tag) => repository.manifest_of_tag(tag).await?,
                Selector::Digest(digest) => repository.manifest_of(digest).await?,
            };
            Ok(match manifest.document {
                Document::Manifest(_) => Some(manifest.bytes),
                Document::Index(_) => None,
            })
        })?;
        match bytes {
            Some(bytes) => Ok(ImportedCache::read(&bytes, Box::new(place))?),
            None => Ok(None),
        }
    }

    /// Pushes the steps of a build.
    pub(super) fn export_cache(
        self: &Arc<Self>,
        target: &CacheTarget,
        image: &Digest,
        keys: &[Digest],
        options: &BuildOptions,
        handle: &Handle,
    ) -> Result<(), DaemonError> {
        let export = CacheExport::of(&self.store, image, keys, target.scope)?;
        let scratch = self.config.data_root.join("builds");
        let place = Place {
            daemon: Arc::clone(self),
            credentials: credentials_for(options, &target.name),
            handle: handle.clone(),
            scratch,
            name: target.name.clone(),
        };
        let tag = target.name.tag().unwrap_or("latest").to_owned();
        let config = Digest::of(&export.config);
        let path = place.scratch.join(format!("cache-{}", config.hex()));
        std::fs::write(&path, &export.config)
            .map_err(DaemonError::io(format!("write {}", path.display())))?;
        let list = path.clone();
        let pushed = place.block(move |repository| async move {
            for blob in &export.blobs {
                let blob = Blob {
                    digest: blob.digest.clone(),
                    size: blob.size,
                    path: blob.path.clone(),
                };
                repository.store_blob(&blob, &[], |_| ()).await?;
            }
            let list = Blob {
                digest: config,
                size: export.config.len() as u64,
                path: list,
            };
            repository.store_blob(&list, &[], |_| ()).await?;
            repository
                .put_manifest(&tag, OCI_MANIFEST, export.manifest)
                .await?;
            Ok(())
        });
        let _ = std::fs::remove_file(&path);
        pushed
    }

    /// Collects the steps of a build for a client that keeps them itself.
    pub async fn cache_of(
        self: &Arc<Self>,
        image: Digest,
        keys: Vec<Digest>,
        scope: CacheScope,
    ) -> Result<CacheExport, DaemonError> {
        self.block(move |daemon| Ok(CacheExport::of(&daemon.store, &image, &keys, scope)?))
            .await
    }
}

/// A repository that a blocking thread speaks to.
struct Place {
    daemon: Arc<Daemon>,
    name: Reference,
    credentials: Credentials,
    handle: Handle,
    scratch: PathBuf,
}

impl Place {
    /// Runs work on the repository in the network of the stage.
    fn block<T, F, W>(&self, work: W) -> Result<T, DaemonError>
    where
        T: Send + 'static,
        F: std::future::Future<Output = Result<T, DaemonError>> + Send,
        W: FnOnce(Repository) -> F + Send + 'static,
    {
        let (name, credentials) = (self.name.clone(), self.credentials.clone());
        let reach = self.daemon.reach(move |_, settings| async move {
            let endpoint = Endpoint::reach(&settings, name.domain()).await?;
            work(Repository::to_push(endpoint, name.path(), credentials, &[])).await
        });
        self.handle.block_on(reach)
    }
}

impl BlobSource for Place {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + '_>, BuildError> {
        let path = self.scratch.join(format!("cache-{}", digest.hex()));
        let wanted = Wanted {
            digest: digest.clone(),
            size,
        };
        let into = path.clone();
        let fetched = self.block(move |repository| async move {
            let (give, mut reader) = BlobReader::new(wanted.size);
            let write = tokio::task::spawn_blocking(move || {
                let mut file = std::fs::File::create(&into)?;
                std::io::copy(&mut reader, &mut file)
            });
            let (fetched, written) =
                tokio::join!(repository.fetch_blob(&wanted, give, |_| ()), write);
            written
                .map_err(|error| DaemonError::Panic(error.to_string()))?
                .map_err(DaemonError::io("write a blob of a cache"))?;
            Ok(fetched?)
        });
        fetched.map_err(|error| BuildError::Host(error.to_string()))?;
        let file = std::fs::File::open(&path).map_err(BuildError::Context)?;
        // It goes with its last reader.
        let _ = std::fs::remove_file(&path);
        Ok(Box::new(file))
    }
}
