//! Facts of the engine and of its images.

use super::path::{Step, Unknown};
use super::process::{last, words};

words! {
    /// A fact of the engine.
    EngineFact {
        /// How many containers exist.
        Containers "containers" Int,
        /// Tags.
        Images "images" List,
    }
}

words! {
    /// A fact of an image.
    ImageFact {
        /// Its id.
        Id "id" Text,
        /// How many times it was pulled.
        Pulls "pulls" Int,
    }
}

impl EngineFact {
    /// Reads the steps behind `engine`.
    pub fn parse(steps: &[Step<'_>]) -> Result<Self, Unknown> {
        last(steps, Self::from_word, Self::WORDS)
    }
}

impl ImageFact {
    /// Reads the steps behind `images[…]`.
    pub fn parse(steps: &[Step<'_>]) -> Result<Self, Unknown> {
        match steps {
            [] => Ok(Self::Id),
            rest => last(rest, Self::from_word, Self::WORDS),
        }
    }
}
