//! What is done with bytes that nobody has looked at yet: the bodies of the fuzz targets.
//!
//! `fuzz/` runs them on what libFuzzer invents, `tests/fuzz` on the corpus, with every build. A body fails by a panic:
//! refusals are what hostile input is for.

use std::path::{Path, PathBuf};

use engine::api::types::{self, CreateContainer, HostConfig};
use engine::compose::project::{Project, Source};
use engine::dockerfile::{self, Expander, Ignore};
use engine::image::Reference;
use engine::network::ipam::{Addressing, Pool};
use engine::network::subnet::Subnet;
use engine::oci::runtime_spec::Spec;
use engine::oci::{Digest, Document, ImageConfig, Platform};
use engine::runtime::bundle::{self, Wish};
use engine::runtime::plan::Entrance;
use engine::runtime::process::Keyring;
use engine::store::{self, Packed};

/// A target: its name, which is that of its corpus, and its body.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 9] = [
    ("create_body", create_body),
    ("oci_config", oci_config),
    ("layer", layer),
    ("dockerfile", dockerfile),
    ("dockerignore", dockerignore),
    ("manifest", manifest),
    ("reference", reference),
    ("compose", compose),
    ("ipam", ipam),
];

/// The body of `POST /containers/create`: what was understood is written as it is understood again.
pub(crate) fn create_body(bytes: &[u8]) {
    if let Ok(body) = types::from_json::<CreateContainer>(bytes) {
        let written = serde_json::to_vec(&body).expect("a body has string keys only");
        types::from_json::<CreateContainer>(&written).expect("what was written can be read");
    }
    let _ = types::from_json::<HostConfig>(bytes);
}

/// `config.json` of a bundle: a plan or a refusal.
pub(crate) fn oci_config(bytes: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<Spec>(bytes) else {
        return;
    };
    let wish = Wish {
        id: "fuzz".into(),
        bundle: "/bundle".into(),
        directory: "/run/fuzz".into(),
        entrance: Entrance::Pivot,
        passed: 0,
        keyring: Keyring::Inherited,
    };
    let _ = bundle::plan(&spec, &wish);
}

/// The archive of a layer: nothing is made outside its tree, and what was unpacked is packed and unpacked to the same.
pub(crate) fn layer(bytes: &[u8]) {
    let place = Place::new();
    let Ok(()) = unpack(bytes, &place.tree("first")) else {
        place.check_outside();
        return;
    };
    place.check_outside();
    let Some(packed) = pack(&place.tree("first")) else {
        return;
    };
    unpack(&packed, &place.tree("second")).expect("our own archive can be unpacked");
    place.check_outside();
    let again = pack(&place.tree("second")).expect("what was packed once can be packed again");
    assert!(
        packed == again,
        "packing what was packed gives something else"
    );
}

fn unpack(bytes: &[u8], into: &Path) -> Result<(), store::UnpackError> {
    std::fs::create_dir(into).expect("the place is ours");
    store::unpack(bytes, into).map(drop)
}

/// `None` for what no archive holds, such as a socket.
fn pack(tree: &Path) -> Option<Vec<u8>> {
    let dir = std::fs::File::open(tree).expect("it was made");
    let mut packed = Vec::new();
    store::pack(std::os::fd::AsFd::as_fd(&dir), Packed::Layer, &mut packed).ok()?;
    Some(packed)
}

/// A Dockerfile: instructions or a refusal, then warnings, then values.
pub(crate) fn dockerfile(bytes: &[u8]) {
    if let Ok(file) = dockerfile::parse(bytes) {
        let _ = dockerfile::lint(&file);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let lookup = |name: &str| (name.len() < 4).then(|| name.repeat(2));
        for escape in ['\\', '`'] {
            let expander = Expander {
                escape,
                lookup: &lookup,
            };
            let _ = (
                expander.word(text),
                expander.words(text),
                expander.text(text),
            );
        }
    }
}

/// `.dockerignore`, and behind a NUL the path that it judges.
pub(crate) fn dockerignore(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (patterns, path) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or(b"a/b"),
    );
    if let (Ok(ignore), Ok(path)) = (Ignore::parse(patterns), std::str::from_utf8(path)) {
        let first = ignore.excludes(path).ok();
        assert_eq!(
            first,
            ignore.excludes(path).ok(),
            "the same question, another answer"
        );
    }
}

/// What a registry answers for a name, and what it names.
pub(crate) fn manifest(bytes: &[u8]) {
    for told in [
        None,
        Some("application/vnd.oci.image.index.v1+json"),
        Some("x"),
    ] {
        if let Ok(Document::Index(index)) = Document::parse(bytes, told) {
            let _ = index.choose(&Platform::host());
        }
    }
    if let Ok(config) = ImageConfig::parse(bytes) {
        let (written, _) = config.to_document();
        ImageConfig::parse(&written).expect("what was written can be read");
    }
}

/// The name of an image: what is shown of it names the same.
pub(crate) fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(reference) = Reference::parse(text) {
        let shown = reference.familiar();
        let again = Reference::parse(&shown).expect("a shown name is a name");
        assert_eq!(again, reference, "{shown} is another image");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    let _ = text.parse::<Platform>();
}

/// A Compose file: a project or a refusal.
pub(crate) fn compose(bytes: &[u8]) {
    let place = Place::new();
    let file = place.tree("compose.yaml");
    std::fs::write(&file, bytes).expect("the place is ours");
    let _ = Project::load(&Source {
        files: vec![file],
        ..Source::default()
    });
}

/// A subnet, a range, and a program of what is taken (1), given (0) and released (2): nothing is given twice.
pub(crate) fn ipam(bytes: &[u8]) {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut subnet = || -> Option<Subnet> {
        let line = lines.next()?;
        std::str::from_utf8(line).ok()?.parse().ok()
    };
    let Some(whole) = subnet() else {
        return;
    };
    let range =
        subnet().filter(|range| whole.contains(range.address()) && whole.contains(range.last()));
    let addressing = Addressing {
        range,
        ..Addressing::of(whole)
    };
    let Ok(mut pool) = Pool::new(&addressing) else {
        return;
    };
    let mut given = std::collections::BTreeSet::new();
    for byte in lines.next().unwrap_or_default() {
        let address = whole.nth(u128::from(byte >> 2));
        match byte & 3 {
            0 => {
                if let Ok(address) = pool.allocate() {
                    assert!(whole.contains(address), "{address} is not in {whole}");
                    assert_ne!(address, addressing.gateway);
                    assert!(given.insert(address), "{address} is given twice");
                }
            }
            1 => {
                if pool.take(address).is_ok() {
                    assert!(given.insert(address), "{address} is taken twice");
                }
            }
            _ => {
                if given.remove(&address) {
                    pool.release(address);
                }
            }
        }
    }
}

/// A directory with something beside the trees that hostile input may not touch.
struct Place(PathBuf);

const CANARY: &str = "untouched";

impl Place {
    fn new() -> Self {
        let name = format!(
            "quai-fuzz-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a test may write in the temporary folder");
        std::fs::write(path.join("canary"), CANARY).expect("the place is ours");
        Self(path)
    }

    fn tree(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn check_outside(&self) {
        let entries = std::fs::read_dir(&self.0).expect("it is still there");
        let known = ["canary", "first", "second"];
        for entry in entries.flatten() {
            let name = entry.file_name();
            assert!(
                known.iter().any(|known| name == *known),
                "{name:?} was made outside"
            );
        }
        let canary = std::fs::read(self.0.join("canary")).expect("it is still there");
        assert_eq!(canary, CANARY.as_bytes());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
