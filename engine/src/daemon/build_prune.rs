//! The cache of builds as something that takes space: `system df` counts it, `builder prune` removes it.
//!
//! A step is kept with the image after it; directories of `RUN --mount=type=cache` are kept beside. What a step added
//! counts as shared when an image with a name stands on it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use kernel::lock::FileLock;
use serde_json::{Value, json};

use crate::image::images_of;
use crate::oci::{Digest, ImageConfig};
use crate::store::{StepRecord, tree_size};

use super::{Daemon, DaemonError, Filters};

/// Filters of `builder prune`.
pub const CACHE_FILTERS: [&str; 10] = [
    "until",
    "id",
    "parents",
    "type",
    "description",
    "inuse",
    "shared",
    "private",
    "unused-for",
    "mutable",
];

/// What is kept of a build.
#[derive(Clone, Debug)]
struct CacheEntry {
    id: String,
    kind: &'static str,
    description: String,
    size: u64,
    shared: bool,
    created: Timestamp,
    parent: Option<String>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Step(Digest),
    Directory(PathBuf),
}

/// What a client wants removed.
#[derive(Clone, Debug, Default)]
pub struct CachePrune {
    /// Also what images with a name stand on.
    pub all: bool,
    /// Bytes of cache that may stay, the youngest.
    pub keep: u64,
    /// Conditions.
    pub filters: Filters,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePruned {
    /// Ids of entries.
    pub deleted: Vec<String>,
    /// Bytes.
    pub bytes: u64,
}

impl Daemon {
    /// What `system df` tells of the cache.
    pub(crate) fn cache_usage(&self) -> Result<Vec<Value>, DaemonError> {
        let tell = |entry: &CacheEntry| {
            json!({
                "ID": entry.id,
                "Parent": entry.parent.clone().unwrap_or_default(),
                "Parents": entry.parent.iter().collect::<Vec<_>>(),
                "Type": entry.kind,
                "Description": entry.description,
                "InUse": false,
                "Shared": entry.shared,
                "Size": entry.size,
                "CreatedAt": entry.created.to_string(),
                "LastUsedAt": entry.created.to_string(),
                "UsageCount": 1,
            })
        };
        Ok(self.cache_entries()?.iter().map(tell).collect())
    }

    fn cache_entries(&self) -> Result<Vec<CacheEntry>, DaemonError> {
        let steps = self.store.steps().all()?;
        let named: Vec<_> = images_of(&self.store)?;
        let used: BTreeSet<Digest> = named.iter().flat_map(|(image, _)| image.chains()).collect();
        let tagged = named
            .iter()
            .filter(|(_, names)| names.iter().any(|name| name.tag().is_some()));
        let below = ancestors(tagged.map(|(image, _)| image.id.clone()).collect(), &steps);
        let mut entries: Vec<_> = steps
            .iter()
            .filter_map(|step| self.step_entry(step, &used, &below))
            .collect();
        entries.extend(self.directories());
        entries.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(entries)
    }

    fn step_entry(
        &self,
        step: &StepRecord,
        used: &BTreeSet<Digest>,
        below: &BTreeSet<Digest>,
    ) -> Option<CacheEntry> {
        // What was removed meanwhile takes no space.
        let config = ImageConfig::parse(&self.store.document(&step.image).ok()?).ok()?;
        let last = config.history.last()?;
        let chain = crate::oci::chain_ids(&config.rootfs.diff_ids).pop();
        let chain = chain.filter(|_| !last.empty_layer);
        let size = match &chain {
            Some(chain) if !used.contains(chain) => self.store.layer(chain).ok()?.record.size,
            _ => 0,
        };
        Some(CacheEntry {
            id: step.key.hex()[..25].to_owned(),
            kind: "regular",
            description: last.created_by.clone(),
            size,
            shared: below.contains(&step.image),
            created: Timestamp::from_second(step.at).unwrap_or_default(),
            parent: step
                .parent
                .as_ref()
                .map(|parent| parent.hex()[..25].to_owned()),
            place: Place::Step(step.key.clone()),
        })
    }

    fn directories(&self) -> Vec<CacheEntry> {
        let root = self.config.data_root.join("build-caches");
        let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let changed = entry.metadata().ok()?.modified().ok()?;
                let seconds = changed.duration_since(UNIX_EPOCH).ok()?.as_secs();
                Some(CacheEntry {
                    id: name.chars().take(25).collect(),
                    kind: "exec.cachemount",
                    description: "mount of type=cache".into(),
                    size: tree_size(&entry.path()),
                    shared: false,
                    created: Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?,
                    parent: None,
                    place: Place::Directory(entry.path()),
                })
            })
            .collect()
    }

    /// Removes what is cached of builds.
    pub async fn prune_cache(
        self: &Arc<Self>,
        wish: CachePrune,
    ) -> Result<CachePruned, DaemonError> {
        let until = match super::system::until(&wish.filters)? {
            None => wish
                .filters
                .get("unused-for")
                .first()
                .map(|text| super::system::parse_time(text))
                .transpose()?,
            until => until,
        };
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let entries = daemon.cache_entries()?;
            let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
            let mut pruned = CachePruned::default();
            let mut steps = BTreeSet::new();
            for entry in entries {
                if wish.keep > 0 && total <= wish.keep {
                    break;
                }
                let old = until.is_none_or(|until| entry.created < until);
                if (entry.shared && !wish.all) || !old || !entry.fits(&wish.filters)? {
                    continue;
                }
                match &entry.place {
                    Place::Step(key) => drop(steps.insert(key.clone())),
                    Place::Directory(dir) if remove_directory(dir)? => pruned.bytes += entry.size,
                    Place::Directory(_) => continue,
                }
                total -= entry.size;
                pruned.deleted.push(entry.id);
            }
            daemon
                .store
                .steps()
                .retain(|step| !steps.contains(&step.key))?;
            pruned.bytes += daemon
                .store
                .collect_garbage(&daemon.container_layers())?
                .bytes;
            Ok(pruned)
        })
        .await
    }
}

impl CacheEntry {
    fn fits(&self, filters: &Filters) -> Result<bool, DaemonError> {
        let flag = |name: &str, is: bool| -> Result<bool, DaemonError> {
            Ok(filters.flag(name)?.is_none_or(|wanted| wanted == is))
        };
        Ok(filters.any("id", |id| self.id.starts_with(id.as_str()))
            && filters.any("type", |kind| self.kind == kind)
            && filters.any("description", |text| {
                self.description.contains(text.as_str())
            })
            && filters.any("parents", |id| {
                self.parent
                    .as_ref()
                    .is_some_and(|parent| parent.starts_with(id.as_str()))
            })
            && flag("shared", self.shared)?
            && flag("private", !self.shared)?
            && flag("mutable", matches!(self.place, Place::Directory(_)))?
            && flag("inuse", false)?)
    }
}

/// These images and all that they were built on.
pub(super) fn ancestors(images: BTreeSet<Digest>, steps: &[StepRecord]) -> BTreeSet<Digest> {
    let parents: std::collections::BTreeMap<&Digest, &Digest> = steps
        .iter()
        .filter_map(|step| Some((&step.image, step.parent.as_ref()?)))
        .collect();
    let mut found = images.clone();
    for image in images {
        let mut next = parents.get(&image);
        while let Some(parent) = next {
            if !found.insert((*parent).clone()) {
                break;
            }
            next = parents.get(parent);
        }
    }
    found
}

/// Removes a directory that no build uses now; tells whether.
fn remove_directory(dir: &std::path::Path) -> Result<bool, DaemonError> {
    let lock = dir.with_extension("lock");
    let Ok(_lock) = FileLock::try_now(&lock) else {
        return Ok(false);
    };
    let parent = dir.parent().unwrap_or(std::path::Path::new("/"));
    let open = std::fs::File::open(parent).map_err(DaemonError::io("open the caches"))?;
    kernel::tree::remove_all(
        std::os::fd::AsFd::as_fd(&open),
        dir.file_name().unwrap_or_default(),
    )?;
    // The lock's file stays: somebody may be waiting for it, and a new one would be another lock.
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_image_stands_on_is_found() {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let step = |image: &str, parent: &str| StepRecord {
            key: digest(image),
            parent: Some(digest(parent)),
            image: digest(image),
            manifest: digest("m"),
            at: 0,
        };
        let steps = [step("a", "base"), step("b", "a"), step("c", "a")];
        let found = ancestors(BTreeSet::from([digest("b")]), &steps);
        assert_eq!(
            found,
            BTreeSet::from([digest("b"), digest("a"), digest("base")])
        );
    }
}
