//! A directory tree becomes an archive: a layer out of a container's upper directory, or a plain copy.
//!
//! The tree may belong to a running container that changes it meanwhile: directories are walked by descriptor, and a
//! file that shrinks is filled up with zeros, so that the archive stays well formed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kernel::error::SysError;
use kernel::tree::{self, Child, FileStat};
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

/// Packs everything below an open directory; gives the bytes of the files, each counted once.
pub fn pack(dir: BorrowedFd<'_>, packed: Packed, out: impl Write) -> Result<u64, PackError> {
    let mut packer = Packer {
        out: Builder::new(out),
        packed,
        links: BTreeMap::new(),
        bytes: 0,
    };
    packer.children(dir, Path::new(""))?;
    let bytes = packer.bytes;
    packer.finish().map(|()| bytes)
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
        bytes: 0,
    };
    packer.entry(dir, name, shown)?;
    packer.finish()
}

struct Packer<W: Write> {
    out: Builder<W>,
    packed: Packed,
    /// Files with several names: device and inode → the first name.
    links: BTreeMap<(u64, u64), PathBuf>,
    /// Of the files so far.
    bytes: u64,
}

const S_IFMT: u32 = 0o170_000;
const S_IFSOCK: u32 = 0o140_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFREG: u32 = 0o100_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFIFO: u32 = 0o010_000;

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
        // Many file systems tell the type with the name; a file is then opened without looking at it first.
        let mut names: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| {
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                (entry.file_name(), is_file)
            })
            .collect();
        names.sort();
        names.iter().try_for_each(|(name, is_file)| {
            let path = shown.join(name);
            if *is_file && let Ok(file) = tree::open_child(dir, name, Child::File) {
                return self.file(file, &path);
            }
            // Or it is no file any more.
            self.entry(dir, name, &path)
        })
    }

    fn entry(&mut self, dir: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<(), PackError> {
        let read = |source: SysError| PackError::Read {
            path: shown.to_owned(),
            source: source.source,
        };
        let stat = match tree::stat(dir, name) {
            // It has just been removed.
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(read)?,
        };
        let kind = stat.st_mode & S_IFMT;
        if self.packed == Packed::Layer && kind == S_IFCHR && stat.st_rdev == 0 {
            let mark = [b".wh.", name.as_bytes()].concat();
            return self.whiteout(&shown.with_file_name(OsStr::from_bytes(&mark)));
        }
        match kind {
            S_IFSOCK => Ok(()),
            S_IFDIR => {
                let child = tree::open_child(dir, name, Child::Dir).map_err(read)?;
                let xattrs = tree::xattrs_of(child.as_fd()).unwrap_or_default();
                self.attributes(&xattrs, &stat)?;
                let mut header = header(&stat);
                // As Docker's archives: a directory's name ends with a slash. Layers keep the names that their digests
                // are of.
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
                self.children(child.as_fd(), shown)
            }
            S_IFREG => {
                let file = tree::open_child(dir, name, Child::File).map_err(read)?;
                self.file(file, shown)
            }
            _ => self.other(dir, name, shown, &stat),
        }
    }

    /// What was a regular file when somebody looked; it may have been replaced since.
    fn file(&mut self, file: OwnedFd, shown: &Path) -> Result<(), PackError> {
        let stat = tree::stat_open(file.as_fd())?;
        if stat.st_mode & S_IFMT != S_IFREG {
            return Ok(());
        }
        let xattrs = tree::xattrs_of(file.as_fd()).unwrap_or_default();
        self.attributes(&xattrs, &stat)?;
        let mut header = header(&stat);
        if self.is_link(&mut header, shown, &stat)? {
            return Ok(());
        }
        let size = stat.st_size.cast_unsigned();
        self.bytes += size;
        header.set_size(size);
        let content = File::from(file).take(size).chain(io::repeat(0)).take(size);
        self.append(&mut header, EntryType::Regular, shown, content)
    }

    /// Links, pipes and devices.
    fn other(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        shown: &Path,
        stat: &FileStat,
    ) -> Result<(), PackError> {
        let path = tree::listing_path(dir).join(name);
        self.attributes(&tree::xattrs(&path).unwrap_or_default(), stat)?;
        let mut header = header(stat);
        let kind = match stat.st_mode & S_IFMT {
            S_IFLNK => {
                let target = fs::read_link(&path).map_err(|source| PackError::Read {
                    path: shown.to_owned(),
                    source,
                })?;
                return self.symlink(&mut header, shown, &target);
            }
            S_IFIFO => EntryType::Fifo,
            S_IFBLK => EntryType::Block,
            _ => EntryType::Char,
        };
        if self.is_link(&mut header, shown, stat)? {
            return Ok(());
        }
        let numbers = (kernel_major(stat.st_rdev), kernel_minor(stat.st_rdev));
        header
            .set_device_major(numbers.0)
            .and_then(|()| header.set_device_minor(numbers.1))
            .map_err(PackError::Write)?;
        self.append(&mut header, kind, shown, io::empty())
    }

    fn symlink(
        &mut self,
        header: &mut Header,
        shown: &Path,
        target: &Path,
    ) -> Result<(), PackError> {
        header.set_entry_type(EntryType::Symlink);
        let written = if header.set_link_name(target).is_ok() && dotted(header, shown) {
            self.out.append(header, io::empty())
        } else {
            self.out.append_link(header, shown, target)
        };
        written.map_err(PackError::Write)
    }

    /// Writes another name of a file that has been written; says whether it was one.
    fn is_link(
        &mut self,
        header: &mut Header,
        shown: &Path,
        stat: &FileStat,
    ) -> Result<bool, PackError> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let first = self
            .links
            .entry((stat.st_dev, stat.st_ino))
            .or_insert_with(|| shown.to_owned());
        if first == shown {
            return Ok(false);
        }
        let first = first.clone();
        header.set_entry_type(EntryType::Link);
        let written = self.out.append_link(header, shown, first);
        written.map(|()| true).map_err(PackError::Write)
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
        stat: &FileStat,
    ) -> Result<(), PackError> {
        let time = exact_time(stat);
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

fn header(stat: &FileStat) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

/// A time that the archive's own field cannot hold: before 1970, or between two seconds.
fn exact_time(stat: &FileStat) -> Option<String> {
    let (seconds, nanoseconds) = (stat.st_mtime, stat.st_mtime_nsec);
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
