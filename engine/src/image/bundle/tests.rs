//! Bundles that arrive whole, and those that must not.

use super::*;
use crate::image::{NewImage, add_image, add_layer, scratch_config};
use crate::store::tests::Scratch;

fn layer_archive(content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, "file", content).unwrap();
    archive.into_inner().unwrap()
}

fn add(store: &Store, name: &str, content: &[u8]) {
    let archive = layer_archive(content);
    let layer = add_layer(store, None, archive.as_slice(), None).unwrap();
    let name = Reference::parse(name).unwrap();
    let new = NewImage {
        name: Some(&name),
        config: scratch_config(),
        ..NewImage::default()
    };
    add_image(store, new, &[], Some(&layer)).unwrap();
}

/// A store with two images, and a course.
fn sample(dir: &Path) -> (Store, Folder) {
    let store = Store::open(&dir.join("from")).unwrap();
    add(&store, "one:1", &[b'1'; 3000]);
    add(&store, "two:2", &[b'2'; 70_000]);
    let files = [("01-module/page.md", "# Un"), ("module.toml", "")];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let course = Folder {
        name: "course".into(),
        files: files.into_iter().collect(),
    };
    (store, course)
}

/// Everything in a store but its lock, as paths.
fn listing(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path.clone());
            }
            if path.file_name().is_some_and(|name| name != "lock") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn import_into(dir: &Path, bundle: &Path) -> (Store, Result<Imported, BundleError>) {
    let scratch = dir.join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let store = Store::open(&dir.join("to")).unwrap();
    let result = import(&store, bundle, &scratch);
    (store, result)
}

#[test]
fn what_is_exported_is_imported_elsewhere() {
    let scratch = Scratch::new();
    let (from, course) = sample(scratch.path());
    for name in ["all.tar", "all.tar.zst"] {
        let bundle = scratch.path().join(name);
        export(&from, &[], std::slice::from_ref(&course), &bundle).unwrap();
        let dir = scratch.path().join(format!("to-{name}"));
        let (to, result) = import_into(&dir, &bundle);
        let imported = result.unwrap();
        assert_eq!(imported.folders, std::slice::from_ref(&course));
        for name in ["one:1", "two:2"] {
            let (before, after) = (Image::find(&from, name), Image::find(&to, name));
            assert_eq!(
                before.unwrap().manifest_digest,
                after.unwrap().manifest_digest
            );
        }
        let tree = &Image::find(&to, "two:2").unwrap().lowers(&to).unwrap()[0];
        assert_eq!(std::fs::read(tree.join("file")).unwrap(), [b'2'; 70_000]);
        assert_eq!(std::fs::read_dir(dir.join("scratch")).unwrap().count(), 0);
    }
    assert!(
        std::fs::metadata(scratch.path().join("all.tar.zst"))
            .unwrap()
            .len()
            < 20_000
    );
}

#[test]
fn only_the_images_that_are_named_go() {
    let scratch = Scratch::new();
    let (from, _) = sample(scratch.path());
    let bundle = scratch.path().join("one.tar");
    export(&from, &["one:1".into()], &[], &bundle).unwrap();
    let (to, result) = import_into(scratch.path(), &bundle);
    assert_eq!(result.unwrap().images.len(), 1);
    assert!(Image::find(&to, "two:2").is_err());
    let missing = export(&from, &["three:3".into()], &[], &bundle);
    assert!(missing.is_err());
}

#[test]
fn a_bundle_is_also_an_archive_that_docker_load_takes() {
    let scratch = Scratch::new();
    let (from, course) = sample(scratch.path());
    let bundle = scratch.path().join("all.tar");
    export(&from, &[], &[course], &bundle).unwrap();
    let to = Store::open(&scratch.path().join("to")).unwrap();
    let files = scratch.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let loaded = crate::image::load(&to, File::open(&bundle).unwrap(), &files).unwrap();
    assert_eq!(loaded.len(), 2);
}

#[test]
fn whatever_byte_is_wrong_nothing_of_the_bundle_is_there() {
    let scratch = Scratch::new();
    let (from, course) = sample(scratch.path());
    let bundle = scratch.path().join("all.tar");
    export(&from, &[], &[course], &bundle).unwrap();
    let whole = std::fs::read(&bundle).unwrap();
    let dir = scratch.path().join("corrupted");
    let empty = listing(Store::open(&dir.join("to")).unwrap().dir());
    let mut refused = 0;
    // One wrong byte in each file of the archive: in its content, which is what digests cover.
    let mut archive = tar::Archive::new(whole.as_slice());
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !name.starts_with("blobs/") {
            continue;
        }
        let mut bytes = whole.clone();
        let at = usize::try_from(entry.raw_file_position() + entry.size() / 2).unwrap();
        bytes[at] ^= 1;
        let bad = scratch.path().join("bad.tar");
        std::fs::write(&bad, &bytes).unwrap();
        let (store, result) = import_into(&dir, &bad);
        assert!(result.is_err(), "a wrong byte in {name}");
        assert_eq!(listing(store.dir()), empty, "a wrong byte in {name}");
        refused += 1;
    }
    assert!(refused >= 8, "{refused}");
    // Cut short anywhere.
    for part in 1..8 {
        let bad = scratch.path().join("cut.tar");
        std::fs::write(&bad, &whole[..whole.len() * part / 8]).unwrap();
        let (store, result) = import_into(&dir, &bad);
        assert!(result.is_err(), "cut after {part} eighths");
        assert_eq!(listing(store.dir()), empty, "cut after {part} eighths");
    }
}

#[test]
fn a_layer_that_is_not_the_one_of_the_configuration_leaves_nothing_of_the_others() {
    let scratch = Scratch::new();
    let (from, _) = sample(scratch.path());
    // The second image's configuration tells another diff id; all digests of the bundle agree with its blobs.
    let image = Image::find(&from, "two:2").unwrap();
    let mut config = image.config.clone();
    config.rootfs.diff_ids[0] = crate::oci::Digest::of(b"another");
    let (document, id) = config.to_document();
    from.blobs().put(&document).unwrap();
    let blob = image.manifest.layers()[0].clone();
    let manifest = crate::oci::manifest_of(
        (document.len() as u64, &id),
        &[(
            LayerFormat::Tar,
            blob.size(),
            blob.digest().to_string().parse().unwrap(),
        )],
    );
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let digest = from.blobs().put(&manifest).unwrap();
    let one = Image::find(&from, "one:1").unwrap();
    let liar = Image::load(&from, &digest).unwrap();
    let images = [
        (one, vec![Reference::parse("one:1").unwrap()]),
        (liar, vec![Reference::parse("liar:1").unwrap()]),
    ];
    let bundle = scratch.path().join("liar.tar");
    let out = File::create(&bundle).unwrap();
    save_with(&from, &images, &[], Naming::Whole, out).unwrap();
    let empty = listing(Store::open(&scratch.path().join("to")).unwrap().dir());
    let (store, result) = import_into(scratch.path(), &bundle);
    assert!(result.is_err());
    assert_eq!(listing(store.dir()), empty);
}

#[test]
fn files_of_a_folder_stay_in_it() {
    for name in ["../evil", "/evil", "a/../../evil", "./a", "a//b"] {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
        let artifact = Artifact {
            kind: format!("{FOLDER}course{FOLDER_END}"),
            bytes: archive.into_inner().unwrap(),
        };
        assert!(
            matches!(unpacked(&artifact), Err(BundleError::Name(_))),
            "{name}"
        );
    }
}
