//! A layer archive becomes a directory tree, in one pass and without leaving it.
//!
//! The archive is hostile. Names are made lexically clean, then every directory is looked up with the tree as root
//! ([`kernel::tree`]); links are made as text and never followed when something is written. Whiteouts take the form
//! that overlayfs reads: a device 0:0 for a removed name, `user.overlay.opaque` for a replaced directory.

mod budget;
mod confined;
mod owner;
mod pax;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kernel::error::SysError;
use kernel::tree::{self, Mtime, Node, Tree};
use tar::{Archive, Entry, EntryType};

use owner::given;
use pax::{Records, Tap};

pub use budget::{Budget, Exceeded};
pub use confined::run as unpacker;
pub(crate) use confined::unpack as unpack_confined;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// An archive that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no archive, or cut short.
    #[error("cannot read the archive: {source}")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// One entry cannot be made.
    #[error("cannot unpack {name}: {source}")]
    Entry {
        /// The entry's name.
        name: String,
        /// Why.
        source: SysError,
    },
    /// The content of one entry cannot be copied.
    #[error("cannot unpack {name}: {source}")]
    Copy {
        /// The entry's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The target cannot be opened.
    #[error(transparent)]
    Target(#[from] SysError),
    /// It would fill the disk.
    #[error("cannot unpack {name}: {source}")]
    NoRoom {
        /// The entry that is too much.
        name: String,
        /// Why.
        source: Exceeded,
    },
    /// The process that unpacks says so.
    #[error("{why}")]
    Refused {
        /// Its words: those of another of these errors.
        why: String,
    },
    /// The process that unpacks cannot be executed or heard.
    #[error("cannot execute the process that unpacks: {source}")]
    Child {
        /// Why.
        source: io::Error,
    },
}

/// What names that begin with `.wh.` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteouts {
    /// The removal of what a lower layer has.
    Applied,
    /// Nothing special: the archive is no layer.
    Literal,
}

/// Unpacks an uncompressed layer into the empty directory `into`; gives the bytes of its files.
pub fn unpack(archive: impl Read, into: &Path) -> Result<u64, UnpackError> {
    let budget = Budget::UNBOUNDED;
    unpack_into(archive, Tree::open(into)?, Whiteouts::Applied, budget)
}

/// Unpacks an uncompressed archive into a tree that is open already, replacing what has the same name; gives the bytes
/// of its files. The archive is read to its end, whatever follows the last entry.
pub fn unpack_into(
    mut archive: impl Read,
    into: Tree,
    whiteouts: Whiteouts,
    budget: Budget,
) -> Result<u64, UnpackError> {
    let read = |source| UnpackError::Read { source };
    let mut size = 0;
    {
        let mut target = Target {
            tree: into,
            whiteouts,
            budget,
            parent: None,
            times: Vec::new(),
            buffer: vec![0; HOLE],
        };
        let tap = Tap::new(&mut archive);
        let kept = tap.kept();
        let mut archive = Archive::new(tap);
        for entry in archive.entries().map_err(read)? {
            let mut entry = entry.map_err(read)?;
            let records = kept.entry_begins();
            size += target.add(&mut entry, &records)?;
            // What nobody wanted of it is content too.
            io::copy(&mut entry, &mut io::sink()).map_err(read)?;
            kept.entry_ends();
        }
        target.set_times()?;
    }
    io::copy(&mut archive, &mut io::sink()).map_err(read)?;
    Ok(size)
}

struct Target {
    tree: Tree,
    whiteouts: Whiteouts,
    budget: Budget,
    /// The folder of the last entry: archives list a folder's files one after the other.
    parent: Option<(PathBuf, Rc<OwnedFd>)>,
    /// Folders get their times at the end, because making files in them changes it.
    times: Vec<(PathBuf, Mtime)>,
    /// What is copied at once.
    buffer: Vec<u8>,
}

impl Target {
    fn add(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        records: &Records,
    ) -> Result<u64, UnpackError> {
        let path = records
            .get("path")
            .map_or_else(|| entry.path_bytes(), Cow::Borrowed);
        let path = tree::clean(Path::new(OsStr::from_bytes(&path)));
        let bytes = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => entry.size(),
            _ => 0,
        };
        self.budget
            .spend(bytes)
            .map_err(|source| UnpackError::NoRoom {
                name: path.display().to_string(),
                source,
            })?;
        let named = |source: SysError| UnpackError::Entry {
            name: path.display().to_string(),
            source,
        };
        let Some(name) = path.file_name() else {
            return self.root(entry, records).map(|()| 0).map_err(named);
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let parent = self.folder(folder).map_err(named)?;
        if self.whiteouts == Whiteouts::Literal {
            return self.make((entry, records), &parent, name, &path);
        }
        if name == OPAQUE {
            return tree::set_xattr(parent.as_fd(), OsStr::new("user.overlay.opaque"), b"y")
                .map(|()| 0)
                .map_err(named);
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT.as_bytes()) {
            let hidden = OsStr::from_bytes(hidden);
            return whiteout(parent.as_fd(), hidden).map(|()| 0).map_err(named);
        }
        self.make((entry, records), &parent, name, &path)
    }

    /// Makes one file, folder, link or node and gives it its owner, mode, attributes and time.
    fn make(
        &mut self,
        (entry, records): (&mut Entry<'_, impl Read>, &Records),
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
    ) -> Result<u64, UnpackError> {
        let named = |source: SysError| UnpackError::Entry {
            name: path.display().to_string(),
            source,
        };
        let kind = entry.header().entry_type();
        let meta = Meta::of(entry, records);
        if kind.is_file() || matches!(kind, EntryType::Continuous | EntryType::GNUSparse) {
            let mut file = create_file(parent.as_fd(), name).map_err(named)?;
            let copied = copy_sparse(entry, &mut file, &mut self.buffer);
            let size = copied.map_err(|source| UnpackError::Copy {
                name: path.display().to_string(),
                source,
            })?;
            meta.apply_to_file(file.as_fd()).map_err(named)?;
            return Ok(size);
        }
        if !(kind.is_dir() && is_dir(parent.as_fd(), name)) {
            tree::remove_all(parent.as_fd(), name).map_err(named)?;
        }
        match kind {
            EntryType::Directory => {
                match tree::make_dir(parent.as_fd(), name) {
                    Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {}
                    done => done.map_err(named)?,
                }
                self.times.push((path.to_owned(), meta.mtime));
            }
            EntryType::Symlink => {
                let link = link_name(entry, records);
                tree::make_symlink(parent.as_fd(), name, OsStr::from_bytes(&link))
                    .map_err(named)?;
                given(tree::chown(parent.as_fd(), name, meta.uid, meta.gid)).map_err(named)?;
                tree::set_mtime(parent.as_fd(), name, meta.mtime).map_err(named)?;
                return Ok(0);
            }
            EntryType::Link => {
                let link = link_name(entry, records);
                let old = tree::clean(Path::new(OsStr::from_bytes(&link)));
                // A hard link shares its target's owner, mode and time: nothing more to set.
                return self
                    .hard_link(&old, parent, name)
                    .map(|()| 0)
                    .map_err(named);
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                match tree::make_node(parent.as_fd(), name, node(entry)) {
                    // In a user namespace devices cannot be made; containers get theirs at start.
                    Err(error) if error.source.raw_os_error() == Some(1) => return Ok(0),
                    done => done.map_err(named)?,
                }
            }
            // Global headers and vendor extensions describe no file.
            _ => return Ok(0),
        }
        meta.apply(parent.as_fd(), name, kind).map_err(named)?;
        Ok(0)
    }

    fn hard_link(&mut self, old: &Path, parent: &OwnedFd, name: &OsStr) -> Result<(), SysError> {
        let old_parent = self.tree.dir(old.parent().unwrap_or(Path::new("")))?;
        let old_name = old.file_name().unwrap_or(OsStr::new("."));
        tree::make_link(old_parent.as_fd(), old_name, parent.as_fd(), name)
    }

    /// The entry for the tree's own root.
    fn root(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        records: &Records,
    ) -> Result<(), SysError> {
        if !entry.header().entry_type().is_dir() {
            return Ok(());
        }
        let meta = Meta::of(entry, records);
        self.times.push((PathBuf::new(), meta.mtime));
        let root = self.tree.dir(Path::new(""))?;
        meta.apply_to_dir(root.as_fd())
    }

    fn folder(&mut self, path: &Path) -> Result<Rc<OwnedFd>, SysError> {
        if let Some((known, fd)) = &self.parent
            && known == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = Rc::new(self.tree.make_dirs(path)?);
        self.parent = Some((path.to_owned(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn set_times(&self) -> Result<(), SysError> {
        for (path, mtime) in self.times.iter().rev() {
            // The folder may have been replaced by a later entry.
            if let Ok(dir) = self.tree.dir(path) {
                tree::set_mtime(dir.as_fd(), OsStr::new(""), *mtime)?;
            }
        }
        Ok(())
    }
}

/// Owner, mode, time and attributes of an entry.
struct Meta {
    uid: u32,
    gid: u32,
    mode: u32,
    mtime: Mtime,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Meta {
    fn of(entry: &Entry<'_, impl Read>, records: &Records) -> Self {
        let allowed = records.xattrs().filter(|(name, _)| is_allowed(name));
        let xattrs = allowed
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let exact = records.text("mtime").and_then(pax_time);
        let told = |key: &str| records.text(key).and_then(|text| text.parse::<u32>().ok());
        let header = entry.header();
        let id = |id: io::Result<u64>| u32::try_from(id.unwrap_or(0)).unwrap_or(0);
        Self {
            uid: told("uid").unwrap_or_else(|| id(header.uid())),
            gid: told("gid").unwrap_or_else(|| id(header.gid())),
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            mtime: exact.unwrap_or_else(|| Mtime {
                seconds: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0),
                nanoseconds: 0,
            }),
            xattrs,
        }
    }

    /// The owner first: changing it clears set-user-id bits and file capabilities.
    fn apply(&self, parent: BorrowedFd<'_>, name: &OsStr, kind: EntryType) -> Result<(), SysError> {
        given(tree::chown(parent, name, self.uid, self.gid))?;
        tree::chmod(parent, name, self.mode)?;
        if !self.xattrs.is_empty() && kind.is_dir() {
            let parent = Tree::at(parent.try_clone_to_owned().map_err(|source| SysError {
                call: "dup",
                object: None,
                source,
            })?);
            self.set_xattrs(parent.dir(Path::new(name))?.as_fd())?;
        }
        if kind.is_dir() {
            Ok(())
        } else {
            tree::set_mtime(parent, name, self.mtime)
        }
    }

    /// As [`Meta::apply`], by descriptor: no name is looked up again.
    fn apply_to_file(&self, file: BorrowedFd<'_>) -> Result<(), SysError> {
        tree::chown_open(file, self.uid, self.gid)?;
        tree::chmod_open(file, self.mode)?;
        self.set_xattrs(file)?;
        tree::set_mtime_open(file, self.mtime)
    }

    fn apply_to_dir(&self, dir: BorrowedFd<'_>) -> Result<(), SysError> {
        given(tree::chown(dir, OsStr::new(""), self.uid, self.gid))?;
        tree::chmod(dir, OsStr::new(""), self.mode)?;
        self.set_xattrs(dir)
    }

    fn set_xattrs(&self, file: BorrowedFd<'_>) -> Result<(), SysError> {
        for (name, value) in &self.xattrs {
            match tree::set_xattr(file, OsStr::from_bytes(name), value) {
                // The file system has no such attribute (an ACL on tmpfs, say): the file is still right.
                Err(error) if error.source.kind() == io::ErrorKind::Unsupported => {}
                done => done?,
            }
        }
        Ok(())
    }
}

/// A time of a PAX header: `1700000000.123456789`, which may be before 1970; see pax(1).
fn pax_time(text: &str) -> Option<Mtime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: i64 = digits
        .parse()
        .ok()
        .filter(|_| !digits.starts_with(['+', '-']))?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(Mtime {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(Mtime {
        seconds,
        nanoseconds,
    })
}

/// Bytes looked at together: zeros in all of them become a hole.
const HOLE: usize = 64 << 10;

/// Makes a file in place of what has its name; most often nothing has.
fn create_file(parent: BorrowedFd<'_>, name: &OsStr) -> Result<File, SysError> {
    match tree::create_file(parent, name) {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
            tree::remove_all(parent, name)?;
            tree::create_file(parent, name)
        }
        done => done,
    }
}

/// Copies a file's content and leaves holes where there are only zeros, as a sparse file has them.
fn copy_sparse(from: &mut impl Read, to: &mut File, buffer: &mut [u8]) -> io::Result<u64> {
    let (mut size, mut ends_in_hole) = (0, false);
    loop {
        let mut filled = 0;
        while filled < HOLE {
            match from.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if filled == 0 {
            break;
        }
        size += filled as u64;
        ends_in_hole = filled == HOLE && buffer.iter().all(|byte| *byte == 0);
        if ends_in_hole {
            to.seek(SeekFrom::Start(size))?;
        } else {
            to.write_all(&buffer[..filled])?;
        }
    }
    if ends_in_hole {
        to.set_len(size)?;
    }
    Ok(size)
}

/// Overlayfs trusts its own attributes, so an archive may not bring them; the rest of `user.` is harmless.
pub(super) fn is_allowed(name: &[u8]) -> bool {
    let ours = name.starts_with(b"user.overlay.");
    (name.starts_with(b"user.") && !ours)
        || name == b"security.capability"
        || name.starts_with(b"system.posix_acl_")
}

fn whiteout(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), SysError> {
    if name.is_empty() || name == "." || name == ".." {
        return Ok(());
    }
    tree::remove_all(parent, name)?;
    tree::make_node(parent, name, Node::Char(0, 0))
}

/// Where a link points.
fn link_name(entry: &Entry<'_, impl Read>, records: &Records) -> Vec<u8> {
    match records.get("linkpath") {
        Some(target) => target.to_owned(),
        None => entry.link_name_bytes().unwrap_or_default().into_owned(),
    }
}

fn node(entry: &Entry<'_, impl Read>) -> Node {
    let header = entry.header();
    let number = |number: io::Result<Option<u32>>| u64::from(number.ok().flatten().unwrap_or(0));
    let (major, minor) = (number(header.device_major()), number(header.device_minor()));
    match header.entry_type() {
        EntryType::Fifo => Node::Fifo,
        EntryType::Block => Node::Block(major, minor),
        _ => Node::Char(major, minor),
    }
}

fn is_dir(parent: BorrowedFd<'_>, name: &OsStr) -> bool {
    tree::stat(parent, name).is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000)
}

#[cfg(test)]
mod tests;
