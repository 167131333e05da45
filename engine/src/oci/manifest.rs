//! The manifest: which blobs an image is made of.

use oci_spec::image::{Descriptor, ImageManifest, ImageManifestBuilder, MediaType};

use super::Digest;

/// How a layer archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerFormat {
    /// A plain tar archive.
    Tar,
    /// gzip(1).
    Gzip,
    /// zstd(1).
    Zstd,
}

impl LayerFormat {
    /// Recognises the format by its first bytes.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Tar,
        }
    }

    /// The media type of such a layer.
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Tar => MediaType::ImageLayer,
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
        }
    }
}

/// The manifest of an image with this configuration and these layers (format, size, digest; lowest first).
pub fn manifest_of(config: (u64, &Digest), layers: &[(LayerFormat, u64, Digest)]) -> ImageManifest {
    let descriptor = |media_type, size, digest: &Digest| {
        let digest: oci_spec::image::Digest = digest
            .to_string()
            .parse()
            .expect("our digests are well formed");
        Descriptor::new(media_type, size, digest)
    };
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|(format, size, digest)| descriptor(format.media_type(), *size, digest))
        .collect();
    ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, config.0, config.1))
        .layers(layers)
        .build()
        .expect("every required field is set")
}
