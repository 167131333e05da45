//! Where the course is read from: the embedded folder or a folder on disk.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

/// The course that was built in.
#[derive(RustEmbed)]
#[folder = "../content/fr"]
struct Embedded;

/// A tree of files, read by paths relative to its root.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Inside the executable.
    Embedded,
    /// On disk, for authors.
    Folder(PathBuf),
    /// Named bytes, for tests.
    #[cfg(test)]
    Literal(std::collections::BTreeMap<String, String>),
}

/// A folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub(crate) struct SourceError {
    path: String,
    source: std::io::Error,
}

impl Source {
    /// Every file, as `folder/file` paths, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Embedded => Ok(Embedded::iter()
                .map(Cow::into_owned)
                .collect::<BTreeSet<_>>())
            .map(|set| set.into_iter().collect()),
            Self::Folder(root) => {
                let mut found = Vec::new();
                walk(root, "", &mut found)?;
                found.sort();
                Ok(found)
            }
            #[cfg(test)]
            Self::Literal(files) => Ok(files.keys().cloned().collect()),
        }
    }

    /// The bytes of one of `files`.
    pub(crate) fn read(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        match self {
            Self::Embedded => Embedded::get(path).map(|file| file.data),
            Self::Folder(root) => read_below(root, path).map(Cow::Owned),
            #[cfg(test)]
            Self::Literal(files) => files.get(path).map(|t| Cow::Owned(t.clone().into_bytes())),
        }
    }

    /// How a person names `path`.
    pub(crate) fn shown(&self, path: &str) -> String {
        match self {
            Self::Folder(root) => root.join(path).display().to_string(),
            _ => path.to_owned(),
        }
    }
}

/// Reads a file that really stands below `root`: a link cannot lead out.
fn read_below(root: &Path, path: &str) -> Option<Vec<u8>> {
    let root = root.canonicalize().ok()?;
    let file = root.join(path).canonicalize().ok()?;
    if !file.starts_with(&root) {
        return None;
    }
    std::fs::read(file).ok()
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) -> Result<(), SourceError> {
    let folder = root.join(below);
    let failed = |source| SourceError {
        path: folder.display().to_string(),
        source,
    };
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        // A name that is not UTF-8 cannot be an address; links could lead out of the folder.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = if below.is_empty() {
            name.to_owned()
        } else {
            format!("{below}/{name}")
        };
        if kind.is_dir() {
            walk(root, &path, found)?;
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
