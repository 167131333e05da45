//! One repository: which blobs and manifests it has, what its tags mean, and who refers to whom.
//!
//! `_blobs/HEX` is an empty file, `_manifests/HEX` says the media type, `_tags/TAG` the digest, and
//! `_referrers/HEX/HEX` (subject, manifest) the line of the answer. Folders cannot be taken for repositories, whose
//! names never begin with `_`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::oci::Digest;
use crate::store::{Blobs, StoreError, write_atomically};

use super::storage::list;

/// A folder of small files.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    dir: PathBuf,
}

/// The fields of a manifest or index that say what it needs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Needs {
    pub(super) media_type: Option<String>,
    pub(super) artifact_type: Option<String>,
    pub(super) config: Option<Needed>,
    pub(super) layers: Vec<Needed>,
    pub(super) manifests: Vec<Needed>,
    pub(super) subject: Option<Needed>,
    pub(super) annotations: Option<Value>,
}

/// A descriptor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Needed {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    #[serde(default)]
    pub(super) size: u64,
}

impl Repository {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Whether it was ever written.
    pub(super) fn exists(&self) -> bool {
        self.dir.join("_manifests").is_dir()
    }

    /// Whether it has a blob.
    pub(super) fn has_blob(&self, digest: &Digest) -> bool {
        self.dir.join("_blobs").join(digest.hex()).is_file() || self.has_manifest(digest)
    }

    /// Gives it a blob that the store has.
    pub(super) fn link_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        self.write("_blobs", digest.hex(), b"")
    }

    /// Takes a blob away; tells whether it was there.
    pub(super) fn unlink_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.remove("_blobs", digest.hex())
    }

    fn has_manifest(&self, digest: &Digest) -> bool {
        self.dir.join("_manifests").join(digest.hex()).is_file()
    }

    /// The media type of a manifest it has.
    pub(super) fn manifest_type(&self, digest: &Digest) -> Result<Option<String>, StoreError> {
        self.read("_manifests", digest.hex())
    }

    /// Gives it a manifest that the store has.
    pub(super) fn link_manifest(
        &self,
        digest: &Digest,
        media_type: &str,
    ) -> Result<(), StoreError> {
        self.write("_manifests", digest.hex(), media_type.as_bytes())
    }

    /// Takes a manifest away, with the tags that mean it and what it refers to; tells whether it was there.
    pub(super) fn unlink_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        for tag in self.tags()? {
            if self.tag(&tag)?.as_ref() == Some(digest) {
                self.remove("_tags", &tag)?;
            }
        }
        for subject in list(&self.dir.join("_referrers"))? {
            self.remove(&format!("_referrers/{subject}"), digest.hex())?;
        }
        self.remove("_manifests", digest.hex())
    }

    /// All tags, in order.
    pub(super) fn tags(&self) -> Result<Vec<String>, StoreError> {
        let mut tags = list(&self.dir.join("_tags"))?;
        tags.sort();
        Ok(tags)
    }

    /// What a tag means.
    pub(super) fn tag(&self, tag: &str) -> Result<Option<Digest>, StoreError> {
        let text = self.read("_tags", tag)?;
        Ok(text.map(|text| text.parse()).transpose()?)
    }

    /// Lets a tag mean a manifest.
    pub(super) fn set_tag(&self, tag: &str, digest: &Digest) -> Result<(), StoreError> {
        self.write("_tags", tag, digest.to_string().as_bytes())
    }

    /// Forgets a tag; tells whether it was there.
    pub(super) fn remove_tag(&self, tag: &str) -> Result<bool, StoreError> {
        self.remove("_tags", tag)
    }

    /// Notes that a manifest is about another.
    pub(super) fn refer(
        &self,
        subject: &Digest,
        digest: &Digest,
        line: &Value,
    ) -> Result<(), StoreError> {
        let folder = format!("_referrers/{}", subject.hex());
        self.write(&folder, digest.hex(), line.to_string().as_bytes())
    }

    /// What is about a manifest.
    pub(super) fn referrers(&self, subject: &Digest) -> Result<Vec<Value>, StoreError> {
        let folder = format!("_referrers/{}", subject.hex());
        let mut names = list(&self.dir.join(&folder))?;
        names.sort();
        let mut lines = Vec::new();
        for name in names {
            let text = self.read(&folder, &name)?.unwrap_or_default();
            lines.extend(serde_json::from_str::<Value>(&text).ok());
        }
        Ok(lines)
    }

    /// Takes away blobs that none of its manifests needs; gives what is left.
    pub(super) fn sweep(&self, blobs: &Blobs) -> Result<BTreeSet<Digest>, StoreError> {
        let mut used = BTreeSet::new();
        for name in list(&self.dir.join("_manifests"))? {
            let digest = Digest::from_hex(&name)?;
            // A manifest whose content is lost leads nowhere.
            let Ok(bytes) = blobs.document(&digest) else {
                self.unlink_manifest(&digest)?;
                continue;
            };
            let needs: Needs = serde_json::from_slice(&bytes).unwrap_or_default();
            let needed = needs
                .config
                .into_iter()
                .chain(needs.layers)
                .chain(needs.manifests);
            used.extend(needed.map(|needed| needed.digest));
            used.insert(digest);
        }
        for name in list(&self.dir.join("_blobs"))? {
            let digest = Digest::from_hex(&name)?;
            if !used.contains(&digest) {
                self.unlink_blob(&digest)?;
            }
        }
        Ok(used)
    }

    /// Everything it has.
    pub(super) fn linked(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut all = BTreeSet::new();
        for folder in ["_manifests", "_blobs"] {
            for name in list(&self.dir.join(folder))? {
                all.insert(Digest::from_hex(&name)?);
            }
        }
        Ok(all)
    }

    fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let dir = self.dir.join(folder);
        fs::create_dir_all(&dir).map_err(|source| StoreError::io("make", &dir, source))?;
        write_atomically(&dir.join(name), bytes)
    }

    fn read(&self, folder: &str, name: &str) -> Result<Option<String>, StoreError> {
        let path = self.dir.join(folder).join(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::io("read", &path, source)),
            Ok(text) => Ok(Some(text)),
        }
    }

    fn remove(&self, folder: &str, name: &str) -> Result<bool, StoreError> {
        let path = self.dir.join(folder).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::io("remove", &path, source)),
            Ok(()) => Ok(true),
        }
    }
}
