//! `rmi` and image prune: names first, then what no name holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::types::{ImageDeleted, PruneReport};
use crate::image::{Image, Reference, images_of};
use crate::oci::Digest;
use crate::store::TagsChange;

use super::{Daemon, DaemonError, Filters};

/// Whether an image in use loses its name anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It does, unless a container runs on it.
    Yes,
    /// It does not.
    No,
}

impl Daemon {
    /// Removes a name, or an image with all its names.
    pub async fn remove_image(
        self: &Arc<Self>,
        text: &str,
        force: Force,
    ) -> Result<Vec<ImageDeleted>, DaemonError> {
        let text = text.to_owned();
        let _naming = self.naming.lock().await;
        self.block(move |daemon| daemon.remove_image_now(&text, force))
            .await
    }

    fn remove_image_now(&self, text: &str, force: Force) -> Result<Vec<ImageDeleted>, DaemonError> {
        let image = Image::find(&self.store, text)?;
        let tags = self.store.tags().all()?;
        let keys: Vec<String> = tags
            .iter()
            .filter(|(_, manifest)| **manifest == image.manifest_digest)
            .map(|(key, _)| key.clone())
            .collect();
        let names: Vec<Reference> = keys
            .iter()
            .filter_map(|key| Reference::parse(key).ok())
            .collect();
        let tagged: Vec<&Reference> = names.iter().filter(|name| name.tag().is_some()).collect();
        let asked = Reference::parse(text)
            .ok()
            .filter(|reference| keys.contains(&reference.to_string()));
        if let Some(asked) = &asked
            && asked.tag().is_some()
            && tagged.len() > 1
        {
            return self.untag(&image, asked, &names);
        }
        if asked.is_none() {
            let repositories: BTreeSet<_> =
                tagged.iter().map(|name| name.familiar_name()).collect();
            if repositories.len() > 1 && force == Force::No {
                let text = format!(
                    "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
                    image.id.short()
                );
                return Err(DaemonError::Conflict(text));
            }
        }
        self.refuse_if_used(&image, asked.as_ref(), force)?;
        if self.family()?.has_children(&image.id) {
            if asked.is_none() {
                return Err(DaemonError::Conflict(format!(
                    "conflict: unable to delete {} (cannot be forced) - image has dependent child images",
                    image.id.short()
                )));
            }
            return self.unname(&image, &keys, &names);
        }
        self.delete(&image, &keys, &names)
    }

    /// Takes one of several names away.
    fn untag(
        &self,
        image: &Image,
        name: &Reference,
        names: &[Reference],
    ) -> Result<Vec<ImageDeleted>, DaemonError> {
        let same = |other: &&Reference| other.familiar_name() == name.familiar_name();
        // The last tag of a repository takes the repository's digest name with it.
        let last = names
            .iter()
            .filter(same)
            .filter(|other| other.tag().is_some())
            .count()
            == 1;
        let gone: Vec<&Reference> = names
            .iter()
            .filter(|other| *other == name || (last && same(other)))
            .collect();
        {
            let _lock = self.store.lock()?;
            self.store
                .tags()
                .apply(gone.iter().map(|name| TagsChange::Remove(name.to_string())))?;
        }
        self.tell_image("untag", &image.id, &image.id.to_string(), image);
        Ok(gone.iter().map(|name| untagged(name)).collect())
    }

    /// Takes all names away: others were built on the image, so it stays.
    fn unname(
        &self,
        image: &Image,
        keys: &[String],
        names: &[Reference],
    ) -> Result<Vec<ImageDeleted>, DaemonError> {
        let mut changes: Vec<_> = keys.iter().cloned().map(TagsChange::Remove).collect();
        let kept = (image.id.to_string(), image.manifest_digest.clone());
        changes.push(TagsChange::Set(kept.0, kept.1));
        {
            let _lock = self.store.lock()?;
            self.store.tags().apply(changes)?;
        }
        self.tell_image("untag", &image.id, &image.id.to_string(), image);
        Ok(names.iter().map(untagged).collect())
    }

    fn refuse_if_used(
        &self,
        image: &Image,
        asked: Option<&Reference>,
        force: Force,
    ) -> Result<(), DaemonError> {
        for container in self.all_containers() {
            let record = container.record();
            if record.image_id != image.id {
                continue;
            }
            let (container, short) = (&record.id[..12], image.id.short());
            if record.state.process().is_some() && (asked.is_none() || force == Force::No) {
                return Err(DaemonError::Conflict(match asked {
                    Some(name) => format!(
                        "conflict: unable to remove repository reference \"{}\" (must force) - container {container} \
                         is using its referenced image {short}",
                        name.familiar()
                    ),
                    None => format!(
                        "conflict: unable to delete {short} (cannot be forced) - image is being used by running \
                         container {container}"
                    ),
                }));
            }
            if force == Force::No {
                return Err(DaemonError::Conflict(match asked {
                    Some(name) => format!(
                        "conflict: unable to remove repository reference \"{}\" (must force) - container {container} \
                         is using its referenced image {short}",
                        name.familiar()
                    ),
                    None => format!(
                        "conflict: unable to delete {short} (must be forced) - image is being used by stopped \
                         container {container}"
                    ),
                }));
            }
        }
        Ok(())
    }

    fn delete(
        &self,
        image: &Image,
        keys: &[String],
        names: &[Reference],
    ) -> Result<Vec<ImageDeleted>, DaemonError> {
        let used = self
            .all_containers()
            .iter()
            .any(|container| container.lock().record.image_id == image.id);
        {
            let _lock = self.store.lock()?;
            let mut changes: Vec<_> = keys.iter().cloned().map(TagsChange::Remove).collect();
            // A container still needs the image's description: it stays, without a name.
            if used {
                changes.push(TagsChange::Set(
                    image.id.to_string(),
                    image.manifest_digest.clone(),
                ));
            }
            self.store.tags().apply(changes)?;
        }
        let mut report: Vec<_> = names.iter().map(untagged).collect();
        if !names.is_empty() {
            self.tell_image("untag", &image.id, &image.id.to_string(), image);
        }
        if !used {
            let before = self.chains_in_use()?;
            let ancestors = self.forget_ancestors(&image.id)?;
            self.store.collect_garbage(&self.container_layers())?;
            report.push(deleted(&image.id));
            let gone = image
                .chains()
                .into_iter()
                .rev()
                .filter(|chain| !before.contains(chain));
            report.extend(gone.map(|chain| deleted(&chain)));
            report.extend(ancestors.iter().map(deleted));
            self.tell_image("delete", &image.id, &image.id.to_string(), image);
        }
        Ok(report)
    }

    /// Chain ids that containers stand on.
    pub(crate) fn container_layers(&self) -> BTreeSet<Digest> {
        self.all_containers()
            .iter()
            .flat_map(|container| container.lock().record.layers.clone())
            .collect()
    }

    fn chains_in_use(&self) -> Result<BTreeSet<Digest>, DaemonError> {
        let mut chains = self.container_layers();
        chains.extend(
            images_of(&self.store)?
                .iter()
                .flat_map(|(image, _)| image.chains()),
        );
        Ok(chains)
    }

    /// Removes images without a name, or all that no container uses.
    pub async fn prune_images(
        self: &Arc<Self>,
        filters: Filters,
    ) -> Result<PruneReport, DaemonError> {
        let only_dangling = filters.flag("dangling")?.unwrap_or(true);
        let until = super::system::until(&filters)?;
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let (mut all, mut bytes) = (Vec::new(), 0);
            for (image, names) in images_of(&daemon.store)? {
                let tagged = names.iter().any(|name| name.tag().is_some());
                let used = daemon
                    .all_containers()
                    .iter()
                    .any(|container| container.lock().record.image_id == image.id);
                let made = image
                    .config
                    .created
                    .as_deref()
                    .and_then(|text| text.parse::<jiff::Timestamp>().ok());
                // Others were built on it.
                if daemon.family()?.has_children(&image.id) {
                    continue;
                }
                let young = until.is_some_and(|until| made.is_none_or(|made| made >= until));
                let labels = image.config.config.labels.clone().unwrap_or_default();
                if used || young || (only_dangling && tagged) || !filters.labels(&labels) {
                    continue;
                }
                let own: u64 = image
                    .chains()
                    .iter()
                    .filter_map(|chain| daemon.store.layers().get(chain).ok())
                    .map(|layer| layer.record.size)
                    .sum();
                let keys = daemon.store.tags().all()?;
                let keys: Vec<_> = keys
                    .into_iter()
                    .filter(|(_, manifest)| *manifest == image.manifest_digest)
                    .map(|(key, _)| key)
                    .collect();
                all.extend(daemon.delete(&image, &keys, &names)?);
                bytes += own;
            }
            daemon.events.emit(
                "image",
                "prune",
                "",
                [("reclaimed".to_owned(), bytes.to_string())].into(),
            );
            Ok(PruneReport {
                images_deleted: Some(all),
                space_reclaimed: bytes,
                ..PruneReport::default()
            })
        })
        .await
    }
}

fn untagged(name: &Reference) -> ImageDeleted {
    ImageDeleted {
        untagged: Some(name.familiar()),
        deleted: None,
    }
}

fn deleted(digest: &Digest) -> ImageDeleted {
    ImageDeleted {
        untagged: None,
        deleted: Some(digest.to_string()),
    }
}
