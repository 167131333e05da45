//! The form in which an image travels: its layers packed with gzip, and a manifest that says so.

use std::fs::File;
use std::io::{Read, Write};

use crate::oci::{Digest, Hasher, LayerFormat, manifest_of};
use crate::store::{Background, Layer, Store, StoreError, TagsChange};

use super::gzip::Gzip;
use super::{AddError, Image, ImageError};

/// Packs the layers of an image that are kept plain, and lets the image's names mean that form from now on.
///
/// An image that was pulled has that form already and keeps its digest.
pub fn pack_for_transfer(store: &Store, image: &Image) -> Result<Image, AddError> {
    let layers = image.layers(store)?;
    let mut blobs = Vec::new();
    for (descriptor, layer) in image.manifest.layers().iter().zip(&layers) {
        let digest: Digest = descriptor
            .digest()
            .to_string()
            .parse()
            .map_err(ImageError::from)?;
        let kept = store.blobs_with(&digest).has(&digest);
        if kept && format_of(store, &digest)? != LayerFormat::Tar {
            blobs.push((format_of(store, &digest)?, descriptor.size(), digest));
        } else {
            blobs.push(packed(
                store,
                layer,
                if kept { &digest } else { &layer.record.blob },
            )?);
        }
    }
    let same = image.manifest.layers().iter().zip(&blobs);
    if same
        .clone()
        .all(|(descriptor, blob)| descriptor.digest().to_string() == blob.2.to_string())
    {
        return Ok(image.clone());
    }
    let config_size = store.blobs_with(&image.id).size(&image.id)?;
    let manifest = manifest_of((config_size, &image.id), &blobs);
    let manifest = store
        .blobs()
        .put(&serde_json::to_vec(&manifest).expect("manifests are plain data"))?;
    let _lock = store.lock()?;
    let names = store.tags().all()?;
    let changes = names
        .into_iter()
        .filter(|(_, known)| *known == image.manifest_digest)
        .map(|(name, _)| TagsChange::Set(name, manifest.clone()));
    store.tags().apply(changes)?;
    Ok(Image::load(store, &manifest)?)
}

/// The packed archive of a layer: the one that another image has already, or a new one.
fn packed(
    store: &Store,
    layer: &Layer,
    plain: &Digest,
) -> Result<(LayerFormat, u64, Digest), AddError> {
    let known = &layer.record.blob;
    if store.blobs_with(known).has(known) && format_of(store, known)? != LayerFormat::Tar {
        let size = store.blobs_with(known).size(known)?;
        return Ok((format_of(store, known)?, size, known.clone()));
    }
    let mut source = store.blobs_with(plain).open(plain)?;
    let path = store.blobs_with(plain).path(plain);
    let fail = |source| AddError::Store(StoreError::io("pack", &path, source));
    let out = Background::new(store.blobs().writer()?).map_err(fail)?;
    let mut out = Gzip::new(out).map_err(fail)?;
    let mut hasher = Background::new(Hasher::default()).map_err(fail)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = source.read(&mut buffer).map_err(fail)?;
        if count == 0 {
            break;
        }
        hasher.write_all(&buffer[..count]).map_err(fail)?;
        out.write_all(&buffer[..count]).map_err(fail)?;
    }
    let out = out.finish().map_err(fail)?.finish().map_err(fail)?;
    let actual = hasher.finish().map_err(fail)?.finish();
    if actual != *plain {
        return Err(StoreError::Mismatch {
            expected: plain.clone(),
            actual,
        }
        .into());
    }
    let (digest, size) = out.commit(None)?;
    store.layers().set_blob(&layer.chain, &digest)?;
    Ok((LayerFormat::Gzip, size, digest))
}

fn format_of(store: &Store, blob: &Digest) -> Result<LayerFormat, AddError> {
    let mut start = [0; 4];
    let mut file: File = store.blobs_with(blob).open(blob)?;
    let count = file.read(&mut start).map_err(AddError::Read)?;
    Ok(LayerFormat::detect(&start[..count]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{NewImage, Reference, add_image, add_layer, scratch_config};
    use crate::store::tests::Scratch;

    #[test]
    fn a_plain_layer_is_packed_once_for_all_images() {
        let scratch = Scratch::new();
        let store = Store::open(scratch.path()).unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(100_000);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, "zeros", &[0; 100_000][..])
            .unwrap();
        let archive = archive.into_inner().unwrap();
        let layer = add_layer(&store, None, archive.as_slice(), None).unwrap();
        let mut packed = Vec::new();
        for name in ["a:1", "b:1"] {
            let name = Reference::parse(name).unwrap();
            let new = NewImage {
                name: Some(&name),
                comment: name.path(),
                config: scratch_config(),
                ..NewImage::default()
            };
            add_image(&store, new, &[], Some(&layer)).unwrap();
            let image = Image::find(&store, &name.familiar()).unwrap();
            let image = pack_for_transfer(&store, &image).unwrap();
            assert_eq!(
                Image::find(&store, &name.familiar())
                    .unwrap()
                    .manifest_digest,
                image.manifest_digest
            );
            let layer = image.manifest.layers()[0].clone();
            assert_eq!(
                layer.media_type().to_string(),
                "application/vnd.oci.image.layer.v1.tar+gzip"
            );
            assert!(layer.size() < 10_000);
            assert_eq!(
                pack_for_transfer(&store, &image).unwrap().manifest_digest,
                image.manifest_digest
            );
            packed.push(layer.digest().to_string());
        }
        assert_eq!(packed[0], packed[1]);
    }
}
