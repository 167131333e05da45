//! A writer that is killed at any instant leaves a store that opens, with whole images only.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::image::{Image, NewImage, Reference, add_image, add_layer, scratch_config};
use engine::store::Store;

use crate::place::{Place, archive, skip};

/// The variable that makes this executable the writer.
const WRITER: &str = "QUAI_TEST_WRITER";

/// Adds images and moves a name between them, for ever.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITER) else {
        return;
    };
    let store = Store::open(std::path::Path::new(&dir)).unwrap();
    let name = Reference::parse("moving:1").unwrap();
    for number in 0_u64.. {
        let content = number.to_le_bytes().repeat(5000);
        let layer = archive(&[("d/number", &number.to_le_bytes()), ("d/content", &content)]);
        let layer = add_layer(&store, None, layer.as_slice(), None).unwrap();
        let new = NewImage {
            name: Some(&name),
            config: scratch_config(),
            ..NewImage::default()
        };
        add_image(&store, new, &[], Some(&layer)).unwrap();
        if number % 4 == 3 {
            store
                .collect_garbage(&std::collections::BTreeSet::new())
                .unwrap();
        }
    }
}

#[test]
fn a_killed_writer_leaves_the_old_or_the_new() {
    if skip("a_killed_writer_leaves_the_old_or_the_new") {
        return;
    }
    let place = Place::new();
    let dir = place.path("store");
    let mut seen = 0;
    for round in 0..25_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::writer", "--nocapture"])
            .env(WRITER, &dir)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + round * 37 % 300));
        child.kill().unwrap();
        child.wait().unwrap();
        if !dir.join("blobs").exists() {
            continue;
        }
        let store = Store::open(&dir).unwrap();
        for part in ["blobs/sha256", "layers"] {
            let left = std::fs::read_dir(dir.join(part)).unwrap();
            for entry in left {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(
                    !name.starts_with('.'),
                    "round {round}: {part}/{name} was left"
                );
            }
        }
        for digest in store.blobs().list().unwrap() {
            store.blobs().verify(&digest, |_| ()).unwrap();
        }
        for (name, manifest) in store.tags().all().unwrap() {
            let image = Image::load(&store, &manifest).unwrap();
            for layer in image.layers(&store).unwrap() {
                let number = std::fs::read(layer.tree.join("d/number")).unwrap();
                let content = std::fs::read(layer.tree.join("d/content")).unwrap();
                assert_eq!(content, number.repeat(5000), "round {round}: {name}");
                store.blobs().verify(&layer.record.blob, |_| ()).unwrap();
            }
            seen += 1;
        }
    }
    assert!(seen > 0, "no image was ever seen");
}
