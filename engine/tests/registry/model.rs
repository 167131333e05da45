//! A disk that keeps what was synced and no more, and the calls of a process as strace(1) writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A call that changes files of the folder that is looked at; paths are relative to it.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// A line on the standard output.
    Said(String),
    Open {
        fd: Fd,
        path: PathBuf,
        create: bool,
        truncate: bool,
    },
    Close(Fd),
    Write {
        fd: Fd,
        bytes: Vec<u8>,
    },
    Seek {
        fd: Fd,
        to: usize,
    },
    Size {
        fd: Fd,
        to: usize,
    },
    Dir(PathBuf),
    Node(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFile(Fd),
    SyncAll,
}

/// A descriptor; threads share them.
pub(crate) type Fd = u32;

/// Which part of the truth a crash leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View {
    All,
    Synced,
    NamesFirst,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    is_dir: bool,
    now: Vec<u8>,
    synced: Vec<u8>,
}

/// Names and contents, now and as synced.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    inodes: Vec<Inode>,
    now: BTreeMap<PathBuf, usize>,
    synced: BTreeMap<PathBuf, usize>,
    open: BTreeMap<Fd, (usize, PathBuf, usize)>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Performs a call; says whether a crash after it can differ from one before.
    pub(crate) fn apply(&mut self, call: &Call) -> bool {
        match call {
            Call::Said(_) => return false,
            Call::Open {
                fd,
                path,
                create,
                truncate,
            } => {
                let known = self.now.get(path).copied();
                let inode = match known {
                    Some(inode) => inode,
                    None if path.as_os_str().is_empty() => usize::MAX,
                    None => self.make(path, !create),
                };
                if *truncate && inode != usize::MAX {
                    self.inodes[inode].now.clear();
                }
                self.open.insert(*fd, (inode, path.clone(), 0));
                return *create || *truncate;
            }
            Call::Close(fd) => {
                self.open.remove(fd);
                return false;
            }
            Call::Write { fd, bytes } => {
                let Some((inode, _, at)) = self.open.get_mut(fd) else {
                    return false;
                };
                let data = &mut self.inodes[*inode].now;
                let end = *at + bytes.len();
                if data.len() < end {
                    data.resize(end, 0);
                }
                data[*at..end].copy_from_slice(bytes);
                *at = end;
            }
            Call::Seek { fd, to } => {
                if let Some((_, _, at)) = self.open.get_mut(fd) {
                    *at = *to;
                }
                return false;
            }
            Call::Size { fd, to } => match self.open.get(fd) {
                Some((inode, _, _)) => self.inodes[*inode].now.resize(*to, 0),
                None => return false,
            },
            Call::Dir(path) => {
                self.make(path, true);
            }
            Call::Node(path) => {
                self.make(path, false);
            }
            Call::Rename(from, to) => {
                let moved: Vec<_> = self
                    .now
                    .iter()
                    .filter(|(path, _)| path.starts_with(from))
                    .map(|(path, inode)| (path.clone(), *inode))
                    .collect();
                for (path, inode) in moved {
                    self.now.remove(&path);
                    let rest = path.strip_prefix(from).unwrap();
                    let path = if rest.as_os_str().is_empty() {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    self.now.insert(path, inode);
                }
            }
            Call::Remove(path) => {
                self.now.remove(path);
            }
            Call::SyncFile(fd) => {
                let Some((inode, path, _)) = self.open.get(fd).cloned() else {
                    return false;
                };
                if inode == usize::MAX || self.inodes[inode].is_dir {
                    self.sync_names(&path);
                } else {
                    self.inodes[inode].synced = self.inodes[inode].now.clone();
                }
            }
            Call::SyncAll => {
                for inode in &mut self.inodes {
                    inode.synced = inode.now.clone();
                }
                self.synced = self.now.clone();
            }
        }
        true
    }

    fn make(&mut self, path: &Path, is_dir: bool) -> usize {
        self.inodes.push(Inode {
            is_dir,
            ..Inode::default()
        });
        self.now.insert(path.to_owned(), self.inodes.len() - 1);
        self.inodes.len() - 1
    }

    /// The names in a folder reach the disk, and with a folder that moved what it held on the disk.
    fn sync_names(&mut self, dir: &Path) {
        let here = |path: &Path| path.parent() == Some(dir);
        let before: Vec<(PathBuf, usize)> = self
            .synced
            .iter()
            .filter(|(path, _)| here(path))
            .map(|(path, inode)| (path.clone(), *inode))
            .collect();
        // What each folder held as far as the disk knows, by its inode.
        let mut held: BTreeMap<usize, Vec<(PathBuf, usize)>> = BTreeMap::new();
        for (path, inode) in &before {
            let below = self
                .synced
                .iter()
                .filter(|(other, _)| *other != path && other.starts_with(path));
            let below =
                below.map(|(other, inode)| (other.strip_prefix(path).unwrap().to_owned(), *inode));
            held.insert(*inode, below.collect());
        }
        self.synced.retain(|path, _| {
            path.parent()
                .is_none_or(|_| !path.starts_with(dir) || path == dir)
        });
        let now: Vec<(PathBuf, usize)> = self
            .now
            .iter()
            .filter(|(path, _)| here(path))
            .map(|(path, inode)| (path.clone(), *inode))
            .collect();
        for (path, inode) in now {
            for (below, inode) in held.remove(&inode).unwrap_or_default() {
                self.synced.insert(path.join(below), inode);
            }
            self.synced.insert(path, inode);
        }
    }

    /// Makes what a crash leaves.
    pub(crate) fn lay_out(&self, view: View, dir: &Path) {
        let names = match view {
            View::All | View::NamesFirst => &self.now,
            View::Synced => &self.synced,
        };
        for (path, inode) in names {
            let (path, inode) = (dir.join(path), &self.inodes[*inode]);
            // A name in a folder that the disk does not know is nowhere.
            if !path.parent().unwrap().is_dir() {
                continue;
            }
            if inode.is_dir {
                std::fs::create_dir(&path).unwrap();
            } else {
                let bytes = match view {
                    View::All => &inode.now,
                    View::Synced | View::NamesFirst => &inode.synced,
                };
                std::fs::write(&path, bytes).unwrap();
            }
        }
    }
}

/// Reads what `strace -f -y -xx` wrote about files below `dir`.
pub(crate) fn calls(text: &str, dir: &Path) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(process, start.to_owned());
            continue;
        }
        let whole = match rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            Some((_, end)) => unfinished.remove(process).unwrap_or_default() + end,
            None => rest.to_owned(),
        };
        calls.extend(call(&whole, dir));
    }
    calls
}

fn call(line: &str, dir: &Path) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (words, result) = rest
        .rsplit_once(") = ")
        .or_else(|| rest.rsplit_once(")  = "))?;
    let result = result.trim();
    if result.starts_with('-') {
        return None;
    }
    let words = split(words);
    let number = |text: &str| {
        text.split('<')
            .next()
            .unwrap_or_default()
            .trim()
            .parse::<u32>()
            .ok()
    };
    let at = |place: &str, name: &str| inside(&folder(place).join(string(name)), dir);
    let path = |name: &str| inside(Path::new(&string(name)), dir);
    Some(match name {
        "openat" => Call::Open {
            fd: number(result)?,
            path: at(&words[0], &words[1])?,
            create: words[2].contains("O_CREAT"),
            truncate: words[2].contains("O_TRUNC"),
        },
        "close" => Call::Close(number(&words[0])?),
        "write"
            if words[0].contains("/dev/")
                || number(&words[0])? == 1
                || string(&words[1]).starts_with("done ") =>
        {
            Call::Said(string(&words[1]))
        }
        "write" => Call::Write {
            fd: known(&words[0], dir)?,
            bytes: bytes(&words[1]),
        },
        "writev" | "pwrite64" => {
            known(&words[0], dir)?;
            panic!("the model does not know {line:.200}")
        }
        "lseek" => Call::Seek {
            fd: known(&words[0], dir)?,
            to: result.parse().ok()?,
        },
        "ftruncate" => Call::Size {
            fd: known(&words[0], dir)?,
            to: words[1].trim().parse().ok()?,
        },
        "mkdir" => Call::Dir(path(&words[0])?),
        "mkdirat" => Call::Dir(at(&words[0], &words[1])?),
        "mknodat" => Call::Node(at(&words[0], &words[1])?),
        "rename" => Call::Rename(path(&words[0])?, path(&words[1])?),
        "renameat" | "renameat2" => {
            Call::Rename(at(&words[0], &words[1])?, at(&words[2], &words[3])?)
        }
        "unlink" | "rmdir" => Call::Remove(path(&words[0])?),
        "unlinkat" => Call::Remove(at(&words[0], &words[1])?),
        "fsync" | "fdatasync" => Call::SyncFile(known(&words[0], dir)?),
        "syncfs" => Call::SyncAll,
        _ => return None,
    })
}

/// The number of a descriptor that leads below `dir`.
fn known(word: &str, dir: &Path) -> Option<Fd> {
    inside(&folder(word), dir)?;
    word.split('<').next()?.trim().parse().ok()
}

/// The path that `-y` writes behind a descriptor.
fn folder(word: &str) -> PathBuf {
    let inner = word
        .split_once('<')
        .and_then(|(_, rest)| rest.rsplit_once('>'));
    let text = inner.map_or_else(String::new, |(inner, _)| unescape(inner));
    PathBuf::from(text.trim_end_matches("(deleted)"))
}

fn inside(path: &Path, dir: &Path) -> Option<PathBuf> {
    path.strip_prefix(dir).ok().map(Path::to_owned)
}

fn string(word: &str) -> String {
    String::from_utf8_lossy(&bytes(word)).into_owned()
}

fn bytes(word: &str) -> Vec<u8> {
    let inner = word.trim().trim_start_matches('"').trim_end_matches('"');
    unescape_bytes(inner)
}

fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&unescape_bytes(text)).into_owned()
}

/// `\x2f` → `/`; anything else stands for itself.
fn unescape_bytes(text: &str) -> Vec<u8> {
    let (mut out, bytes, mut at) = (Vec::new(), text.as_bytes(), 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"\\x") && at + 4 <= bytes.len() {
            let digits = std::str::from_utf8(&bytes[at + 2..at + 4]).unwrap();
            out.push(u8::from_str_radix(digits, 16).unwrap());
            at += 4;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// The words of a call: commas in strings are escaped by `-xx`, those in braces do not matter here.
fn split(words: &str) -> Vec<String> {
    words.split(", ").map(str::to_owned).collect()
}
