//! A directory tree becomes an archive: a layer out of a container's upper directory, or a plain copy.
//!
//! The tree may belong to a running container that changes it meanwhile: directories are walked by descriptor, and a
//! file that shrinks is filled up with zeros, so that the archive stays well formed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use kernel::error::SysError;
use kernel::tree::{self, Tree};
use tar::{Builder, EntryType, Header};

/// What an archive is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// Overlay's marks become whiteouts.
    Layer,
    /// Files as they are.
    Plain,
}

/// A tree that cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A directory or file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A lookup failed.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// The archive cannot be written.
    #[error("cannot write the archive: {0}")]
    Write(io::Error),
}

/// Packs everything below an open directory.
pub fn pack(dir: BorrowedFd<'_>, packed: Packed, out: impl Write) -> Result<(), PackError> {
    let mut packer = Packer {
        out: Builder::new(out),
        packed,
        links: BTreeMap::new(),
    };
    packer.children(dir, Path::new(""))?;
    packer.finish()
}

/// Packs one entry of an open directory, and everything below it, under the name `shown`.
pub fn pack_entry(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    shown: &Path,
    out: impl Write,
) -> Result<(), PackError> {
    let mut packer = Packer {
        out: Builder::new(out),
        packed: Packed::Plain,
        links: BTreeMap::new(),
    };
    packer.entry(dir, name, shown)?;
    packer.finish()
}

struct Packer<W: Write> {
    out: Builder<W>,
    packed: Packed,
    /// Files with several names: device and inode → the first name.
    links: BTreeMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    fn finish(self) -> Result<(), PackError> {
        self.out
            .into_inner()
            .and_then(|mut out| out.flush())
            .map_err(PackError::Write)
    }

    fn children(&mut self, dir: BorrowedFd<'_>, shown: &Path) -> Result<(), PackError> {
        let read = |source| PackError::Read {
            path: shown.to_owned(),
            source,
        };
        let entries = fs::read_dir(tree::listing_path(dir)).map_err(read)?;
        let mut names: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        names
            .iter()
            .try_for_each(|name| self.entry(dir, name, &shown.join(name)))
    }

    fn entry(&mut self, dir: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<(), PackError> {
        let path = tree::listing_path(dir).join(name);
        let metadata = match fs::symlink_metadata(&path) {
            // It has just been removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|source| PackError::Read {
                path: shown.to_owned(),
                source,
            })?,
        };
        let kind = metadata.file_type();
        if self.packed == Packed::Layer && kind.is_char_device() && metadata.rdev() == 0 {
            let mark = [b".wh.", name.as_bytes()].concat();
            return self.whiteout(&shown.with_file_name(OsStr::from_bytes(&mark)));
        }
        if kind.is_socket() {
            return Ok(());
        }
        let xattrs = tree::xattrs(&path).unwrap_or_default();
        self.attributes(&xattrs, &metadata)?;
        let mut header = header(&metadata);
        if kind.is_dir() {
            // As Docker's archives: a directory's name ends with a slash. Layers keep the names that their digests are of.
            let slashed = shown.join("");
            let named = match self.packed {
                Packed::Plain if !shown.as_os_str().is_empty() => slashed.as_path(),
                _ => shown,
            };
            self.append(&mut header, EntryType::Directory, named, io::empty())?;
            if self.packed == Packed::Layer
                && xattrs.iter().any(|(name, _)| name == "user.overlay.opaque")
            {
                self.whiteout(&shown.join(".wh..wh..opq"))?;
            }
            let parent = Tree::at(dir.try_clone_to_owned().map_err(|source| PackError::Read {
                path: shown.to_owned(),
                source,
            })?);
            let child = parent.dir(Path::new(name))?;
            return self.children(child.as_fd(), shown);
        }
        if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(|source| PackError::Read {
                path: shown.to_owned(),
                source,
            })?;
            header.set_entry_type(EntryType::Symlink);
            if header.set_link_name(&target).is_ok() && dotted(&mut header, shown) {
                return self
                    .out
                    .append(&header, io::empty())
                    .map_err(PackError::Write);
            }
            return self
                .out
                .append_link(&mut header, shown, target)
                .map_err(PackError::Write);
        }
        if metadata.nlink() > 1 {
            let first = self
                .links
                .entry((metadata.dev(), metadata.ino()))
                .or_insert_with(|| shown.to_owned());
            if first != shown {
                let first = first.clone();
                header.set_entry_type(EntryType::Link);
                return self
                    .out
                    .append_link(&mut header, shown, first)
                    .map_err(PackError::Write);
            }
        }
        if kind.is_file() {
            return self.file(dir, name, shown, header, metadata.len());
        }
        let numbers = (kernel_major(metadata.rdev()), kernel_minor(metadata.rdev()));
        header
            .set_device_major(numbers.0)
            .and_then(|()| header.set_device_minor(numbers.1))
            .map_err(PackError::Write)?;
        let kind = match () {
            () if kind.is_fifo() => EntryType::Fifo,
            () if kind.is_block_device() => EntryType::Block,
            () => EntryType::Char,
        };
        self.append(&mut header, kind, shown, io::empty())
    }

    fn file(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        shown: &Path,
        mut header: Header,
        size: u64,
    ) -> Result<(), PackError> {
        let read = |source| PackError::Read {
            path: shown.to_owned(),
            source,
        };
        let parent = Tree::at(dir.try_clone_to_owned().map_err(read)?);
        let file = parent.file(Path::new(name))?;
        // It may have been replaced since we looked.
        if !file.metadata().map_err(read)?.is_file() {
            return Ok(());
        }
        header.set_size(size);
        let content = file.take(size).chain(io::repeat(0)).take(size);
        self.append(&mut header, EntryType::Regular, shown, content)
    }

    fn append(
        &mut self,
        header: &mut Header,
        kind: EntryType,
        shown: &Path,
        content: impl Read,
    ) -> Result<(), PackError> {
        header.set_entry_type(kind);
        if dotted(header, shown) {
            return self.out.append(header, content).map_err(PackError::Write);
        }
        self.out
            .append_data(header, shown, content)
            .map_err(PackError::Write)
    }

    fn whiteout(&mut self, shown: &Path) -> Result<(), PackError> {
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o600);
        self.append(&mut header, EntryType::Regular, shown, io::empty())
    }

    /// Attributes that an archive may carry travel before their entry.
    fn attributes(
        &mut self,
        xattrs: &[(std::ffi::OsString, Vec<u8>)],
        metadata: &fs::Metadata,
    ) -> Result<(), PackError> {
        let time = exact_time(metadata);
        let mut carried: Vec<(String, &[u8])> = xattrs
            .iter()
            .filter(|(name, _)| crate::store::unpack::is_allowed(name.as_bytes()))
            .map(|(name, value)| {
                (
                    format!("SCHILY.xattr.{}", name.to_string_lossy()),
                    value.as_slice(),
                )
            })
            .collect();
        if let Some(time) = &time {
            carried.push(("mtime".to_owned(), time.as_bytes()));
        }
        if carried.is_empty() {
            return Ok(());
        }
        let pairs = carried.iter().map(|(name, value)| (name.as_str(), *value));
        self.out
            .append_pax_extensions(pairs)
            .map_err(PackError::Write)
    }
}

fn header(metadata: &fs::Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    header
}

/// A time that the archive's own field cannot hold: before 1970, or between two seconds.
fn exact_time(metadata: &fs::Metadata) -> Option<String> {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    match (seconds, nanoseconds) {
        (0.., 0) => None,
        (0.., _) => Some(format!("{seconds}.{nanoseconds:09}")),
        (_, 0) => Some(seconds.to_string()),
        // -1.25 is two seconds before 1970 and three quarters of one.
        _ => Some(format!(
            "-{}.{:09}",
            -(seconds + 1),
            1_000_000_000 - nanoseconds
        )),
    }
}

/// The major number in `st_rdev`; see makedev(3).
fn kernel_major(device: u64) -> u32 {
    u32::try_from((device >> 8 & 0xfff) | (device >> 32 & 0xffff_f000)).unwrap_or(0)
}

/// The minor number in `st_rdev`; see makedev(3).
fn kernel_minor(device: u64) -> u32 {
    u32::try_from((device & 0xff) | (device >> 12 & 0xffff_ff00)).unwrap_or(0)
}

/// Names an entry `./…` as it is: clients that copy `dir/.` put another name in place of the dot, and the library would
/// leave it out. Whether that could be done: a long name goes without.
fn dotted(header: &mut Header, shown: &Path) -> bool {
    let name = shown.as_os_str().as_bytes();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let is_dotted = name == b"." || name.starts_with(b"./");
    let field = &mut header.as_old_mut().name;
    if !is_dotted || name.len() + 1 >= field.len() {
        return false;
    }
    field.fill(0);
    field[..name.len()].copy_from_slice(name);
    if header.entry_type() == EntryType::Directory {
        header.as_old_mut().name[name.len()] = b'/';
    }
    header.set_cksum();
    true
}

#[cfg(test)]
mod tests;
