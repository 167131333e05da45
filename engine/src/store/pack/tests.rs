//! What is packed comes back as it was, for trees of every shape.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use super::*;
use crate::store::tests::Scratch;
use crate::store::unpack;

#[test]
fn a_layer_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
    for dir in [&from.join("d/e"), &to] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(from.join("d/f"), "hello").unwrap();
    fs::hard_link(from.join("d/f"), from.join("d/g")).unwrap();
    std::os::unix::fs::symlink("../x", from.join("d/e/l")).unwrap();
    let dir = fs::File::open(&from).unwrap();
    let e = fs::File::open(from.join("d/e")).unwrap();
    tree::make_node(e.as_fd(), OsStr::new("gone"), tree::Node::Char(0, 0)).unwrap();
    tree::set_xattr(e.as_fd(), OsStr::new("user.overlay.opaque"), b"y").unwrap();
    let mut archive = Vec::new();
    pack(dir.as_fd(), Packed::Layer, &mut archive).unwrap();
    unpack(archive.as_slice(), &to).unwrap();
    assert_eq!(fs::read_to_string(to.join("d/g")).unwrap(), "hello");
    assert_eq!(fs::metadata(to.join("d/f")).unwrap().nlink(), 2);
    assert_eq!(fs::read_link(to.join("d/e/l")).unwrap(), Path::new("../x"));
    assert_eq!(fs::symlink_metadata(to.join("d/e/gone")).unwrap().rdev(), 0);
    assert!(!tree::xattrs(&to.join("d/e")).unwrap().is_empty());
}

/// Everything that a layer must keep of one entry.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    time: (i64, i64),
    device: u64,
    links: u64,
    content: Vec<u8>,
    xattrs: Vec<(std::ffi::OsString, Vec<u8>)>,
}

fn seen(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = match metadata.file_type() {
                kind if kind.is_symlink() => fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                kind if kind.is_file() => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            let mut xattrs = tree::xattrs(&path).unwrap();
            xattrs.sort();
            let is_dir = metadata.is_dir();
            let whiteout = metadata.file_type().is_char_device() && metadata.rdev() == 0;
            let seen = Seen {
                // A whiteout is a mark and has no attributes of its own.
                mode: if whiteout { 0 } else { metadata.mode() },
                owner: (metadata.uid(), metadata.gid()),
                time: if whiteout {
                    (0, 0)
                } else {
                    (metadata.mtime(), metadata.mtime_nsec())
                },
                device: metadata.rdev(),
                links: if is_dir { 0 } else { metadata.nlink() },
                content,
                xattrs,
            };
            all.insert(path.strip_prefix(root).unwrap().to_owned(), seen);
            if is_dir {
                todo.push(path);
            }
        }
    }
    all
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Makes a tree of every kind of entry; set-user-id, capabilities, times before 1970, names of 255 bytes.
fn grow(root: &Path, dice: &mut Dice) {
    let (mut dirs, mut files) = (vec![root.to_owned()], Vec::new());
    for number in 0..40 {
        let parent = dirs[usize::try_from(dice.roll(dirs.len() as u64)).unwrap()].clone();
        let long = usize::try_from(1 + dice.roll(240)).unwrap();
        let path = parent.join(format!("{number}-{}", "é".repeat(long / 2)));
        let fd = fs::File::open(&parent).unwrap();
        let name = path.file_name().unwrap();
        match dice.roll(8) {
            0 => {
                fs::create_dir(&path).unwrap();
                if dice.roll(2) == 0 {
                    let dir = fs::File::open(&path).unwrap();
                    tree::set_xattr(dir.as_fd(), OsStr::new("user.overlay.opaque"), b"y").unwrap();
                }
                dirs.push(path.clone());
            }
            1 => std::os::unix::fs::symlink("../".repeat(long) + "x", &path).unwrap(),
            2 => tree::make_node(fd.as_fd(), name, tree::Node::Fifo).unwrap(),
            3 => tree::make_node(fd.as_fd(), name, tree::Node::Char(0, 0)).unwrap(),
            4 if !files.is_empty() => {
                let old: &PathBuf = &files[usize::try_from(dice.roll(files.len() as u64)).unwrap()];
                fs::hard_link(old, &path).unwrap();
            }
            _ => {
                let content: Vec<u8> = (0..dice.roll(200_000))
                    .map(|_| u8::try_from(dice.roll(3)).unwrap())
                    .collect();
                fs::write(&path, content).unwrap();
                std::os::unix::fs::chown(&path, Some(1000), Some(3_000_000)).unwrap();
                let modes = [0o644, 0o4755, 0o2711, 0o1777, 0o000];
                let mode = modes[usize::try_from(dice.roll(5)).unwrap()];
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                let file = fs::File::open(&path).unwrap();
                tree::set_xattr(file.as_fd(), OsStr::new("user.note"), b"a\0b\nc=d").unwrap();
                if mode == 0o644 {
                    let capability = [
                        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    ];
                    tree::set_xattr(file.as_fd(), OsStr::new("security.capability"), &capability)
                        .unwrap();
                }
                files.push(path.clone());
            }
        }
        let time = tree::Mtime {
            seconds: i64::try_from(dice.roll(4_000_000_000)).unwrap() - 1_000_000_000,
            nanoseconds: i64::try_from(dice.roll(1_000_000_000)).unwrap(),
        };
        tree::set_mtime(fd.as_fd(), name, time).unwrap();
    }
    // Making entries changed their folders' times: an exact one again.
    for dir in &dirs[1..] {
        let parent = fs::File::open(dir.parent().unwrap()).unwrap();
        let time = tree::Mtime {
            seconds: 1_234_567_890,
            nanoseconds: 987_654_321,
        };
        tree::set_mtime(parent.as_fd(), dir.file_name().unwrap(), time).unwrap();
    }
}

#[test]
fn any_tree_comes_back_as_it_was() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIP any_tree_comes_back_as_it_was: owners and devices need root");
        return;
    }
    for seed in 1..=12 {
        // Not in a temporary file system, which may keep no attributes of users.
        let scratch = Scratch::new();
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        grow(
            &from,
            &mut Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed)),
        );
        let layer = |tree: &Path| {
            let mut archive = Vec::new();
            let dir = fs::File::open(tree).unwrap();
            pack(dir.as_fd(), Packed::Layer, &mut archive).unwrap();
            archive
        };
        let first = layer(&from);
        unpack(first.as_slice(), &to).unwrap();
        let (before, after) = (seen(&from), seen(&to));
        for (path, expected) in &before {
            assert_eq!(
                after.get(path),
                Some(expected),
                "seed {seed}: {}",
                path.display()
            );
        }
        assert_eq!(before.len(), after.len(), "seed {seed}");
        assert!(
            first == layer(&to),
            "seed {seed}: the second archive is another one"
        );
    }
}
