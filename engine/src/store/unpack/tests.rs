//! Hostile archives: nothing outside the tree is made, changed or followed.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use tar::{Builder, EntryType, Header};

use super::*;
use crate::store::tests::Scratch;

/// An archive whose names are written as they are, which `tar`'s own functions would refuse.
struct Hostile(Builder<Vec<u8>>);

impl Hostile {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
        header.set_mtime(1_000_000_000);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes())
    }

    fn dir(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    fn pax(mut self, name: &str, value: &[u8]) -> Self {
        self.0.append_pax_extensions([(name, value)]).unwrap();
        self
    }

    fn unpack(self) -> Outcome {
        let scratch = Scratch::new();
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(scratch.path().join("victim"), "untouched").unwrap();
        let archive = self.0.into_inner().unwrap();
        let result = unpack(archive.as_slice(), &tree);
        Outcome {
            scratch,
            tree,
            result,
        }
    }
}

struct Outcome {
    scratch: Scratch,
    tree: PathBuf,
    result: Result<u64, UnpackError>,
}

impl Outcome {
    /// Beside the tree there is still only the victim, as it was.
    #[track_caller]
    fn stays_inside(&self) {
        let mut beside: Vec<_> = fs::read_dir(self.scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        beside.sort();
        assert_eq!(beside, ["tree", "victim"]);
        let victim = self.scratch.path().join("victim");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(fs::metadata(&victim).unwrap().nlink(), 1);
    }

    #[track_caller]
    fn reads(&self, name: &str) -> String {
        fs::read_to_string(self.tree.join(name)).unwrap()
    }
}

#[test]
fn the_size_is_that_of_the_files() {
    let outcome = Hostile::new().dir("d").file("d/f", "hello").unpack();
    assert_eq!(*outcome.result.as_ref().unwrap(), 5);
    assert_eq!(outcome.reads("d/f"), "hello");
    assert_eq!(
        fs::metadata(outcome.tree.join("d")).unwrap().mtime(),
        1_000_000_000
    );
}

#[test]
fn dots_and_absolute_names_stay_inside() {
    let outcome = Hostile::new()
        .file("../../victim", "a")
        .file("/abs", "b")
        .file("a/../../victim", "c")
        .dir("..")
        .unpack();
    outcome.result.as_ref().unwrap();
    outcome.stays_inside();
    assert_eq!(outcome.reads("victim"), "c");
    assert_eq!(outcome.reads("abs"), "b");
}

#[test]
fn a_file_below_a_link_stays_inside() {
    for target in ["..", "/", "../..", "/tmp", "/proc/self/cwd", "/proc/1/root"] {
        let outcome = Hostile::new()
            .symlink("l", target)
            .file("l/victim", "x")
            .unpack();
        outcome.stays_inside();
        assert!(!PathBuf::from("/tmp/victim").exists(), "{target}");
    }
}

#[test]
fn a_file_replaces_a_link_and_does_not_write_through_it() {
    let outcome = Hostile::new()
        .symlink("f", "../victim")
        .file("f", "mine")
        .unpack();
    outcome.result.as_ref().unwrap();
    outcome.stays_inside();
    assert!(
        fs::symlink_metadata(outcome.tree.join("f"))
            .unwrap()
            .is_file()
    );
}

#[test]
fn hard_links_reach_only_the_tree() {
    for target in ["../victim", "/../victim", "l/victim"] {
        let outcome = Hostile::new()
            .symlink("l", "..")
            .hard_link("h", target)
            .file("h", "overwritten")
            .unpack();
        outcome.stays_inside();
    }
    let outcome = Hostile::new()
        .file("a", "shared")
        .hard_link("b", "a")
        .unpack();
    outcome.result.as_ref().unwrap();
    assert_eq!(fs::metadata(outcome.tree.join("a")).unwrap().nlink(), 2);
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_not_followed() {
    let outcome = Hostile::new()
        .symlink("l", "../victim")
        .hard_link("h", "l")
        .unpack();
    outcome.result.as_ref().unwrap();
    outcome.stays_inside();
    assert!(
        fs::symlink_metadata(outcome.tree.join("h"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn every_order_of_kinds_ends_with_the_last() {
    type Step = fn(Hostile) -> Hostile;
    let kinds: [(&str, Step); 4] = [
        ("file", |archive| archive.file("x", "f")),
        ("dir", |archive| archive.dir("x").file("x/inner", "i")),
        ("link", |archive| archive.symlink("x", "../victim")),
        ("hard", |archive| {
            archive.file("other", "o").hard_link("x", "other")
        }),
    ];
    for (first_name, first) in kinds {
        for (second_name, second) in kinds {
            let outcome = second(first(Hostile::new())).unpack();
            outcome
                .result
                .as_ref()
                .unwrap_or_else(|error| panic!("{first_name} {second_name}: {error}"));
            outcome.stays_inside();
            let kind = fs::symlink_metadata(outcome.tree.join("x"))
                .unwrap()
                .file_type();
            let expected = match second_name {
                "dir" => kind.is_dir(),
                "link" => kind.is_symlink(),
                _ => kind.is_file(),
            };
            assert!(expected, "{first_name} then {second_name}");
        }
    }
}

#[test]
fn whiteouts_take_overlays_form() {
    let outcome = Hostile::new()
        .dir("d")
        .file("d/.wh.gone", "")
        .file("d/.wh..wh..opq", "")
        .file(".wh...", "")
        .unpack();
    outcome.result.as_ref().unwrap();
    outcome.stays_inside();
    let gone = fs::symlink_metadata(outcome.tree.join("d/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let marks = tree::xattrs(&outcome.tree.join("d")).unwrap();
    assert!(marks.contains(&("user.overlay.opaque".into(), b"y".to_vec())));
}

#[test]
fn overlays_own_attributes_are_not_taken_from_archives() {
    let outcome = Hostile::new()
        .pax("SCHILY.xattr.user.overlay.redirect", b"/etc")
        .dir("d")
        .pax("SCHILY.xattr.trusted.overlay.opaque", b"y")
        .dir("e")
        .pax("SCHILY.xattr.user.note", b"kept")
        .file("f", "")
        .unpack();
    outcome.result.as_ref().unwrap();
    let names = |name: &str| tree::xattrs(&outcome.tree.join(name)).unwrap();
    assert!(names("d").is_empty() && names("e").is_empty());
    assert_eq!(names("f"), [("user.note".into(), b"kept".to_vec())]);
}

#[test]
fn special_files_do_not_hang_or_open() {
    let outcome = Hostile::new().entry(EntryType::Fifo, "p", "", b"").unpack();
    outcome.result.as_ref().unwrap();
    assert!(
        fs::symlink_metadata(outcome.tree.join("p"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
}

#[test]
fn a_set_user_id_bit_survives_the_change_of_owner() {
    let mut header = Header::new_ustar();
    header.set_path("su").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_size(0);
    header.set_mode(0o4755);
    header.set_cksum();
    let mut archive = Hostile::new();
    archive.0.append(&header, &b""[..]).unwrap();
    let outcome = archive.unpack();
    outcome.result.as_ref().unwrap();
    assert_eq!(
        fs::metadata(outcome.tree.join("su"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o4755
    );
}

#[test]
fn a_size_beyond_the_stream_is_an_error() {
    let scratch = Scratch::new();
    let mut header = Header::new_ustar();
    header.set_path("big").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    let archive = [header.as_bytes().as_slice(), b"short"].concat();
    assert!(unpack(archive.as_slice(), scratch.path()).is_err());
}

#[test]
fn times_between_seconds_and_before_1970_are_kept() {
    for (text, seconds, nanoseconds) in [
        ("1700000000.123456789", 1_700_000_000, 123_456_789),
        ("1700000000.5", 1_700_000_000, 500_000_000),
        ("7", 7, 0),
        ("-1", -1, 0),
        ("-1.25", -2, 750_000_000),
        ("-0.25", -1, 750_000_000),
        ("3.9999999999", 3, 999_999_999),
    ] {
        assert_eq!(
            pax_time(text),
            Some(Mtime {
                seconds,
                nanoseconds
            }),
            "{text}"
        );
    }
    for bad in ["", ".", "x", "1.x", "1.-5", "99999999999999999999"] {
        assert_eq!(pax_time(bad), None, "{bad:?}");
    }
}

#[test]
fn zeros_become_holes_and_the_content_stays() {
    let mut content = vec![0; 1 << 20];
    content[300_000] = 7;
    let outcome = Hostile::new()
        .entry(EntryType::Regular, "sparse", "", &content)
        .unpack();
    outcome.result.as_ref().unwrap();
    let path = outcome.tree.join("sparse");
    assert_eq!(fs::read(&path).unwrap(), content);
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 1 << 19);
}
