//! COPY and ADD: which files go where is decided first, then they are written.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kernel::tree;

use crate::dockerfile::{Ignore, PathPattern};
use crate::oci::{Digest, Hasher};

use super::BuildError;
use super::tree::{Kind, Meta, SourceTree};
use super::writer::{Attributes, Item, Place, Rest, Writer};

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

    /// Writes what is selected at `dest` (absolute, maybe with a slash at its end); gives what is left for later.
    pub(super) fn write(
        &self,
        selection: &Selection,
        into: Place<'_>,
        dest: &str,
        attributes: Attributes,
    ) -> Result<Rest, BuildError> {
        let sources = &selection.sources;
        if sources.len() > 1 && !dest.ends_with('/') && !self.parents {
            return Err(BuildError::NotADirectory(self.instruction));
        }
        let place = tree::clean(Path::new(dest));
        let below = dest.ends_with('/')
            || dest.ends_with("/.")
            || self.parents
            || into.root.dir(&place).is_ok();
        // What two sources write may meet.
        let into = Place {
            layer: into.layer.filter(|_| sources.len() == 1),
            ..into
        };
        let mut writer = Writer::new(into, attributes, self.instruction);
        for source in sources {
            let target = match (&source.meta.kind, below) {
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
                writer.add(self.tree, item, to)?;
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
