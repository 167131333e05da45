//! The power fails after each operation of the store: whatever the disk had by then, it opens and is whole.
//!
//! A writer is recorded by strace(1). Its calls are replayed on a model of a disk that keeps only what POSIX promises:
//! content that was synced, names whose folder was synced, and either without the other. For every prefix three disks
//! are laid out and opened: all that was done (a kill), only what was synced (a power cut), and all names with nothing
//! but synced contents (a disk that wrote its folders first).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::image::{Image, NewImage, Reference, add_image, add_layer, scratch_config};
use engine::store::Store;

use crate::model::{Call, Disk, View, calls};
use crate::place::{Place, archive, skip};

const WRITER: &str = "QUAI_TEST_POWER_WRITER";
const IMAGES: u64 = 4;

/// Adds images, moves a name from one to the next, collects the rest; says what is done.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITER) else {
        return;
    };
    let store = Store::open(Path::new(&dir)).unwrap();
    let name = Reference::parse("moving:1").unwrap();
    for number in 0..IMAGES {
        let layer = archive(&[
            ("d/number", &number.to_le_bytes()),
            ("d/content", &number.to_le_bytes().repeat(500)),
        ]);
        let layer = add_layer(&store, None, layer.as_slice(), None).unwrap();
        let new = NewImage {
            name: Some(&name),
            config: scratch_config(),
            ..NewImage::default()
        };
        add_image(&store, new, &[], Some(&layer)).unwrap();
        // One call, so that strace shows it whole.
        std::fs::write("/dev/stdout", format!("done {number}\n")).unwrap();
        if number % 2 == 1 {
            let tags = store.tags().all().unwrap();
            let nameless = tags.into_keys().filter(|name| name.starts_with("sha256:"));
            let changes: Vec<_> = nameless.map(engine::store::TagsChange::Remove).collect();
            store.tags().apply(changes).unwrap();
            store.collect_garbage(&BTreeSet::new()).unwrap();
        }
    }
}

#[test]
fn a_power_cut_after_any_operation_leaves_a_whole_store() {
    const NAME: &str = "a_power_cut_after_any_operation_leaves_a_whole_store";
    if skip(NAME) {
        return;
    }
    let place = Place::new();
    let (dir, record) = (place.path("store"), place.path("strace"));
    std::fs::create_dir_all(&dir).unwrap();
    let traced = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "4000000", "-e"])
        .arg("trace=openat,open,creat,close,write,writev,pwrite64,lseek,ftruncate,rename,renameat,renameat2,fsync,fdatasync,\
              syncfs,unlink,unlinkat,rmdir,mkdir,mkdirat,mknodat,linkat,symlinkat,dup,fcntl")
        .arg("-o")
        .arg(&record)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "power_cut::writer", "--nocapture"])
        .env(WRITER, &dir)
        .stdout(Stdio::null())
        .status();
    match traced {
        Err(error) => {
            println!("SKIP {NAME}: strace cannot be executed: {error}");
            return;
        }
        Ok(status) => assert!(status.success(), "{status}"),
    }
    let text = std::fs::read_to_string(&record).unwrap();
    let calls = calls(&text, &dir);
    let mut disk = Disk::new();
    let (mut done, mut opened, mut seen) = (None, 0, BTreeMap::new());
    for (number, call) in calls.iter().enumerate() {
        if let Call::Said(line) = call {
            // The test harness speaks too.
            if let Some(number) = line.trim().strip_prefix("done ") {
                done = Some(number.parse().unwrap());
            }
            continue;
        }
        if !disk.apply(call) {
            continue;
        }
        for view in [View::All, View::Synced, View::NamesFirst] {
            let crashed = place.path("crashed");
            let _ = std::fs::remove_dir_all(&crashed);
            std::fs::create_dir_all(&crashed).unwrap();
            disk.lay_out(view, &crashed);
            let newest = whole(&crashed, &format!("call {number} {call:?}, {view:?}"));
            // What was told to be done stays done.
            assert!(
                newest >= done,
                "call {number} {call:?}, {view:?}: {newest:?} after {done:?}"
            );
            *seen.entry(newest).or_insert(0) += 1;
            opened += 1;
        }
    }
    assert_eq!(done, Some(IMAGES - 1));
    assert_eq!(seen.len() as u64, IMAGES + 1, "{seen:?}");
    assert!(opened > 200, "{opened}");
}

/// Opens a store and looks at everything in it; gives the number of the image that has the name.
#[track_caller]
fn whole(dir: &Path, when: &str) -> Option<u64> {
    let store = Store::open(dir).unwrap_or_else(|error| panic!("{when}: {error}"));
    for part in ["blobs/sha256", "layers"] {
        for entry in std::fs::read_dir(dir.join(part)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with('.'), "{when}: {part}/{name} was left");
        }
    }
    for digest in store.blobs().list().unwrap() {
        let verified = store.blobs().verify(&digest, |_| ());
        verified.unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    let mut newest = None;
    for (name, manifest) in store
        .tags()
        .all()
        .unwrap_or_else(|error| panic!("{when}: {error}"))
    {
        let image = Image::load(&store, &manifest);
        let image = image.unwrap_or_else(|error| panic!("{when}: {name}: {error}"));
        for layer in image
            .layers(&store)
            .unwrap_or_else(|error| panic!("{when}: {name}: {error}"))
        {
            let read = |file: &str| {
                let path: PathBuf = layer.tree.join("d").join(file);
                std::fs::read(&path).unwrap_or_else(|error| panic!("{when}: {name}: {error}"))
            };
            let number = read("number");
            assert_eq!(read("content"), number.repeat(500), "{when}: {name}");
            if name.ends_with("moving:1") {
                newest = Some(u64::from_le_bytes(number.try_into().unwrap()));
            }
        }
    }
    newest
}
