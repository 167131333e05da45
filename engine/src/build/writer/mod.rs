//! What COPY and ADD write: directories and files, by descriptor inside a root.
//!
//! An overlay is needed to find a destination among the layers below. What goes into a directory that is new in the
//! layer meets nothing of them: it is left for later, when the overlay is gone, and written into the layer itself on
//! several threads. Each file then costs the kernel half as much.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::error::SysError;
use kernel::tree::{self, Mtime, Node, Tree};

use super::BuildError;
use super::tree::{Kind, Meta, SourceTree};

/// Bytes that are copied at once.
const PIECE: usize = 64 << 10;
/// Files that are worth a second thread.
const MANY: usize = 256;
/// More threads would only wait for each other in the file system.
const THREADS: usize = 4;

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

impl Attributes {
    fn mode(&self, meta: &Meta) -> u32 {
        self.mode.unwrap_or(meta.mode)
    }

    fn mtime(&self, meta: &Meta) -> Mtime {
        let seconds = self.epoch.map_or(meta.mtime, |epoch| meta.mtime.min(epoch));
        Mtime {
            seconds,
            nanoseconds: 0,
        }
    }
}

/// One file to write.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) from: PathBuf,
    /// Relative to the source's place; empty for the source itself.
    pub(super) below: PathBuf,
    pub(super) meta: Meta,
}

/// Where is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The new layer together with those below it.
    pub(super) root: &'a Tree,
    /// The new layer alone, if what is left for later will be written.
    pub(super) layer: Option<&'a Tree>,
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

/// Writes one item after the other, directories before what is in them.
pub(super) struct Writer<'a> {
    into: Place<'a>,
    /// The folder of the last file: files of one folder follow each other.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Directories get their times at the end, because making files in them changes it.
    times: Vec<(PathBuf, Mtime)>,
    instruction: &'static str,
    buffer: Vec<u8>,
    rest: Rest,
}

impl<'a> Writer<'a> {
    pub(super) fn new(into: Place<'a>, attributes: Attributes, instruction: &'static str) -> Self {
        Self {
            into,
            parent: None,
            times: Vec::new(),
            instruction,
            buffer: vec![0; PIECE],
            rest: Rest {
                attributes,
                new: HashSet::new(),
                items: Vec::new(),
                times: Vec::new(),
            },
        }
    }

    pub(super) fn add(
        &mut self,
        tree: &dyn SourceTree,
        item: Item,
        to: PathBuf,
    ) -> Result<(), BuildError> {
        let Some(name) = to.file_name() else {
            return Ok(());
        };
        let folder = to.parent().unwrap_or(Path::new(""));
        if self.rest.new.contains(folder.as_os_str()) {
            self.rest.push(item, to);
            return Ok(());
        }
        if self.parent.as_ref().is_none_or(|(path, _)| path != folder) {
            let dir = self.folder(folder)?;
            self.parent = Some((folder.to_owned(), dir));
        }
        let parent = self.parent.as_ref().expect("just set").1.as_fd();
        if item.meta.kind == Kind::Dir {
            return self.directory(&item, &to);
        }
        let attributes = self.rest.attributes;
        make(
            tree,
            &item,
            (parent, name, &to),
            attributes,
            &mut self.buffer,
        )
    }

    /// Opens the folder of an item, making it if missing.
    fn folder(&self, path: &Path) -> Result<OwnedFd, BuildError> {
        make_dirs(self.into.root, path, self.rest.attributes.owner).map_err(|error| match error {
            BuildError::Sys(error) if error.source.kind() == io::ErrorKind::NotADirectory => {
                self.in_the_way(path)
            }
            other => other,
        })
    }

    fn directory(&mut self, item: &Item, to: &Path) -> Result<(), BuildError> {
        let parent = self.parent.as_ref().expect("its folder is open").1.as_fd();
        let existed = match tree::make_dir(parent, to.file_name().unwrap_or_default()) {
            Ok(()) => false,
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => true,
            Err(error) => return Err(error.into()),
        };
        let dir = match self.into.root.dir(to) {
            Err(_) if existed => return Err(self.in_the_way(to)),
            dir => dir?,
        };
        // A destination that was there before keeps its attributes, unless it comes from the source too.
        if existed && item.below.as_os_str().is_empty() {
            return Ok(());
        }
        self.rest.describe(dir.as_fd(), &item.meta)?;
        let mtime = self.rest.attributes.mtime(&item.meta);
        // Its name may lead through links of the layers below: then only the overlay finds it.
        let is_found = |layer: &Tree| layer.dir_without_links(to).is_ok();
        if !existed && self.into.layer.is_some_and(is_found) {
            self.rest.new.insert(to.as_os_str().to_owned());
            self.rest.times.push((to.to_owned(), mtime));
        } else {
            self.times.push((to.to_owned(), mtime));
        }
        Ok(())
    }

    fn in_the_way(&self, path: &Path) -> BuildError {
        BuildError::InTheWay {
            instruction: self.instruction,
            path: format!("/{}", path.display()),
        }
    }

    /// Ends what needs the root; gives what is left.
    pub(super) fn finish(self) -> Result<Rest, BuildError> {
        for (path, mtime) in self.times.iter().rev() {
            if let Ok(dir) = self.into.root.dir(path) {
                tree::set_mtime_open(dir.as_fd(), *mtime)?;
            }
        }
        Ok(self.rest)
    }
}

/// What goes into directories that are new in the layer.
#[derive(Debug)]
pub(super) struct Rest {
    attributes: Attributes,
    /// Those directories.
    new: HashSet<OsString>,
    /// What goes where, directories before what is in them.
    items: Vec<(Item, PathBuf)>,
    times: Vec<(PathBuf, Mtime)>,
}

impl Rest {
    fn push(&mut self, item: Item, to: PathBuf) {
        if item.meta.kind == Kind::Dir {
            self.new.insert(to.as_os_str().to_owned());
        }
        self.items.push((item, to));
    }

    /// Gives a directory its owner and mode.
    fn describe(&self, dir: BorrowedFd<'_>, meta: &Meta) -> Result<(), SysError> {
        let (uid, gid) = self.attributes.owner;
        tree::chown_open(dir, uid, gid)?;
        tree::chmod_open(dir, self.attributes.mode(meta))
    }

    /// Writes it into the layer, where no overlay stands on it any more.
    pub(super) fn write(
        mut self,
        tree: &(dyn SourceTree + '_),
        layer: &Tree,
    ) -> Result<(), BuildError> {
        let items = std::mem::take(&mut self.items);
        let (folders, files): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|(item, _)| item.meta.kind == Kind::Dir);
        for (item, to) in folders {
            let parent = layer.dir_without_links(to.parent().unwrap_or(Path::new("")))?;
            tree::make_dir(parent.as_fd(), to.file_name().unwrap_or_default())?;
            let dir = layer.dir_without_links(&to)?;
            self.describe(dir.as_fd(), &item.meta)?;
            let mtime = self.attributes.mtime(&item.meta);
            self.times.push((to, mtime));
        }
        self.write_files(tree, layer, &files)?;
        for (path, mtime) in self.times.iter().rev() {
            tree::set_mtime_open(layer.dir_without_links(path)?.as_fd(), *mtime)?;
        }
        Ok(())
    }

    fn write_files(
        &self,
        tree: &(dyn SourceTree + '_),
        layer: &Tree,
        files: &[(Item, PathBuf)],
    ) -> Result<(), BuildError> {
        let folders: Vec<_> = files
            .chunk_by(|(_, one), (_, next)| one.parent() == next.parent())
            .collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), BuildError> {
            let mut buffer = vec![0; PIECE];
            while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = folder[0].1.parent().unwrap_or(Path::new(""));
                let parent = layer.dir_without_links(path)?;
                for (item, to) in *folder {
                    let place = (
                        parent.as_fd(),
                        to.file_name().unwrap_or_default(),
                        to.as_path(),
                    );
                    make(tree, item, place, self.attributes, &mut buffer)?;
                }
            }
            Ok(())
        };
        if files.len() < MANY {
            return work();
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(THREADS))
                .map(|_| scope.spawn(work))
                .collect();
            others.into_iter().fold(work(), |done, other| {
                done.and(other.join().expect("writing files does not panic"))
            })
        })
    }
}

/// Makes a file, link or pipe in an open directory, under a name; `to` is for errors.
fn make(
    tree: &dyn SourceTree,
    item: &Item,
    (parent, name, to): (BorrowedFd<'_>, &OsStr, &Path),
    attributes: Attributes,
    buffer: &mut [u8],
) -> Result<(), BuildError> {
    let (uid, gid) = attributes.owner;
    let (mode, mtime) = (attributes.mode(&item.meta), attributes.mtime(&item.meta));
    match &item.meta.kind {
        Kind::File => {
            let mut file = fresh(parent, name, || tree::create_file(parent, name))?;
            let fail = || BuildError::io("write", to);
            let mut content = tree.open(&item.from)?;
            loop {
                match content.read(buffer) {
                    Ok(0) => break,
                    Ok(count) => file.write_all(&buffer[..count]).map_err(fail())?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(fail()(error)),
                }
            }
            if (uid, gid) != (0, 0) {
                tree::chown_open(file.as_fd(), uid, gid)?;
            }
            tree::chmod_open(file.as_fd(), mode)?;
            for (name, value) in &item.meta.xattrs {
                tree::set_xattr(file.as_fd(), name, value)?;
            }
            return Ok(tree::set_mtime_open(file.as_fd(), mtime)?);
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
        Kind::Dir | Kind::Special => return Ok(()),
    }
    Ok(tree::set_mtime(parent, name, mtime)?)
}

/// Makes something under a name; what has the name already gives way, unless it is a directory.
fn fresh<T>(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    make: impl Fn() -> Result<T, SysError>,
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

#[cfg(test)]
mod tests;
