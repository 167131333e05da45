use std::os::unix::fs::MetadataExt;

use crate::dockerfile::Ignore;
use crate::store::tests::Scratch;
use crate::store::{Packed, pack};

use super::super::Context;
use super::super::copy::Picker;
use super::*;

/// A context of 300 files in 3 folders, with a deeper folder, links and a pipe.
fn context(scratch: &Path) -> Context {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |kind, name: &str, link: &str, content: &[u8], mode| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        archive.append_data(&mut header, name, content).unwrap();
    };
    for folder in ["a", "b", "c"] {
        add(
            tar::EntryType::Directory,
            &format!("files/{folder}"),
            "",
            b"",
            0o750,
        );
        for file in 0..100 {
            let name = format!("files/{folder}/{file}");
            add(tar::EntryType::Regular, &name, "", name.as_bytes(), 0o4711);
        }
    }
    add(
        tar::EntryType::Regular,
        "files/a/deep/er",
        "",
        b"deep",
        0o644,
    );
    add(
        tar::EntryType::Symlink,
        "files/b/link",
        "/etc/passwd",
        b"",
        0o777,
    );
    add(tar::EntryType::Symlink, "files/b/up", "../a", b"", 0o777);
    add(tar::EntryType::Fifo, "files/c/pipe", "", b"", 0o600);
    let bytes = archive.into_inner().unwrap();
    Context::read(bytes.as_slice(), scratch).unwrap()
}

/// Copies `files` to `/new/place`, whose folder `prepare` has had a hand in; gives the layer's archive.
fn copied(context: &Context, filled: Filled, prepare: impl Fn(&Path)) -> Vec<u8> {
    let folder = Scratch::new();
    prepare(folder.path());
    let own = std::fs::metadata(folder.path()).unwrap();
    let root = Tree::open(folder.path()).unwrap();
    let into = Place {
        root: &root,
        layer: (filled == Filled::Later).then_some(&root),
    };
    let exclude = Ignore::default();
    let picker = Picker {
        tree: context,
        instruction: "COPY",
        strict: true,
        parents: false,
        exclude: &exclude,
    };
    let attributes = Attributes {
        owner: (own.uid(), own.gid()),
        mode: None,
        epoch: Some(1_600_000_000),
    };
    let selection = picker.pick(&["files".to_owned()]).unwrap();
    let rest = picker
        .write(&selection, into, "/new/place", attributes)
        .unwrap();
    assert_eq!(
        rest.items.is_empty(),
        filled == Filled::Now || prepared(folder.path())
    );
    rest.write(context, &root).unwrap();
    let mut archive = Vec::new();
    // The folder that was made on the way has the time of the test.
    let place = folder.path().join("new/place");
    let dir = std::fs::File::open(place).unwrap();
    pack(dir.as_fd(), Packed::Layer, &mut archive).unwrap();
    archive
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filled {
    Now,
    Later,
}

/// Whether the destination is reached through a link.
fn prepared(folder: &Path) -> bool {
    folder.join("new").is_symlink()
}

#[test]
fn what_is_written_later_is_the_same_layer() {
    let scratch = Scratch::new();
    let context = context(scratch.path());
    let now = copied(&context, Filled::Now, |_| ());
    assert!(now.len() > 300 * 512);
    assert!(now == copied(&context, Filled::Later, |_| ()));
}

#[test]
fn a_destination_behind_a_link_is_written_at_once() {
    let scratch = Scratch::new();
    let context = context(scratch.path());
    let link = |folder: &Path| {
        std::fs::create_dir(folder.join("real")).unwrap();
        std::os::unix::fs::symlink("real", folder.join("new")).unwrap();
    };
    let now = copied(&context, Filled::Now, |_| ());
    assert!(now == copied(&context, Filled::Later, link));
}
