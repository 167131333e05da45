//! An archive is looked through before anything of it is used.

use crate::oci::{Descriptor, Digest, Document, Index};

use super::contents::{Contents, blob_name};
use super::{ArchiveError, Artifact};

/// No artifact is larger.
const ARTIFACT_LIMIT: u64 = 256 << 20;

/// Reads a whole layout: every blob has the digest that its name says, and whatever its index names is there with the
/// size that is told. Gives the index and the artifacts.
pub(in crate::image) fn verify(files: &Contents) -> Result<(Index, Vec<Artifact>), ArchiveError> {
    if !files.has("index.json") {
        return Err(ArchiveError::NoIndex);
    }
    let index: Index = files.document("index.json")?;
    for name in files.names() {
        if let Some(digits) = name
            .strip_prefix("blobs/")
            .filter(|name| !name.ends_with('/'))
        {
            let digits = digits.strip_prefix("sha256/").unwrap_or(digits);
            files.verify(&Digest::from_hex(digits)?)?;
        }
    }
    let mut artifacts = Vec::new();
    for line in &index.manifests {
        expect_size(files, &line.digest, line.size)?;
        let bytes = files.verified(&line.digest)?;
        let document = Document::parse(&bytes, Some(&line.media_type));
        let document = document.map_err(|source| ArchiveError::Manifest {
            name: blob_name(&line.digest),
            source,
        })?;
        let Document::Manifest(manifest) = document else {
            continue;
        };
        for descriptor in std::iter::once(manifest.config()).chain(manifest.layers()) {
            described(files, descriptor)?;
        }
        if let (Some(kind), [layer]) = (&line.artifact_type, manifest.layers().as_slice()) {
            artifacts.push(Artifact {
                kind: kind.clone(),
                bytes: files.whole(&described(files, layer)?, ARTIFACT_LIMIT)?,
            });
        }
    }
    Ok((index, artifacts))
}

fn described(files: &Contents, descriptor: &Descriptor) -> Result<Digest, ArchiveError> {
    let digest: Digest = descriptor.digest().to_string().parse()?;
    expect_size(files, &digest, descriptor.size())?;
    Ok(digest)
}

fn expect_size(files: &Contents, digest: &Digest, told: u64) -> Result<(), ArchiveError> {
    let name = blob_name(digest);
    let actual = files.size(&name)?;
    if actual == told {
        return Ok(());
    }
    Err(ArchiveError::Size { name, told, actual })
}
