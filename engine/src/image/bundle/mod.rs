//! A bundle: images of a store and folders of files in one archive, for machines without a network.
//!
//! It is an OCI layout, so that skopeo and `docker load` read the images out of it; folders travel as artifacts. An
//! import reads all of it before it uses any of it, and names nothing before everything is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::oci::LayerFormat;
use crate::store::Store;

use super::archive::{Artifact, Contents, Loaded, Loader, Naming, name, save_with, verify};
use super::{ArchiveError, Image, Reference, images_of};

/// The media type of a folder is this, its name, and `.v1.tar`.
const FOLDER: &str = "application/vnd.quai.";
const FOLDER_END: &str = ".v1.tar";

/// Files by path, that travel together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// What it is: lower-case letters.
    pub name: String,
    /// Relative, clean paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What an import brought.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Images, named in the store.
    pub images: Vec<(Image, Vec<Reference>)>,
    /// Folders, for the caller to put somewhere.
    pub folders: Vec<Folder>,
}

/// A bundle that cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Its file cannot be made or opened.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is in it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of a folder would lie outside of it.
    #[error("invalid archive: a folder has a file named {0:?}")]
    Name(String),
}

impl BundleError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

/// Writes the images that `names` names, or all with a name, and folders to `file`, which appears when it is whole.
///
/// A name that ends with `.zst` makes it compressed.
pub fn export(
    store: &Store,
    names: &[String],
    folders: &[Folder],
    file: &Path,
) -> Result<Vec<(Image, Vec<Reference>)>, BundleError> {
    let images = chosen(store, names)?;
    let artifacts = folders
        .iter()
        .map(packed)
        .collect::<Result<Vec<_>, _>>()
        .map_err(ArchiveError::Write)?;
    let aside = Aside::new(file);
    let out = File::create_new(&aside.path).map_err(BundleError::file("create", &aside.path))?;
    let mut out = BufWriter::with_capacity(1 << 20, out);
    if file.extension().is_some_and(|end| end == "zst") {
        let mut zstd = zstd::Encoder::new(&mut out, 3).map_err(BundleError::file("write", file))?;
        save_with(store, &images, &artifacts, Naming::Whole, &mut zstd)?;
        zstd.finish().map_err(BundleError::file("write", file))?;
    } else {
        save_with(store, &images, &artifacts, Naming::Whole, &mut out)?;
    }
    out.flush()
        .and_then(|()| out.get_ref().sync_all())
        .map_err(BundleError::file("write", file))?;
    aside.keep(file)?;
    Ok(images)
}

fn chosen(store: &Store, names: &[String]) -> Result<Vec<Loaded>, ArchiveError> {
    if names.is_empty() {
        let all = images_of(store)?.into_iter();
        let named = all.filter(|(_, names)| !names.is_empty());
        return Ok(named
            .map(|(image, names)| (Arc::unwrap_or_clone(image), names))
            .collect());
    }
    let mut images: Vec<Loaded> = Vec::new();
    for text in names {
        let image = Image::find(store, text)?;
        let name = Reference::parse(text).map_err(super::ImageError::from)?;
        match images.iter_mut().find(|(known, _)| known.id == image.id) {
            Some((_, names)) => names.push(name),
            None => images.push((image, vec![name])),
        }
    }
    Ok(images)
}

/// Puts a bundle's images into a store; `scratch` is an empty folder on the store's file system.
///
/// A bundle that is not whole, or not what it says, is refused and leaves the store as it was.
pub fn import(store: &Store, file: &Path, scratch: &Path) -> Result<Imported, BundleError> {
    let open = || File::open(file).map_err(BundleError::file("open", file));
    let mut start = [0; 4];
    let count = open()?
        .read(&mut start)
        .map_err(BundleError::file("read", file))?;
    let files = match LayerFormat::detect(&start[..count]) {
        LayerFormat::Tar => Contents::of_file(open()?)?,
        LayerFormat::Gzip => {
            let plain = flate2::bufread::MultiGzDecoder::new(io::BufReader::new(open()?));
            Contents::spread(plain, scratch)?
        }
        LayerFormat::Zstd => {
            let plain = zstd::Decoder::new(open()?).map_err(BundleError::file("read", file))?;
            Contents::spread(plain, scratch)?
        }
    };
    let (index, artifacts) = verify(&files)?;
    let folders = artifacts
        .iter()
        .filter_map(|artifact| unpacked(artifact).transpose())
        .collect::<Result<_, _>>()?;
    let mut loader = Loader::new(store, &files);
    let images = match loader.index(&index) {
        Ok(images) => images,
        Err(error) => {
            loader.give_up()?;
            return Err(error.into());
        }
    };
    name(store, &images)?;
    Ok(Imported { images, folders })
}

fn packed(folder: &Folder) -> io::Result<Artifact> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in &folder.files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    Ok(Artifact {
        kind: format!("{FOLDER}{}{FOLDER_END}", folder.name),
        bytes: archive.into_inner()?,
    })
}

/// The files of an artifact of ours; others are none of our business.
fn unpacked(artifact: &Artifact) -> Result<Option<Folder>, BundleError> {
    let name = artifact.kind.strip_prefix(FOLDER);
    let Some(name) = name.and_then(|name| name.strip_suffix(FOLDER_END)) else {
        return Ok(None);
    };
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(artifact.bytes.as_slice());
    for entry in archive.entries().map_err(ArchiveError::Read)? {
        let mut entry = entry.map_err(ArchiveError::Read)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let inside = path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
        if !inside || !entry.header().entry_type().is_file() {
            return Err(BundleError::Name(path));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
        files.insert(path, bytes);
    }
    Ok(Some(Folder {
        name: name.to_owned(),
        files,
    }))
}

/// A file under another name, gone unless it is kept.
struct Aside {
    path: PathBuf,
    kept: bool,
}

impl Aside {
    fn new(file: &Path) -> Self {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        Self {
            path: name.into(),
            kept: false,
        }
    }

    fn keep(mut self, name: &Path) -> Result<(), BundleError> {
        std::fs::rename(&self.path, name).map_err(BundleError::file("rename", name))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // It may never have been made.
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
