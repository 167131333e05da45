//! New images in a store: from an archive of files, or from layers and a configuration.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;

use crate::oci::{Digest, History, ImageConfig, LayerFormat, RootFs, manifest_of};
use crate::store::{Background, BlobWriter, Layer, Store, StoreError, Stored, TagsChange};

use super::{BadChange, ImageError, Reference, apply_change};

/// An image that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The archive cannot be read.
    #[error("cannot read the archive: {0}")]
    Read(io::Error),
    /// A `--change` is wrong.
    #[error(transparent)]
    Change(#[from] BadChange),
    /// What it starts from cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A layer that has just been stored, with its packed form.
#[derive(Clone, Debug)]
pub struct AddedLayer {
    /// How the archive is packed.
    pub format: LayerFormat,
    /// Digest of the archive as it came; a layer that was known before may be stored in another packing.
    pub blob: Digest,
    /// Bytes of the archive.
    pub blob_size: u64,
    /// The unpacked layer.
    pub layer: Layer,
}

/// Stores an archive (plain, gzip or zstd) as a layer on `parent`: hashed, kept and unpacked in one pass.
///
/// With `expected`, an archive of another diff id is refused.
pub fn add_layer(
    store: &Store,
    parent: Option<&Digest>,
    archive: impl Read,
    expected: Option<&Digest>,
) -> Result<AddedLayer, AddError> {
    let expected = Expected {
        diff_id: expected,
        blob: None,
    };
    add_expected_layer(store, parent, archive, expected)
}

/// The digests that an archive must have; one that is not known is not compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Of the uncompressed archive.
    pub diff_id: Option<&'a Digest>,
    /// Of the archive as it comes.
    pub blob: Option<&'a Digest>,
}

/// As [`add_layer`], and refuses an archive whose packed form is another than `expected`.
pub fn add_expected_layer(
    store: &Store,
    parent: Option<&Digest>,
    archive: impl Read,
    expected: Expected<'_>,
) -> Result<AddedLayer, AddError> {
    let mut archive = BufReader::with_capacity(1 << 18, archive);
    let format = LayerFormat::detect(archive.fill_buf().map_err(AddError::Read)?);
    let tee = Tee(Rc::new(RefCell::new(Copying {
        from: archive,
        to: Some(Background::new(store.blobs().writer()?).map_err(AddError::Read)?),
        passed: 0,
    })));
    let plain: Box<dyn Read> = match format {
        LayerFormat::Tar => Box::new(tee.clone()),
        LayerFormat::Gzip => Box::new(Bounded::new(
            &tee,
            flate2::bufread::MultiGzDecoder::new(buffered(&tee)),
        )),
        LayerFormat::Zstd => {
            let plain = zstd::Decoder::with_buffer(buffered(&tee)).map_err(AddError::Read)?;
            Box::new(Bounded::new(&tee, plain))
        }
    };
    let form = match format {
        LayerFormat::Tar => Stored::Plain,
        LayerFormat::Gzip | LayerFormat::Zstd => Stored::Packed,
    };
    let wanted = match form {
        Stored::Plain => expected.blob.or(expected.diff_id),
        Stored::Packed => expected.blob,
    };
    let mut stored = None;
    let layer = store
        .layers()
        .add(parent, plain, form, expected.diff_id, || {
            let (digest, size) = tee.finish(wanted)?;
            stored = Some((digest.clone(), size));
            Ok(digest)
        })?;
    let (blob, blob_size) = stored.expect("adding a layer stores its archive");
    Ok(AddedLayer {
        format,
        blob,
        blob_size,
        layer,
    })
}

/// What a new image is made of, beside its layers.
#[derive(Clone, Debug, Default)]
pub struct NewImage<'a> {
    /// Its name; without one it is known by its id only.
    pub name: Option<&'a Reference>,
    /// Dockerfile instructions applied to the configuration.
    pub changes: &'a [String],
    /// A remark for its history.
    pub comment: &'a str,
    /// How its last layer was made.
    pub created_by: &'a str,
    /// What its configuration starts from.
    pub config: ImageConfig,
}

/// Now, or the date that `SOURCE_DATE_EPOCH` fixes: the same recipe then gives the same image id.
fn creation_date() -> jiff::Timestamp {
    std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds.parse().ok()?).ok())
        .unwrap_or_else(jiff::Timestamp::now)
}

/// Writes configuration, manifest and name of an image whose last layer is `top`; gives its id.
pub fn add_image(
    store: &Store,
    new: NewImage<'_>,
    below: &[AddedLayer],
    top: Option<&AddedLayer>,
) -> Result<Digest, AddError> {
    let mut config = new.config;
    let now = creation_date().to_string();
    for change in new.changes {
        apply_change(&mut config.config, change)?;
    }
    config.created = Some(now.clone());
    let layers: Vec<&AddedLayer> = below.iter().chain(top).collect();
    let diff_ids = layers
        .iter()
        .map(|layer| layer.layer.record.diff_id.clone())
        .collect();
    config.rootfs = RootFs {
        diff_ids,
        ..RootFs::default()
    };
    config.history.push(History {
        created: Some(now),
        created_by: new.created_by.to_owned(),
        comment: new.comment.to_owned(),
        empty_layer: top.is_none(),
        ..History::default()
    });
    let (document, id) = config.to_document();
    store.blobs().put(&document)?;
    let blobs: Vec<_> = layers
        .iter()
        .map(|layer| (layer.format, layer.blob_size, layer.blob.clone()))
        .collect();
    let manifest = manifest_of((document.len() as u64, &id), &blobs);
    let manifest = store
        .blobs()
        .put(&serde_json::to_vec(&manifest).expect("manifests are plain data"))?;
    name_image(store, new.name, &id, &manifest)?;
    Ok(id)
}

/// Lets a name mean this image. The image that loses the name stays, known by its id.
pub fn name_image(
    store: &Store,
    name: Option<&Reference>,
    id: &Digest,
    manifest: &Digest,
) -> Result<(), AddError> {
    let _lock = store.lock()?;
    let Some(name) = name else {
        let named = store.tags().all()?.values().any(|other| other == manifest);
        let change = (!named).then(|| TagsChange::Set(id.to_string(), manifest.clone()));
        return Ok(store.tags().apply(change)?);
    };
    let key = name.to_string();
    let mut changes = vec![TagsChange::Remove(id.to_string())];
    if let Some(old) = store.tags().get(&key)?
        && old != *manifest
        && store
            .tags()
            .all()?
            .iter()
            .filter(|(_, value)| **value == old)
            .count()
            == 1
    {
        match super::Image::load(store, &old) {
            Ok(image) => changes.push(TagsChange::Set(image.id.to_string(), old)),
            // What the catalogue has lost cannot be kept.
            Err(ImageError::Store(StoreError::NoBlob { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    changes.push(TagsChange::Set(key, manifest.clone()));
    Ok(store.tags().apply(changes)?)
}

/// The configuration every image without a parent starts from.
pub fn scratch_config() -> ImageConfig {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ImageConfig {
        architecture: architecture.to_owned(),
        os: "linux".to_owned(),
        ..ImageConfig::default()
    }
}

/// Reads an archive and writes what passes into a blob.
struct Tee<R>(Rc<RefCell<Copying<R>>>);

struct Copying<R> {
    from: R,
    to: Option<Background<BlobWriter>>,
    passed: u64,
}

fn buffered<R: Read>(tee: &Tee<R>) -> BufReader<Tee<R>> {
    BufReader::with_capacity(1 << 16, tee.clone())
}

/// A layer may always become this large, however small its archive is.
const FREE_BYTES: u64 = 1 << 30;
/// Beyond that, this many bytes for each one of the archive: real layers stay below twenty.
const MOST_RATIO: u64 = 100;

/// An archive that unpacks to absurdly much.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive is a decompression bomb: {packed} bytes of it became more than {plain}, and no layer may grow more than \
     {MOST_RATIO}-fold beyond {FREE_BYTES} bytes"
)]
struct Bomb {
    packed: u64,
    plain: u64,
}

/// The plain form of an archive, which must stay in proportion to what has been read of it.
struct Bounded<P, R> {
    plain: P,
    count: u64,
    free: u64,
    tee: Tee<R>,
}

impl<P, R> Bounded<P, R> {
    fn new(tee: &Tee<R>, plain: P) -> Self {
        Self {
            plain,
            count: 0,
            free: FREE_BYTES,
            tee: tee.clone(),
        }
    }
}

impl<P: Read, R> Read for Bounded<P, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        self.count += count as u64;
        let packed = self.tee.0.borrow().passed;
        if self.count > self.free + packed.saturating_mul(MOST_RATIO) {
            let plain = self.count;
            return Err(io::Error::other(Bomb { packed, plain }));
        }
        Ok(count)
    }
}

impl<R> Clone for Tee<R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<R: Read> Tee<R> {
    /// Reads what is left of the archive and gives the blob its name.
    fn finish(&self, expected: Option<&Digest>) -> Result<(Digest, u64), StoreError> {
        let read = |source| StoreError::io("read", Path::new("the archive"), source);
        io::copy(&mut self.clone(), &mut io::sink()).map_err(read)?;
        let writer = self.0.borrow_mut().to.take().expect("finished once");
        let writer = writer
            .finish()
            .map_err(|source| StoreError::io("write", Path::new("the archive"), source))?;
        writer.commit(expected)
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut copying = self.0.borrow_mut();
        let count = copying.from.read(buffer)?;
        copying.passed += count as u64;
        if let Some(to) = &mut copying.to {
            to.write_all(&buffer[..count])?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_becomes_absurdly_much_is_refused() {
        let tee = Tee(Rc::new(RefCell::new(Copying {
            from: io::repeat(7),
            to: None,
            passed: 1000,
        })));
        let mut bounded = Bounded::new(&tee, io::repeat(0));
        bounded.free = 5_000;
        let mut out = Vec::new();
        let error = io::copy(&mut bounded, &mut out).unwrap_err();
        assert!(error.to_string().contains("decompression bomb"), "{error}");
        let most = 5_000 + 1000 * MOST_RATIO;
        assert!(out.len() as u64 <= most && most - (out.len() as u64) < 64 << 10);
    }
}
