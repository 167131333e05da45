//! COPY and ADD: which files go where is decided first, then they are written.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kernel::tree::{self, Mtime, Node, Tree};

use crate::dockerfile::{Ignore, PathPattern};
use crate::oci::{Digest, Hasher};

use super::BuildError;
use super::tree::{Kind, Meta, SourceTree};

/// Who owns what is copied, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// `--chown`, else root.
    pub(super) owner: (u32, u32),
    /// `--chmod`.
    pub(super) mode: Option<u32>,
    /// Times after this are set to it (`SOURCE_DATE_EPOCH`).
    pub(super) epoch: Option<i64>,
}

/// What is copied, resolved.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    sources: Vec<Source>,
}

/// One source, links at its end followed.
#[derive(Clone, Debug)]
struct Source {
    /// In the source tree.
    path: PathBuf,
    /// As the destination names it: the last component as written, or with `--parents` the whole path.
    name: PathBuf,
    meta: Meta,
}

/// One file to write.
#[derive(Clone, Debug)]
struct Item {
    from: PathBuf,
    /// Relative to the source's place; empty for the source itself.
    below: PathBuf,
    meta: Meta,
}

/// What is selected and how it is looked through.
#[derive(Debug)]
pub(super) struct Picker<'a> {
    pub(super) tree: &'a dyn SourceTree,
    /// COPY or ADD.
    pub(super) instruction: &'static str,
    /// Whether paths above the root are an error, or the root itself.
    pub(super) strict: bool,
    pub(super) parents: bool,
    pub(super) exclude: &'a Ignore,
}

impl std::fmt::Debug for dyn SourceTree + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceTree")
    }
}

impl Picker<'_> {
    /// Finds the sources that paths and patterns name.
    pub(super) fn pick(&self, paths: &[String]) -> Result<Selection, BuildError> {
        let mut sources = Vec::new();
        for text in paths {
            self.check_inside(text)?;
            let (shown, path) = self.named(text);
            if !text.contains(['*', '?', '[']) {
                let found = self.tree.follow(&path)?.ok_or_else(|| self.missing(text))?;
                let meta = self.tree.look(&found)?.ok_or_else(|| self.missing(text))?;
                sources.push(Source {
                    path: found,
                    name: shown,
                    meta,
                });
                continue;
            }
            let pattern = PathPattern::parse(&path.to_string_lossy())
                .ok_or_else(|| BuildError::Value(format!("syntax error in pattern: {text:?}")))?;
            let before = sources.len();
            self.matching(
                &pattern,
                Path::new(""),
                path.components().count(),
                &mut sources,
            )?;
            if sources.len() == before && self.strict {
                return Err(BuildError::NoSources(self.instruction));
            }
        }
        if sources.is_empty() {
            return Err(BuildError::NoSources(self.instruction));
        }
        Ok(Selection { sources })
    }

    /// The name a source has in the destination, and its clean path.
    fn named(&self, text: &str) -> (PathBuf, PathBuf) {
        let path = tree::clean(Path::new(text));
        if !self.parents {
            return (
                path.file_name().map(PathBuf::from).unwrap_or_default(),
                path,
            );
        }
        // `a/./b/c` keeps only `b/c`.
        let kept = text.split_once("/./").map_or(text, |(_, kept)| kept);
        (tree::clean(Path::new(kept)), path)
    }

    fn check_inside(&self, text: &str) -> Result<(), BuildError> {
        let mut depth = 0i32;
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => depth -= 1,
                _ => depth += 1,
            }
            if depth < 0 && self.strict {
                return Err(BuildError::Outside {
                    instruction: self.instruction,
                    path: text.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn missing(&self, text: &str) -> BuildError {
        let path = text.trim_start_matches('/').to_owned();
        BuildError::NoSource {
            instruction: self.instruction,
            path,
        }
    }

    fn matching(
        &self,
        pattern: &PathPattern,
        dir: &Path,
        depth: usize,
        found: &mut Vec<Source>,
    ) -> Result<(), BuildError> {
        for name in self.tree.list(dir)? {
            let path = dir.join(&name);
            let Some(meta) = self.tree.look(&path)? else {
                continue;
            };
            if pattern.matches(&path.to_string_lossy()) {
                let real = self.tree.follow(&path)?.unwrap_or_else(|| path.clone());
                let meta = self.tree.look(&real)?.unwrap_or(meta);
                let name = if self.parents {
                    path.clone()
                } else {
                    PathBuf::from(&name)
                };
                found.push(Source {
                    path: real,
                    name,
                    meta,
                });
            } else if meta.kind == Kind::Dir
                && (pattern.crosses() || path.components().count() < depth)
            {
                self.matching(pattern, &path, depth, found)?;
            }
        }
        Ok(())
    }

    /// Everything of one source, directories before what is in them.
    fn items(&self, source: &Source) -> Result<Vec<Item>, BuildError> {
        let mut items = vec![Item {
            from: source.path.clone(),
            below: PathBuf::new(),
            meta: source.meta.clone(),
        }];
        let mut next = 0;
        while next < items.len() {
            let Item { from, below, meta } = &items[next];
            if meta.kind == Kind::Dir {
                let (from, below) = (from.clone(), below.clone());
                for name in self.tree.list(&from)? {
                    let (path, shown) = (from.join(&name), below.join(&name));
                    if self.exclude.excludes(&shown.to_string_lossy())?
                        && !self.exclude.keeps_some()
                    {
                        continue;
                    }
                    if let Some(meta) = self.tree.look(&path)? {
                        if meta.kind != Kind::Dir
                            && self.exclude.excludes(&shown.to_string_lossy())?
                        {
                            continue;
                        }
                        items.push(Item {
                            from: path,
                            below: shown,
                            meta,
                        });
                    }
                }
            }
            next += 1;
        }
        Ok(items)
    }

    /// A digest of names, attributes and contents; times do not count, as Docker's cache has it.
    pub(super) fn digest(&self, selection: &Selection) -> Result<Digest, BuildError> {
        let mut all = Hasher::default();
        for source in &selection.sources {
            all.update(source.name.as_os_str().as_bytes());
            let mut items = self.items(source)?;
            items.sort_by(|a, b| a.below.cmp(&b.below));
            for item in items {
                let meta = &item.meta;
                all.update(b"\0");
                all.update(item.below.as_os_str().as_bytes());
                all.update(format!("\0{:o}\0", meta.mode).as_bytes());
                match &meta.kind {
                    Kind::File => all.update(self.tree.digest(&item.from)?.to_string().as_bytes()),
                    Kind::Link(target) => all.update(&[b"l", target.as_bytes()].concat()),
                    Kind::Dir => all.update(b"d"),
                    Kind::Fifo => all.update(b"p"),
                    Kind::Special => all.update(b"s"),
                }
                for (name, value) in &meta.xattrs {
                    all.update(&[name.as_bytes(), b"=", value].concat());
                }
            }
        }
        Ok(all.finish())
    }

    /// Writes what is selected below `root`, at `dest` (absolute, maybe with a slash at its end).
    pub(super) fn write(
        &self,
        selection: &Selection,
        root: &Tree,
        dest: &str,
        attributes: Attributes,
    ) -> Result<(), BuildError> {
        let sources = &selection.sources;
        if sources.len() > 1 && !dest.ends_with('/') && !self.parents {
            return Err(BuildError::NotADirectory(self.instruction));
        }
        let place = tree::clean(Path::new(dest));
        let into =
            dest.ends_with('/') || dest.ends_with("/.") || self.parents || root.dir(&place).is_ok();
        let mut writer = Writer {
            root,
            attributes,
            parent: None,
            times: Vec::new(),
            instruction: self.instruction,
        };
        for source in sources {
            let target = match (&source.meta.kind, into) {
                (Kind::Dir, _) if !self.parents => place.clone(),
                (_, true) => place.join(&source.name),
                (_, false) => place.clone(),
            };
            for item in self.items(source)? {
                let to = if item.below.as_os_str().is_empty() {
                    target.clone()
                } else {
                    target.join(&item.below)
                };
                writer.add(self.tree, &item, &to)?;
            }
        }
        writer.finish()
    }
}

impl Selection {
    /// `file`, `dir` or `multi`: how Docker's history tells a copy.
    pub(super) fn word(&self) -> &'static str {
        match self.sources.as_slice() {
            [
                Source {
                    meta: Meta {
                        kind: Kind::Dir, ..
                    },
                    ..
                },
            ] => "dir",
            [_] => "file",
            _ => "multi",
        }
    }

    /// Path and type of each source.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.sources
            .iter()
            .map(|source| (source.path.as_path(), source.meta.kind == Kind::File))
    }

    /// Without the sources for which `drop` says so.
    pub(super) fn without(&self, drop: &[PathBuf]) -> Self {
        Self {
            sources: self
                .sources
                .iter()
                .filter(|source| !drop.contains(&source.path))
                .cloned()
                .collect(),
        }
    }

    /// Nothing is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// Makes directories down to `path`; new ones get the owner.
pub(super) fn make_dirs(
    root: &Tree,
    path: &Path,
    owner: (u32, u32),
) -> Result<OwnedFd, BuildError> {
    if let Ok(dir) = root.dir(path) {
        return Ok(dir);
    }
    let mut prefix = PathBuf::new();
    for part in path.components() {
        let parent = root.dir(&prefix)?;
        prefix.push(part);
        let name = part.as_os_str();
        match tree::make_dir(parent.as_fd(), name) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                tree::chmod(parent.as_fd(), name, 0o755)?;
                if owner != (0, 0) {
                    tree::chown(parent.as_fd(), name, owner.0, owner.1)?;
                }
            }
        }
    }
    Ok(root.dir(path)?)
}

struct Writer<'a> {
    root: &'a Tree,
    attributes: Attributes,
    /// The folder of the last file: files of one folder follow each other.
    parent: Option<(PathBuf, OwnedFd)>,
    times: Vec<(PathBuf, i64)>,
    instruction: &'static str,
}

impl Writer<'_> {
    fn add(&mut self, tree: &dyn SourceTree, item: &Item, to: &Path) -> Result<(), BuildError> {
        let Some(name) = to.file_name() else {
            return Ok(());
        };
        let folder = to.parent().unwrap_or(Path::new(""));
        if self.parent.as_ref().is_none_or(|(path, _)| path != folder) {
            let dir =
                make_dirs(self.root, folder, self.attributes.owner).map_err(
                    |error| match error {
                        BuildError::Sys(error)
                            if error.source.kind() == io::ErrorKind::NotADirectory =>
                        {
                            BuildError::InTheWay {
                                instruction: self.instruction,
                                path: format!("/{}", folder.display()),
                            }
                        }
                        other => other,
                    },
                )?;
            self.parent = Some((folder.to_owned(), dir));
        }
        let parent = self.parent.as_ref().expect("just set").1.as_fd();
        let (uid, gid) = self.attributes.owner;
        let mtime = self
            .attributes
            .epoch
            .map_or(item.meta.mtime, |epoch| item.meta.mtime.min(epoch));
        let mode = self.attributes.mode.unwrap_or(item.meta.mode);
        match &item.meta.kind {
            Kind::Dir => {
                let existed = match tree::make_dir(parent, name) {
                    Ok(()) => false,
                    Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                        if self.root.dir(to).is_err() {
                            return Err(BuildError::InTheWay {
                                instruction: self.instruction,
                                path: format!("/{}", to.display()),
                            });
                        }
                        true
                    }
                    Err(error) => return Err(error.into()),
                };
                // A destination that was there before keeps its attributes, unless it comes from the source too.
                if existed && item.below.as_os_str().is_empty() {
                    return Ok(());
                }
                let dir = self.root.dir(to)?;
                tree::chown(dir.as_fd(), OsStr::new(""), uid, gid)?;
                tree::chmod(dir.as_fd(), OsStr::new(""), mode)?;
                self.times.push((to.to_owned(), mtime));
                return Ok(());
            }
            Kind::File => {
                let mut file = fresh(parent, name, || tree::create_file(parent, name))?;
                let mut content = tree.open(&item.from)?;
                io::copy(&mut content, &mut file).map_err(BuildError::io("write", to))?;
                if (uid, gid) != (0, 0) {
                    tree::chown(parent, name, uid, gid)?;
                }
                tree::chmod_open(file.as_fd(), mode)?;
                for (name, value) in &item.meta.xattrs {
                    tree::set_xattr(file.as_fd(), name, value)?;
                }
            }
            Kind::Link(target) => {
                fresh(parent, name, || tree::make_symlink(parent, name, target))?;
                tree::chown(parent, name, uid, gid)?;
            }
            Kind::Fifo => {
                fresh(parent, name, || tree::make_node(parent, name, Node::Fifo))?;
                tree::chown(parent, name, uid, gid)?;
                tree::chmod(parent, name, mode)?;
            }
            Kind::Special => return Ok(()),
        }
        tree::set_mtime(
            parent,
            name,
            Mtime {
                seconds: mtime,
                nanoseconds: 0,
            },
        )?;
        Ok(())
    }

    fn finish(self) -> Result<(), BuildError> {
        for (path, mtime) in self.times.iter().rev() {
            if let Ok(dir) = self.root.dir(path) {
                tree::set_mtime(
                    dir.as_fd(),
                    OsStr::new(""),
                    Mtime {
                        seconds: *mtime,
                        nanoseconds: 0,
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// Makes something under a name; what has the name already gives way, unless it is a directory.
fn fresh<T>(
    parent: std::os::fd::BorrowedFd<'_>,
    name: &OsStr,
    make: impl Fn() -> Result<T, kernel::error::SysError>,
) -> Result<T, BuildError> {
    match make() {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
            let is_dir =
                tree::stat(parent, name).is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
            if is_dir {
                let name: OsString = name.to_owned();
                return Err(BuildError::Value(format!(
                    "cannot overwrite directory {} with a file",
                    name.display()
                )));
            }
            tree::remove_all(parent, name)?;
            Ok(make()?)
        }
        done => Ok(done?),
    }
}
