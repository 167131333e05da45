//! Images leave: blobs once, then the two tables of contents.

use std::collections::BTreeSet;
use std::io::Write;

use tar::{Builder, Header};

use crate::image::{Image, Reference, pack_for_transfer};
use crate::oci::{Digest, HashingReader, OCI_INDEX, OCI_MANIFEST};
use crate::store::{Store, StoreError};

use super::contents::blob_name;
use super::{ArchiveError, Artifact, Entry};

/// The configuration of what has none.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Writes images (each with the names it is saved under) as one archive.
pub fn save(
    store: &Store,
    images: &[(Image, Vec<Reference>)],
    out: impl Write,
) -> Result<(), ArchiveError> {
    save_with(store, images, &[], Naming::Docker, out)
}

/// How the two tables of contents call the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Naming {
    /// As `docker save` does: the familiar name in one, the tag alone in the other.
    Docker,
    /// Whole in both: what chooses by `org.opencontainers.image.ref.name` finds each of many images that are `latest`,
    /// and what puts its own default before a short name keeps the registry.
    Whole,
}

impl Naming {
    fn repo_tag(self, name: &Reference) -> String {
        match self {
            Self::Docker => name.familiar(),
            Self::Whole => name.to_string(),
        }
    }

    fn ref_name(self, name: &Reference) -> String {
        match self {
            Self::Docker => name.tag().unwrap_or_default().to_owned(),
            Self::Whole => name.to_string(),
        }
    }
}

/// Writes images and what goes with them; readers that know only images pass over the rest.
pub(in crate::image) fn save_with(
    store: &Store,
    images: &[(Image, Vec<Reference>)],
    artifacts: &[Artifact],
    naming: Naming,
    out: impl Write,
) -> Result<(), ArchiveError> {
    let mut out = Builder::new(out);
    let (mut entries, mut manifests, mut written) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (image, names) in images {
        let image = &complete(store, image)?;
        let layers = blobs_of(image)?;
        for blob in layers.iter().chain([&image.id, &image.manifest_digest]) {
            if written.insert(blob.clone()) {
                append_blob(&mut out, store, blob)?;
            }
        }
        entries.push(Entry {
            config: blob_name(&image.id),
            repo_tags: (!names.is_empty())
                .then(|| names.iter().map(|name| naming.repo_tag(name)).collect()),
            layers: layers.iter().map(blob_name).collect(),
        });
        manifests.extend(lines(store, image, names, naming)?);
    }
    for artifact in artifacts {
        manifests.push(append_artifact(&mut out, artifact)?);
    }
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": manifests,
    });
    append(&mut out, "index.json", index.to_string().as_bytes())?;
    append(
        &mut out,
        "manifest.json",
        &serde_json::to_vec(&entries).expect("entries are plain data"),
    )?;
    append(
        &mut out,
        "oci-layout",
        br#"{"imageLayoutVersion": "1.0.0"}"#,
    )?;
    out.into_inner()
        .and_then(|mut out| out.flush())
        .map_err(ArchiveError::Write)
}

/// An image whose manifest names blobs that are here: one that was built on others' layers may have been packed anew.
fn complete(store: &Store, image: &Image) -> Result<Image, ArchiveError> {
    let here = blobs_of(image)?
        .iter()
        .all(|blob| store.blobs_with(blob).has(blob));
    if here {
        Ok(image.clone())
    } else {
        Ok(pack_for_transfer(store, image)?)
    }
}

fn blobs_of(image: &Image) -> Result<Vec<Digest>, ArchiveError> {
    let layers = image.manifest.layers().iter();
    layers
        .map(|layer| Ok(layer.digest().to_string().parse()?))
        .collect()
}

/// The lines of `index.json`: one for each name.
fn lines(
    store: &Store,
    image: &Image,
    names: &[Reference],
    naming: Naming,
) -> Result<Vec<serde_json::Value>, ArchiveError> {
    let media_type = image.manifest.media_type().as_ref();
    let plain = serde_json::json!({
        "mediaType": media_type.map_or_else(|| crate::oci::OCI_MANIFEST.to_owned(), ToString::to_string),
        "digest": image.manifest_digest,
        "size": store.blobs_with(&image.manifest_digest).size(&image.manifest_digest)?,
        "platform": { "architecture": image.config.architecture, "os": image.config.os },
    });
    if names.is_empty() {
        return Ok(vec![plain]);
    }
    let named = names.iter().map(|reference| {
        let mut line = plain.clone();
        line["annotations"] = serde_json::json!({
            "io.containerd.image.name": reference.to_string(),
            "org.opencontainers.image.ref.name": naming.ref_name(reference),
        });
        line
    });
    Ok(named.collect())
}

/// Writes an artifact's blobs (see "Guidelines for Artifact Usage" of the OCI image specification); gives its line of
/// the index.
fn append_artifact(
    out: &mut Builder<impl Write>,
    artifact: &Artifact,
) -> Result<serde_json::Value, ArchiveError> {
    let descriptor = |media_type: &str, bytes: &[u8]| {
        serde_json::json!({
            "mediaType": media_type,
            "digest": Digest::of(bytes),
            "size": bytes.len(),
        })
    };
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact.kind,
        "config": descriptor(EMPTY, b"{}"),
        "layers": [descriptor(&artifact.kind, &artifact.bytes)],
    });
    let manifest = manifest.to_string().into_bytes();
    for bytes in [b"{}", artifact.bytes.as_slice(), &manifest] {
        append(out, &blob_name(&Digest::of(bytes)), bytes)?;
    }
    let mut line = descriptor(OCI_MANIFEST, &manifest);
    line["artifactType"] = artifact.kind.as_str().into();
    Ok(line)
}

fn append_blob(
    out: &mut Builder<impl Write>,
    store: &Store,
    blob: &Digest,
) -> Result<(), ArchiveError> {
    let blobs = store.blobs_with(blob);
    let mut header = header(blobs.size(blob)?);
    let mut content = HashingReader::new(blobs.open(blob)?);
    out.append_data(&mut header, blob_name(blob), &mut content)
        .map_err(ArchiveError::Write)?;
    let actual = content.finish();
    if actual == *blob {
        return Ok(());
    }
    let expected = blob.clone();
    Err(StoreError::Mismatch { expected, actual }.into())
}

fn append(out: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    out.append_data(&mut header(bytes.len() as u64), name, bytes)
        .map_err(ArchiveError::Write)
}

pub(super) fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}
