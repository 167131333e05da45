//! A directory that steps wrote becomes a layer, hashed and archived in one pass.

use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use kernel::tree::Tree;

use crate::image::AddedLayer;
use crate::oci::{Digest, LayerFormat};
use crate::runtime::mounts::mount_root;
use crate::runtime::request::{Access, Keeping, Root, Writable};
use crate::store::{Batch, LayerRecord, NewBlob, NewLayer, Packed, pack};

use super::BuildError;
use super::state::State;

/// Begins a layer on a state; its top directory looks like the one below.
pub(super) fn begin(batch: &Batch<'_>, state: &State) -> Result<NewLayer, BuildError> {
    let layer = batch.layer()?;
    let tree = layer.tree();
    let fail = || BuildError::io("prepare", &tree);
    let (mut uid, mut gid, mut mode) = (0, 0, 0o755);
    if let Some(top) = state.layers.last() {
        let metadata = std::fs::metadata(&top.layer.tree).map_err(fail())?;
        (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    }
    chown(&tree, Some(uid), Some(gid)).map_err(fail())?;
    std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(mode)).map_err(fail())?;
    Ok(layer)
}

/// The root that a new layer gives together with those below; nothing is mounted anywhere.
pub(super) fn open(state: &State, layer: &NewLayer) -> Result<Tree, BuildError> {
    let lower = state.lowers();
    if lower.is_empty() {
        return Ok(Tree::open(&layer.tree())?);
    }
    let writable = Some(Writable {
        upper: layer.tree(),
        work: layer.work(),
        // The layer is made durable with all others, at the end of the build.
        keeping: Keeping::UntilReboot,
    });
    Ok(Tree::at(mount_root(&Root {
        lower,
        writable,
        access: Access::ReadWrite,
    })?))
}

/// The root of a state, for reading.
pub(super) fn open_to_read(state: &State, empty: &Path) -> Result<Tree, BuildError> {
    match state.lowers() {
        lower if lower.is_empty() => Ok(Tree::open(empty)?),
        lower => Ok(Tree::at(mount_root(&Root {
            lower,
            writable: None,
            access: Access::ReadOnly,
        })?)),
    }
}

/// Ends a layer; one without any file is none.
pub(super) fn finish(
    batch: &Batch<'_>,
    layer: NewLayer,
    parent: Option<&Digest>,
    epoch: Option<i64>,
) -> Result<Option<AddedLayer>, BuildError> {
    let tree = layer.tree();
    let mut names = std::fs::read_dir(&tree).map_err(BuildError::io("list", &tree))?;
    if names.next().is_none() {
        batch.discard(layer)?;
        return Ok(None);
    }
    if let Some(epoch) = epoch {
        clamp(&tree, epoch)?;
    }
    let dir = std::fs::File::open(&tree).map_err(BuildError::io("open", &tree))?;
    let blob = Ahead {
        blob: batch.blob()?,
        batch,
        left: Some(AHEAD),
    };
    let mut blob = BufWriter::with_capacity(1 << 20, blob);
    let size = pack(dir.as_fd(), Packed::Layer, &mut blob)?;
    blob.flush().map_err(BuildError::io("write", &tree))?;
    let blob = blob
        .into_inner()
        .map_err(|error| BuildError::io("write", &tree)(error.into_error()))?;
    let (digest, blob_size) = batch.finish_blob(blob.blob)?;
    let record = LayerRecord {
        // The archive is not compressed, so both digests are one.
        diff_id: digest.clone(),
        parent: parent.cloned(),
        blob: digest.clone(),
        size,
    };
    let layer = batch.finish_layer(layer, record)?;
    Ok(Some(AddedLayer {
        format: LayerFormat::Tar,
        blob: digest,
        blob_size,
        layer,
    }))
}

/// Bytes of an archive after which the disk may begin: small layers are written all together at the end.
const AHEAD: usize = 4 << 20;

/// An archive that is so long that the disk begins with the layer's files before its end.
struct Ahead<'a, 's> {
    blob: NewBlob,
    batch: &'a Batch<'s>,
    /// Bytes to go until then.
    left: Option<usize>,
}

impl Write for Ahead<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.blob.write(bytes)?;
        if let Some(left) = self.left {
            self.left = left.checked_sub(count);
            if self.left.is_none() {
                self.batch.sync_ahead().map_err(std::io::Error::other)?;
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.blob.flush()
    }
}

/// No file is younger than `SOURCE_DATE_EPOCH`.
fn clamp(dir: &Path, epoch: i64) -> Result<(), BuildError> {
    let open = std::fs::File::open(dir).map_err(BuildError::io("open", dir))?;
    for entry in std::fs::read_dir(dir).map_err(BuildError::io("list", dir))? {
        let entry = entry.map_err(BuildError::io("list", dir))?;
        let metadata = entry.metadata().map_err(BuildError::io("look at", dir))?;
        if metadata.is_dir() {
            clamp(&entry.path(), epoch)?;
        }
        if metadata.mtime() > epoch {
            let time = kernel::tree::Mtime {
                seconds: epoch,
                nanoseconds: 0,
            };
            kernel::tree::set_mtime(open.as_fd(), &entry.file_name(), time)?;
        }
    }
    Ok(())
}
