//! The build context: an archive that came over the wire, kept as one file and an index.
//!
//! It is never unpacked. Contents lie one after the other in a nameless file and are hashed while they arrive; links
//! are resolved in the index, so that nothing in the archive can name a file outside of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Bound;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, EntryType};

use crate::dockerfile::Ignore;
use crate::oci::{Digest, Hasher};
use crate::store::Piece;

use super::BuildError;
use super::tree::{Kind, Meta, SourceTree};

/// Files, directories and links of a context.
const ENTRY_LIMIT: usize = 2_000_000;

/// The longest name, bytes: Linux's `PATH_MAX`. Every directory above a name costs an entry.
const NAME_LIMIT: usize = 4096;

/// A context.
#[derive(Debug)]
pub struct Context {
    content: File,
    /// By path: compared as bytes, which is many times faster than component by component.
    entries: BTreeMap<OsString, Entry>,
    /// Paths of its links: most names lead through none, and need not be walked. Too many do no harm.
    links: BTreeSet<OsString>,
}

#[derive(Clone, Debug)]
struct Entry {
    meta: Meta,
    offset: u64,
    digest: Option<Digest>,
}

impl Context {
    /// Reads an uncompressed archive; `scratch` is a folder for the nameless file.
    pub fn read(archive: impl Read, scratch: &Path) -> Result<Self, BuildError> {
        let path = scratch.join("context");
        let content = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(BuildError::io("create", &path))?;
        std::fs::remove_file(&path).map_err(BuildError::io("remove", &path))?;
        let mut context = Self {
            content,
            entries: BTreeMap::new(),
            links: BTreeSet::new(),
        };
        context.fill(archive).map_err(BuildError::Context)?;
        Ok(context)
    }

    /// A context without files.
    pub fn empty(scratch: &Path) -> Result<Self, BuildError> {
        Self::read(io::empty(), scratch)
    }

    fn fill(&mut self, archive: impl Read) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, self.content.try_clone()?);
        let (mut offset, mut buffer) = (0u64, vec![0; 1 << 16]);
        let mut archive = Archive::new(archive);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = kernel::tree::clean(Path::new(OsStr::from_bytes(&entry.path_bytes())));
            if path.as_os_str().len() > NAME_LIMIT {
                return Err(io::Error::other(format!(
                    "a name is longer than {NAME_LIMIT} bytes"
                )));
            }
            let header = entry.header();
            let number = |value: io::Result<u64>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
            let mut meta = Meta {
                kind: Kind::Special,
                mode: header.mode().unwrap_or(0o644) & 0o7777,
                uid: number(header.uid()),
                gid: number(header.gid()),
                size: 0,
                mtime: header
                    .mtime()
                    .ok()
                    .and_then(|time| i64::try_from(time).ok())
                    .unwrap_or(0),
                xattrs: Vec::new(),
            };
            let (mut digest, start) = (None, offset);
            match header.entry_type() {
                EntryType::Directory => meta.kind = Kind::Dir,
                EntryType::Symlink => {
                    let link = entry.link_name_bytes().unwrap_or_default();
                    meta.kind = Kind::Link(OsStr::from_bytes(&link).to_owned());
                }
                EntryType::Fifo => meta.kind = Kind::Fifo,
                EntryType::Link => {
                    let link = entry.link_name_bytes().unwrap_or_default();
                    let target = kernel::tree::clean(Path::new(OsStr::from_bytes(&link)));
                    if let Some(known) = self.entries.get(target.as_os_str()).cloned() {
                        self.insert(path, known)?;
                    }
                    continue;
                }
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    meta.kind = Kind::File;
                    let mut hasher = Hasher::default();
                    loop {
                        let count = entry.read(&mut buffer)?;
                        if count == 0 {
                            break;
                        }
                        hasher.update(&buffer[..count]);
                        out.write_all(&buffer[..count])?;
                        offset += count as u64;
                    }
                    meta.size = offset - start;
                    digest = Some(hasher.finish());
                }
                _ => {}
            }
            self.insert(
                path,
                Entry {
                    meta,
                    offset: start,
                    digest,
                },
            )?;
        }
        out.flush()
    }

    fn insert(&mut self, path: PathBuf, entry: Entry) -> io::Result<()> {
        if self.entries.len() >= ENTRY_LIMIT {
            return Err(io::Error::other(format!("more than {ENTRY_LIMIT} entries")));
        }
        // Directories above may be missing from the archive.
        let mut parent = path.parent();
        while let Some(dir) = parent.filter(|dir| !dir.as_os_str().is_empty()) {
            if self.entries.contains_key(dir.as_os_str()) {
                break;
            }
            if self.entries.len() >= ENTRY_LIMIT {
                return Err(io::Error::other(format!("more than {ENTRY_LIMIT} entries")));
            }
            let meta = Meta::directory(entry.meta.mtime);
            self.entries.insert(
                dir.as_os_str().to_owned(),
                Entry {
                    meta,
                    offset: 0,
                    digest: None,
                },
            );
            parent = dir.parent();
        }
        if !path.as_os_str().is_empty() {
            self.put(path.into_os_string(), entry);
        }
        Ok(())
    }

    fn put(&mut self, path: OsString, entry: Entry) {
        if matches!(entry.meta.kind, Kind::Link(_)) {
            self.links.insert(path.clone());
        }
        self.entries.insert(path, entry);
    }

    /// The content of a small file; links are followed inside the context.
    pub fn file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, BuildError> {
        let Some(found) = self.follow(&kernel::tree::clean(Path::new(path)))? else {
            return Ok(None);
        };
        if self
            .look(&found)?
            .is_none_or(|meta| meta.kind != Kind::File)
        {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.open(&found)?
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(BuildError::io("read", &found))?;
        Ok(Some(bytes))
    }

    /// Adds a file that did not come with the archive, such as a Dockerfile from elsewhere.
    pub fn add_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), BuildError> {
        let offset = self.content.metadata().map_err(BuildError::Context)?.len();
        self.content
            .write_all_at(bytes, offset)
            .map_err(BuildError::Context)?;
        let meta = Meta {
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: bytes.len() as u64,
            mtime: 0,
            xattrs: Vec::new(),
        };
        let entry = Entry {
            meta,
            offset,
            digest: Some(Digest::of(bytes)),
        };
        self.insert(PathBuf::from(path), entry)
            .map_err(BuildError::Context)
    }

    /// Leaves out what the patterns say.
    pub fn ignore(&mut self, ignore: &Ignore) -> Result<(), BuildError> {
        if ignore.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::new();
        for path in self.entries.keys() {
            if ignore.excludes(&path.to_string_lossy())? {
                gone.push(path.clone());
            }
        }
        for path in &gone {
            self.entries.remove(path);
        }
        // A directory that is left out comes back when something below it stays.
        let missing: Vec<OsString> = self
            .entries
            .keys()
            .flat_map(|path| Path::new(path).ancestors().skip(1))
            .map(Path::as_os_str)
            .filter(|dir| !dir.is_empty() && !self.entries.contains_key(*dir))
            .map(OsStr::to_owned)
            .collect();
        for dir in missing {
            let meta = Meta::directory(0);
            self.entries.insert(
                dir,
                Entry {
                    meta,
                    offset: 0,
                    digest: None,
                },
            );
        }
        Ok(())
    }

    /// Takes the files below one directory out of the context, as a context of their own.
    pub fn take(&mut self, dir: &str) -> Result<Self, BuildError> {
        let dir = kernel::tree::clean(Path::new(dir));
        let mut taken = Self {
            content: self.content.try_clone().map_err(BuildError::Context)?,
            entries: BTreeMap::new(),
            links: BTreeSet::new(),
        };
        let entries = std::mem::take(&mut self.entries);
        for (path, entry) in entries {
            match Path::new(&path).strip_prefix(&dir) {
                Ok(rest) if rest.as_os_str().is_empty() => {}
                Ok(rest) => taken.put(rest.as_os_str().to_owned(), entry),
                Err(_) => self.put(path, entry),
            }
        }
        Ok(taken)
    }

    /// Follows links in all components (and the last, if asked); `None` when something is missing.
    fn resolve(&self, path: &Path, last: Last) -> Option<PathBuf> {
        if self.direct(path, last).is_some() {
            return Some(path.to_owned());
        }
        let mut todo: Vec<OsString> = components(path);
        todo.reverse();
        let (mut done, mut hops) = (PathBuf::new(), 0);
        while let Some(name) = todo.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&name);
            let entry = self.entries.get(next.as_os_str())?;
            match &entry.meta.kind {
                Kind::Link(target) if !todo.is_empty() || last == Last::Follow => {
                    hops += 1;
                    if hops > 40 {
                        return None;
                    }
                    let target = Path::new(target);
                    if target.is_absolute() {
                        done = PathBuf::new();
                    }
                    todo.extend(components(target).into_iter().rev());
                }
                _ => done = next,
            }
        }
        Some(done)
    }

    /// What follows `prefix` in the first path from `from` on that has it.
    fn child_after(&self, from: &OsStr, prefix: &[u8]) -> Option<&[u8]> {
        let from = (Bound::Included(from), Bound::Unbounded);
        let (path, _) = self.entries.range::<OsStr, _>(from).next()?;
        path.as_bytes().strip_prefix(prefix)
    }

    fn entry(&self, path: &Path) -> Option<&Entry> {
        self.direct(path, Last::Itself).or_else(|| {
            self.entries
                .get(self.resolve(path, Last::Itself)?.as_os_str())
        })
    }

    /// What has this very name, if the name leads through no link.
    fn direct(&self, path: &Path, last: Last) -> Option<&Entry> {
        let entry = self.entries.get(path.as_os_str())?;
        let mut parts = path.ancestors().skip(usize::from(last == Last::Itself));
        (self.links.is_empty() || !parts.any(|part| self.links.contains(part.as_os_str())))
            .then_some(entry)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Follow,
    Itself,
}

fn components(path: &Path) -> Vec<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}

impl SourceTree for Context {
    fn look(&self, path: &Path) -> Result<Option<Meta>, BuildError> {
        if components(path).is_empty() {
            return Ok(Some(Meta::directory(0)));
        }
        Ok(self.entry(path).map(|entry| entry.meta.clone()))
    }

    fn follow(&self, path: &Path) -> Result<Option<PathBuf>, BuildError> {
        Ok(self.resolve(path, Last::Follow))
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>, BuildError> {
        let Some(dir) = self.resolve(dir, Last::Follow) else {
            return Ok(Vec::new());
        };
        let mut prefix = dir.into_os_string().into_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let mut names: Vec<OsString> = Vec::new();
        let mut from = OsString::from_vec(prefix.clone());
        // What lies deeper is passed over: `dir/name` is followed by `dir/name/…`, and that by `dir/name0…` at the earliest.
        while let Some(rest) = self.child_after(&from, &prefix) {
            match rest.iter().position(|byte| *byte == b'/') {
                None => {
                    names.push(OsStr::from_bytes(rest).to_owned());
                    from = OsString::from_vec([&prefix, rest, b"\0"].concat());
                }
                Some(end) => from = OsString::from_vec([&prefix, &rest[..end], b"0"].concat()),
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + '_>, BuildError> {
        let missing = || BuildError::io("open", path)(io::ErrorKind::NotFound.into());
        let entry = self.entry(path).ok_or_else(missing)?;
        let piece = Piece::new(&self.content, entry.offset, entry.meta.size);
        Ok(Box::new(piece))
    }

    fn digest(&self, path: &Path) -> Result<Digest, BuildError> {
        let missing = || BuildError::io("open", path)(io::ErrorKind::NotFound.into());
        self.entry(path)
            .and_then(|entry| entry.digest.clone())
            .ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    fn archive(entries: &[(&str, Option<&str>, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, link, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            match link {
                Some(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_size(0);
                    header.set_link_name_literal(target).unwrap();
                }
                None => header.set_size(content.len() as u64),
            }
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn links_and_names_stay_inside() {
        let scratch = Scratch::new();
        let bytes = archive(&[
            ("../../evil", None, "e"),
            ("/abs", None, "a"),
            ("dir/f", None, "f"),
            ("up", Some("../../../etc/passwd"), ""),
            ("root", Some("/dir/f"), ""),
            ("loop", Some("loop"), ""),
            ("through", Some("dir"), ""),
        ]);
        let context = Context::read(bytes.as_slice(), scratch.path()).unwrap();
        assert_eq!(context.file("evil", 9).unwrap().unwrap(), b"e");
        assert_eq!(context.file("abs", 9).unwrap().unwrap(), b"a");
        assert_eq!(context.file("root", 9).unwrap().unwrap(), b"f");
        assert_eq!(context.file("through/f", 9).unwrap().unwrap(), b"f");
        assert_eq!(context.file("up", 9).unwrap(), None);
        assert_eq!(context.file("loop", 9).unwrap(), None);
        assert_eq!(context.list(Path::new("dir")).unwrap(), ["f"]);
        assert_eq!(
            std::fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "nothing has a name"
        );
    }

    #[test]
    fn a_folder_can_be_taken_out() {
        let scratch = Scratch::new();
        let bytes = archive(&[(".c/0/x", None, "1"), ("x", None, "2")]);
        let mut context = Context::read(bytes.as_slice(), scratch.path()).unwrap();
        let other = context.take(".c/0").unwrap();
        assert_eq!(other.file("x", 9).unwrap().unwrap(), b"1");
        assert_eq!(context.file("x", 9).unwrap().unwrap(), b"2");
        assert_eq!(context.file(".c/0/x", 9).unwrap(), None);
    }

    #[test]
    fn what_is_ignored_is_gone() {
        let scratch = Scratch::new();
        let bytes = archive(&[("a/x", None, "1"), ("a/y", None, "2"), ("b", None, "3")]);
        let mut context = Context::read(bytes.as_slice(), scratch.path()).unwrap();
        context.ignore(&Ignore::parse(b"a\n!a/y").unwrap()).unwrap();
        assert_eq!(context.file("a/x", 9).unwrap(), None);
        assert_eq!(context.file("a/y", 9).unwrap().unwrap(), b"2");
        assert_eq!(context.list(Path::new("")).unwrap(), ["a", "b"]);
    }
}
