//! Which image was built on which: what the steps of builds tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::image::{Image, Reference};
use crate::oci::Digest;
use crate::store::StepRecord;

use super::{Daemon, DaemonError};

/// Whether a list shows images that only builds know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntermediateImages {
    /// It does (`images --all`).
    Shown,
    /// It does not.
    #[default]
    Hidden,
}

/// Parents and children.
#[derive(Debug, Default)]
pub(super) struct Family {
    parents: BTreeMap<Digest, Option<Digest>>,
    children: BTreeSet<Digest>,
    manifests: BTreeMap<Digest, Digest>,
}

impl Family {
    fn of(steps: Vec<StepRecord>) -> Self {
        let mut family = Self::default();
        for step in steps {
            // A step that changed nothing has its own image before it.
            if step.parent.as_ref() == Some(&step.image) {
                continue;
            }
            family.children.extend(step.parent.clone());
            family.manifests.insert(step.image.clone(), step.manifest);
            family.parents.insert(step.image, step.parent);
        }
        family
    }

    /// The image that this one was built on.
    pub(super) fn parent(&self, image: &Digest) -> Option<&Digest> {
        self.parents.get(image)?.as_ref()
    }

    /// Whether other images were built on this one.
    pub(super) fn has_children(&self, image: &Digest) -> bool {
        self.children.contains(image)
    }

    /// The image, its parent, and so on.
    pub(super) fn line(&self, image: &Digest) -> Vec<Digest> {
        let mut line = vec![image.clone()];
        while let Some(parent) = line.last().and_then(|last| self.parent(last))
            && !line.contains(parent)
        {
            line.push(parent.clone());
        }
        line
    }
}

impl Daemon {
    /// Which image was built on which.
    pub(super) fn family(&self) -> Result<Family, DaemonError> {
        Ok(Family::of(self.store.steps().all()?))
    }

    /// How many images there are, those between the steps of builds included.
    pub(super) fn count_images(&self) -> usize {
        let named = crate::image::images_of(&self.store).unwrap_or_default();
        let family = self.family().unwrap_or_default();
        named.len() + self.intermediate_images(&named, &family).len()
    }

    /// Images that only builds know, beside those that have names.
    pub(super) fn intermediate_images(
        &self,
        named: &[(Arc<Image>, Vec<Reference>)],
        family: &Family,
    ) -> Vec<(Arc<Image>, Vec<Reference>)> {
        let known: BTreeSet<&Digest> = named.iter().map(|(image, _)| &image.id).collect();
        family
            .manifests
            .iter()
            .filter(|(image, _)| !known.contains(image))
            // What was removed since is no image any more.
            .filter_map(|(_, manifest)| Image::shared(&self.store, manifest).ok())
            .map(|image| (image, Vec::new()))
            .collect()
    }

    /// Forgets the images without a name that an image was built on, as far as nothing else needs them.
    pub(super) fn forget_ancestors(&self, image: &Digest) -> Result<Vec<Digest>, DaemonError> {
        let line = self.family()?.line(image);
        let steps = self.store.steps();
        steps.retain(|step| step.image != *image)?;
        let mut gone = Vec::new();
        for parent in &line[1..] {
            let named = self.store.tags().all()?;
            let family = self.family()?;
            let manifest = family.manifests.get(parent);
            let has_name = named
                .iter()
                .any(|(name, known)| Some(known) == manifest && *name != parent.to_string());
            let used = self
                .all_containers()
                .iter()
                .any(|container| container.lock().record.image_id == *parent);
            // A base that was pulled or loaded is no intermediate image.
            if manifest.is_none() || has_name || used || family.has_children(parent) {
                break;
            }
            steps.retain(|step| step.image != *parent)?;
            if named.contains_key(&parent.to_string()) {
                let _lock = self.store.lock()?;
                let change = crate::store::TagsChange::Remove(parent.to_string());
                self.store.tags().apply([change])?;
            }
            gone.push(parent.clone());
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lead_down_to_the_base() {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let step = |image: &str, parent: &str| StepRecord {
            key: digest(&format!("{image}{parent}")),
            parent: Some(digest(parent)),
            image: digest(image),
            manifest: digest("m"),
            at: 0,
        };
        let family = Family::of(vec![step("b", "a"), step("a", "base"), step("a", "a")]);
        assert_eq!(
            family.line(&digest("b")),
            [digest("b"), digest("a"), digest("base")]
        );
        assert!(family.has_children(&digest("base")) && !family.has_children(&digest("b")));
    }
}
