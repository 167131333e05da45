//! Archives in both directions, and those that lie.

use tar::Builder;

use super::save::header;
use crate::image::{Image, Reference, add_layer};
use crate::store::Store;

use super::*;
use crate::image::{NewImage, add_image, scratch_config};
use crate::store::tests::Scratch;

fn sample(store: &Store) -> (Image, Vec<Reference>) {
    let mut archive = Builder::new(Vec::new());
    archive
        .append_data(&mut header(5), "f", &b"hello"[..])
        .unwrap();
    let archive = archive.into_inner().unwrap();
    let layer = add_layer(store, None, archive.as_slice(), None).unwrap();
    let name = Reference::parse("sample:1").unwrap();
    let new = NewImage {
        name: Some(&name),
        config: scratch_config(),
        ..NewImage::default()
    };
    add_image(store, new, &[], Some(&layer)).unwrap();
    (Image::find(store, "sample:1").unwrap(), vec![name])
}

#[test]
fn what_is_saved_can_be_loaded_elsewhere() {
    let scratch = Scratch::new();
    let from = Store::open(&scratch.path().join("from")).unwrap();
    let (image, names) = sample(&from);
    let mut archive = Vec::new();
    save(&from, &[(image.clone(), names)], &mut archive).unwrap();
    let to = Store::open(&scratch.path().join("to")).unwrap();
    let files = scratch.path().join("files");
    std::fs::create_dir(&files).unwrap();
    load(&to, archive.as_slice(), &files).unwrap();
    let loaded = Image::find(&to, "sample:1").unwrap();
    assert_eq!(loaded.id, image.id);
    let tree = &loaded.lowers(&to).unwrap()[0];
    assert_eq!(std::fs::read_to_string(tree.join("f")).unwrap(), "hello");
}

#[test]
fn a_layer_that_is_not_the_named_one_is_refused_and_nothing_is_tagged() {
    let scratch = Scratch::new();
    let store = Store::open(&scratch.path().join("store")).unwrap();
    let config =
        br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":
        ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
    let mut layer = Builder::new(Vec::new());
    layer
        .append_data(&mut header(4), "f", &b"evil"[..])
        .unwrap();
    let layer = layer.into_inner().unwrap();
    let manifest = br#"[{"Config":"c.json","RepoTags":["evil:1"],"Layers":["l.tar"]}]"#;
    let mut archive = Builder::new(Vec::new());
    for (name, bytes) in [
        ("c.json", &config[..]),
        ("l.tar", &layer),
        ("manifest.json", manifest),
    ] {
        archive
            .append_data(&mut header(bytes.len() as u64), name, bytes)
            .unwrap();
    }
    let archive = archive.into_inner().unwrap();
    assert!(load(&store, archive.as_slice(), scratch.path()).is_err());
    assert!(store.tags().all().unwrap().is_empty());
    assert!(store.layers().list().unwrap().is_empty());
}
