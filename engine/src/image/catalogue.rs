//! `quai catalogue`: the images a platform offers, in a store that machines only read.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::oci::Digest;
use crate::store::{Scratch, Store, StoreError, TagsChange};

use super::{
    AddError, ArchiveError, ImageError, NewImage, Reference, add_image, add_layer, images_of,
    scratch_config,
};

/// The platform's own store.
const DEFAULT_STORE: &str = "/var/lib/quai/store";

/// Words of `quai catalogue`.
#[derive(Debug, Parser)]
#[command(
    name = "quai catalogue",
    about = "The images that machines find without a network"
)]
pub struct CatalogueArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an image of a root file system archive (tar, tar.gz or tar.zst)
    Add {
        /// Name and tag
        name: String,
        /// The archive
        rootfs: PathBuf,
        /// The store
        #[arg(long, default_value = DEFAULT_STORE)]
        store: PathBuf,
        /// Dockerfile instruction for the configuration, such as 'CMD ["sh"]'
        #[arg(long, short)]
        change: Vec<String>,
    },
    /// Take in the images of an archive that docker save wrote
    Load {
        /// The archive; without one the standard input
        archive: Option<PathBuf>,
        /// The store
        #[arg(long, default_value = DEFAULT_STORE)]
        store: PathBuf,
    },
    /// Show the images
    List {
        /// The store
        #[arg(long, default_value = DEFAULT_STORE)]
        store: PathBuf,
    },
    /// Remove what no name refers to; stop the machines first, they use layers where they lie
    Prune {
        /// The store
        #[arg(long, default_value = DEFAULT_STORE)]
        store: PathBuf,
    },
    /// Remove an image's name
    Remove {
        /// Name and tag
        name: String,
        /// The store
        #[arg(long, default_value = DEFAULT_STORE)]
        store: PathBuf,
    },
}

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The archive cannot be opened.
    #[error("cannot open {}: {source}", .path.display())]
    Open {
        /// The archive.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The image cannot be made.
    #[error("cannot add {name}: {source}")]
    Add {
        /// Its name.
        name: String,
        /// Why not.
        source: AddError,
    },
    /// The archive of images cannot be taken in.
    #[error(transparent)]
    Load(#[from] ArchiveError),
    /// The name is wrong or unknown.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogueArgs {
    /// Runs the command; gives the lines to print.
    pub fn run(self) -> Result<Vec<String>, CatalogueError> {
        match self.command {
            Command::Add {
                name,
                rootfs,
                store,
                change,
            } => {
                let id = add(&store, &name, &rootfs, &change)?;
                Ok(vec![format!("{name} {id}")])
            }
            Command::Load { archive, store } => load(&store, archive.as_deref()),
            Command::List { store } => list(&store),
            Command::Prune { store } => prune(&store),
            Command::Remove { name, store } => remove(&store, &name),
        }
    }
}

/// Adds one image to the store in `dir`.
pub fn add(
    dir: &Path,
    name: &str,
    rootfs: &Path,
    changes: &[String],
) -> Result<Digest, CatalogueError> {
    let reference = Reference::parse(name).map_err(ImageError::from)?;
    let archive = File::open(rootfs).map_err(|source| CatalogueError::Open {
        path: rootfs.to_owned(),
        source,
    })?;
    let store = Store::open(dir)?;
    let make = || {
        let layer = add_layer(&store, None, archive, None)?;
        let new = NewImage {
            name: Some(&reference),
            changes,
            comment: "added to the catalogue",
            created_by: "",
            config: scratch_config(),
        };
        let id = add_image(&store, new, &[], Some(&layer))?;
        Ok(id)
    };
    make().map_err(|source| CatalogueError::Add {
        name: name.to_owned(),
        source,
    })
}

fn load(dir: &Path, archive: Option<&Path>) -> Result<Vec<String>, CatalogueError> {
    let store = Store::open(dir)?;
    let scratch = Scratch::of(&store)?;
    let images = match archive {
        None => super::load(&store, std::io::stdin().lock(), scratch.path())?,
        Some(path) => {
            let archive = File::open(path).map_err(|source| CatalogueError::Open {
                path: path.to_owned(),
                source,
            })?;
            super::load(&store, archive, scratch.path())?
        }
    };
    let lines = images.iter().flat_map(|(image, names)| {
        names
            .iter()
            .map(|name| format!("{} {}", name.familiar(), image.id))
    });
    Ok(lines.collect())
}

fn list(dir: &Path) -> Result<Vec<String>, CatalogueError> {
    let store = Store::open_existing(dir)?;
    let mut lines = vec![format!("{:<40} {:<14} {:>12}", "NAME", "IMAGE ID", "BYTES")];
    for (image, names) in images_of(&store)? {
        let size = image.size(&store)?;
        lines.extend(names.iter().map(|name| {
            format!(
                "{:<40} {:<14} {size:>12}",
                name.familiar(),
                image.id.short()
            )
        }));
    }
    Ok(lines)
}

fn remove(dir: &Path, name: &str) -> Result<Vec<String>, CatalogueError> {
    let store = Store::open(dir)?;
    let key = Reference::parse(name)
        .map_err(ImageError::from)?
        .to_string();
    {
        let _lock = store.lock()?;
        if store.tags().get(&key)?.is_none() {
            return Err(ImageError::NotFound(name.to_owned()).into());
        }
        store.tags().apply([TagsChange::Remove(key)])?;
    }
    Ok(vec![format!(
        "removed the name {name}; `quai catalogue prune` gives the space back"
    )])
}

/// Machines use layers where they lie, so this is a step of its own, for a moment when none runs.
fn prune(dir: &Path) -> Result<Vec<String>, CatalogueError> {
    let store = Store::open(dir)?;
    {
        let _lock = store.lock()?;
        let nameless = store
            .tags()
            .all()?
            .into_keys()
            .filter(|name| name.parse::<Digest>().is_ok());
        let changes: Vec<_> = nameless.map(TagsChange::Remove).collect();
        store.tags().apply(changes)?;
    }
    let report = store.collect_garbage(&BTreeSet::new())?;
    Ok(vec![format!(
        "removed {} layers, {} bytes",
        report.layers.len(),
        report.bytes
    )])
}
