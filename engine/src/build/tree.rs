//! Where files are copied from: the context, an image, another stage.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use kernel::tree::{self, Tree};

use crate::oci::{Digest, Hasher};

use super::BuildError;

/// What a file is, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its type.
    pub kind: Kind,
    /// Permission bits with set-user-ID, set-group-ID and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a regular file.
    pub size: u64,
    /// Seconds since the epoch.
    pub mtime: i64,
    /// Extended attributes that may travel, such as file capabilities.
    pub xattrs: Vec<(OsString, Vec<u8>)>,
}

impl Meta {
    /// A directory that nobody described: root's, open to all for reading, of time `mtime`.
    pub(super) fn directory(mtime: i64) -> Self {
        Self {
            kind: Kind::Dir,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            mtime,
            xattrs: Vec::new(),
        }
    }
}

/// The type of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link and its text.
    Link(OsString),
    /// Named pipe.
    Fifo,
    /// A device or socket, which is not copied.
    Special,
}

/// A tree of files that is only read. Paths are relative and clean; no link leads out of it.
pub trait SourceTree: Sync {
    /// What a path is; a link at its end is not followed, links before are.
    fn look(&self, path: &Path) -> Result<Option<Meta>, BuildError>;
    /// The path behind all links.
    fn follow(&self, path: &Path) -> Result<Option<PathBuf>, BuildError>;
    /// Names in a directory, sorted.
    fn list(&self, dir: &Path) -> Result<Vec<OsString>, BuildError>;
    /// The content of a regular file.
    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, BuildError>;
    /// The digest of the content of a regular file.
    fn digest(&self, path: &Path) -> Result<Digest, BuildError> {
        let mut reader = self.open(path)?;
        let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 16]);
        loop {
            let count = reader
                .read(&mut buffer)
                .map_err(BuildError::io("read", path))?;
            if count == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..count]);
        }
    }
}

/// A file system tree, reached by descriptor.
#[derive(Debug)]
pub struct MountedTree(pub Tree);

impl SourceTree for MountedTree {
    fn look(&self, path: &Path) -> Result<Option<Meta>, BuildError> {
        let place = match self.0.place(path) {
            Err(error) if is_missing(&error) => return Ok(None),
            place => place?,
        };
        let stat = tree::stat_open(place.as_fd())?;
        let kind = match stat.st_mode & 0o170_000 {
            0o120_000 => Kind::Link(tree::read_link(place.as_fd())?),
            0o040_000 => Kind::Dir,
            0o100_000 => Kind::File,
            0o010_000 => Kind::Fifo,
            _ => Kind::Special,
        };
        let xattrs = match &kind {
            Kind::File => tree::xattrs_open(place.as_fd()).unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Some(Meta {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: if kind == Kind::File {
                stat.st_size.cast_unsigned()
            } else {
                0
            },
            mtime: stat.st_mtime,
            xattrs: xattrs
                .into_iter()
                .filter(|(name, _)| name == "security.capability")
                .collect(),
            kind,
        }))
    }

    fn follow(&self, path: &Path) -> Result<Option<PathBuf>, BuildError> {
        match self.0.follow(path) {
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(_) => self.resolve(path).map(Some),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>, BuildError> {
        let open = self.0.dir(dir)?;
        let entries = std::fs::read_dir(tree::listing_path(open.as_fd()))
            .map_err(BuildError::io("list", dir))?;
        let mut names: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, BuildError> {
        Ok(Box::new(self.0.file(path)?))
    }
}

impl MountedTree {
    /// Follows a last link step by step, inside the root.
    fn resolve(&self, path: &Path) -> Result<PathBuf, BuildError> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            let Some(Meta {
                kind: Kind::Link(target),
                ..
            }) = self.look(&path)?
            else {
                return Ok(path);
            };
            let target = Path::new(&target);
            path = if target.is_absolute() {
                tree::clean(target)
            } else {
                tree::clean(&path.parent().unwrap_or(Path::new("")).join(target))
            };
        }
        Ok(path)
    }
}

fn is_missing(error: &kernel::error::SysError) -> bool {
    // ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG
    matches!(error.source.raw_os_error(), Some(2 | 20 | 40 | 36))
}
