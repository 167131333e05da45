//! What each layer of an image holds and changed, and what the image carries without showing it.
//!
//! A file that a later layer replaces or removes still weighs in the image. The **efficiency** compares what every
//! path would weigh if it were written once, in its smallest form, with what all layers write for it together: the
//! measure that the program `dive` made known.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::oci::Digest;
use crate::store::{Store, StoreError};

use super::{Image, ImageError, history};

/// What a layer did with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// No layer below shows it.
    Added,
    /// It replaces what a layer below shows.
    Modified,
    /// It hides what a layer below shows.
    Removed,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket.
    Special,
    /// The mark of a removal.
    Whiteout,
}

/// One entry of a layer's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TreeEntry {
    /// Below the root: `etc/passwd`.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What the layer did with it.
    pub change: Change,
    /// Bytes: of a file its own, of a removal what it hides.
    pub size: u64,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExploredLayer {
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// The command that made it.
    pub created_by: String,
    /// Bytes of its files.
    pub size: u64,
    /// Everything in it, in order.
    pub entries: Vec<TreeEntry>,
}

/// A path that weighs more than what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Waste {
    /// Which.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// In how many layers it is written or removed.
    pub count: usize,
    /// Bytes of it in all layers.
    pub size: u64,
}

/// An image taken apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Exploration {
    /// Its id.
    pub id: Digest,
    /// Bytes of all layers.
    pub size: u64,
    /// From 0 to 1: what is needed of what is written.
    pub efficiency: f64,
    /// Bytes of paths that several layers write.
    pub wasted_bytes: u64,
    /// Those bytes in relation to the layers above the first.
    pub wasted_user_percent: f64,
    /// Its layers, lowest first.
    pub layers: Vec<ExploredLayer>,
    /// Paths that several layers write, the heaviest first.
    pub waste: Vec<Waste>,
}

/// Names that are no text are shown with a mark in place of what is none.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Takes an image apart.
pub fn explore(store: &Store, image: &Image) -> Result<Exploration, ImageError> {
    let mut steps = history(store, image)?;
    steps.reverse();
    let commands: Vec<String> = steps
        .into_iter()
        .filter(|(_, _, chain)| chain.is_some())
        .map(|(step, _, _)| step.created_by)
        .collect();
    let (mut shown, mut tally) = (Shown::default(), Tally::default());
    let mut layers = Vec::new();
    for (at, layer) in image.layers(store)?.into_iter().enumerate() {
        let entries = read_layer(&layer.tree, &mut shown)?;
        tally.count(&entries);
        layers.push(ExploredLayer {
            diff_id: layer.record.diff_id,
            created_by: commands.get(at).cloned().unwrap_or_default(),
            size: layer.record.size,
            entries,
        });
    }
    let size = layers.iter().map(|layer| layer.size).sum();
    let own: u64 = layers.iter().skip(1).map(|layer| layer.size).sum();
    let waste = tally.waste();
    let wasted_bytes = waste.iter().map(|waste| waste.size).sum();
    Ok(Exploration {
        id: image.id.clone(),
        size,
        efficiency: tally.efficiency(),
        wasted_bytes,
        wasted_user_percent: if own == 0 {
            0.0
        } else {
            wasted_bytes as f64 / own as f64
        },
        layers,
        waste,
    })
}

/// What the layers so far show: path → bytes, of directories zero.
#[derive(Debug, Default)]
struct Shown(BTreeMap<PathBuf, u64>);

impl Shown {
    /// Hides a path and everything below it; gives its bytes.
    fn hide(&mut self, path: &Path) -> u64 {
        let mut bytes = self.0.remove(path).unwrap_or(0);
        bytes += self.hide_below(path);
        bytes
    }

    /// Hides what is below a path.
    fn hide_below(&mut self, path: &Path) -> u64 {
        let below: Vec<PathBuf> = self
            .0
            .range(path.to_owned()..)
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(path))
            .filter(|known| *known != path)
            .cloned()
            .collect();
        below.iter().filter_map(|path| self.0.remove(path)).sum()
    }
}

/// Reads a layer's tree in order, and lets it change what is shown.
fn read_layer(tree: &Path, shown: &mut Shown) -> Result<Vec<TreeEntry>, ImageError> {
    let mut entries = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(dir) = todo.pop() {
        let full = tree.join(&dir);
        let fail = |source: io::Error| ImageError::Store(StoreError::io("read", &full, source));
        let mut names: Vec<_> = fs::read_dir(&full)
            .map_err(fail)?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        let mut below = Vec::new();
        for name in names {
            let path = dir.join(name);
            let entry = read_entry(tree, path, shown)?;
            if entry.kind == Kind::Directory {
                below.push(entry.path.clone());
            }
            entries.push(entry);
        }
        todo.extend(below.into_iter().rev());
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn read_entry(tree: &Path, path: PathBuf, shown: &mut Shown) -> Result<TreeEntry, ImageError> {
    let full = tree.join(&path);
    let fail = |source: io::Error| ImageError::Store(StoreError::io("read", &full, source));
    let metadata = fs::symlink_metadata(&full).map_err(fail)?;
    let kind = kind_of(&metadata);
    let before = shown.0.contains_key(&path);
    let size = match kind {
        Kind::Whiteout => shown.hide(&path),
        Kind::File => metadata.len(),
        _ => 0,
    };
    match kind {
        Kind::Whiteout => {}
        Kind::Directory => {
            if is_opaque(&full) {
                shown.hide_below(&path);
            }
            shown.0.insert(path.clone(), 0);
        }
        _ => {
            shown.hide(&path);
            shown.0.insert(path.clone(), size);
        }
    }
    Ok(TreeEntry {
        kind,
        change: match (kind, before) {
            (Kind::Whiteout, _) => Change::Removed,
            (_, true) => Change::Modified,
            (_, false) => Change::Added,
        },
        size,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        target: (kind == Kind::Link)
            .then(|| fs::read_link(&full))
            .transpose()
            .map_err(fail)?
            .map(|target| target.to_string_lossy().into_owned()),
        path,
    })
}

fn kind_of(metadata: &fs::Metadata) -> Kind {
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => Kind::Directory,
        () if kind.is_file() => Kind::File,
        () if kind.is_symlink() => Kind::Link,
        () if kind.is_char_device() && metadata.rdev() == 0 => Kind::Whiteout,
        () => Kind::Special,
    }
}

fn is_opaque(dir: &Path) -> bool {
    let marks = kernel::tree::xattrs(dir).unwrap_or_default();
    marks.iter().any(|(name, _)| name == "user.overlay.opaque")
}

/// How often and how heavily each path is written.
#[derive(Debug, Default)]
struct Tally(BTreeMap<PathBuf, Writes>);

#[derive(Debug)]
struct Writes {
    count: usize,
    all: u64,
    smallest: u64,
}

impl Tally {
    fn count(&mut self, entries: &[TreeEntry]) {
        for entry in entries.iter().filter(|entry| entry.kind != Kind::Directory) {
            let writes = self.0.entry(entry.path.clone()).or_insert(Writes {
                count: 0,
                all: 0,
                smallest: u64::MAX,
            });
            writes.count += 1;
            writes.all += entry.size;
            writes.smallest = writes.smallest.min(entry.size);
        }
    }

    fn efficiency(&self) -> f64 {
        let needed: u64 = self.0.values().map(|writes| writes.smallest).sum();
        let written: u64 = self.0.values().map(|writes| writes.all).sum();
        if written == 0 {
            1.0
        } else {
            needed as f64 / written as f64
        }
    }

    fn waste(&self) -> Vec<Waste> {
        let mut waste: Vec<Waste> = self
            .0
            .iter()
            .filter(|(_, writes)| writes.count > 1)
            .map(|(path, writes)| Waste {
                path: path.clone(),
                count: writes.count,
                size: writes.all,
            })
            .collect();
        waste.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
        waste
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{NewImage, add_image, add_layer, scratch_config};
    use crate::store::tests::Scratch;

    fn archive(files: &[(&str, usize)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, size) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(*size as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, name, vec![b'x'; *size].as_slice())
                .unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn what_is_written_twice_or_removed_is_waste() {
        let scratch = Scratch::new();
        let store = Store::open(scratch.path()).unwrap();
        let layers = [
            archive(&[("d/big", 1000), ("d/small", 10), ("keep", 90)]),
            archive(&[("d/small", 20), ("new", 80)]),
            archive(&[(".wh.d", 0)]),
        ];
        let mut added = Vec::new();
        for layer in &layers {
            let parent = added
                .last()
                .map(|layer: &crate::image::AddedLayer| layer.layer.chain.clone());
            added.push(add_layer(&store, parent.as_ref(), layer.as_slice(), None).unwrap());
        }
        let top = added.pop();
        let new = NewImage {
            config: scratch_config(),
            created_by: "rm -r d",
            ..NewImage::default()
        };
        let id = add_image(&store, new, &added, top.as_ref()).unwrap();
        let image = Image::find(&store, &id.to_string()).unwrap();
        let explored = explore(&store, &image).unwrap();
        assert_eq!(explored.size, 1200);
        let change = |layer: usize, path: &str| {
            let entries = &explored.layers[layer].entries;
            let entry = entries
                .iter()
                .find(|entry| entry.path == Path::new(path))
                .unwrap();
            (entry.change, entry.size)
        };
        assert_eq!(change(0, "d/big"), (Change::Added, 1000));
        assert_eq!(change(1, "d/small"), (Change::Modified, 20));
        assert_eq!(change(1, "new"), (Change::Added, 80));
        assert_eq!(change(2, "d"), (Change::Removed, 1020));
        // d/small twice: 30 bytes, of which 10 are needed; the removal alone is one write of `d`.
        assert_eq!(explored.wasted_bytes, 30);
        assert_eq!(explored.waste[0].path, Path::new("d/small"));
        let needed = 1000.0 + 10.0 + 90.0 + 80.0 + 1020.0;
        let written = 1000.0 + 30.0 + 90.0 + 80.0 + 1020.0;
        assert!((explored.efficiency - needed / written).abs() < 1e-9);
        assert!((explored.wasted_user_percent - 0.3).abs() < 1e-9);
    }
}
