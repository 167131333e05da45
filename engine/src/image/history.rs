//! How an image came to be, step by step, with what each step weighs.

use crate::oci::{Digest, History};
use crate::store::Store;

use super::{Image, ImageError};

/// The steps of an image, the newest first, each with the bytes it added and its chain id if it made a layer.
pub fn history(
    store: &Store,
    image: &Image,
) -> Result<Vec<(History, u64, Option<Digest>)>, ImageError> {
    let mut layers = image.layers(store)?.into_iter();
    let mut steps = Vec::new();
    for step in &image.config.history {
        let layer = if step.empty_layer {
            None
        } else {
            layers.next()
        };
        let size = layer.as_ref().map_or(0, |layer| layer.record.size);
        steps.push((step.clone(), size, layer.map(|layer| layer.chain)));
    }
    // Layers that no step explains still weigh something.
    steps.extend(layers.map(|layer| (History::default(), layer.record.size, Some(layer.chain))));
    steps.reverse();
    Ok(steps)
}
