//! Programs of others: what they write we read, and the other way round.

use std::path::Path;
use std::process::{Command, Stdio};

use engine::image::Image;
use engine::registry::Credentials;
use engine::store::Store;

use crate::place::{Place, skip};

fn missing(test: &str, program: &str) -> bool {
    let there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !there {
        println!("SKIP {test}: {program} is not installed");
    }
    !there
}

/// Runs a program that must succeed; gives what it printed.
#[track_caller]
fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{program} {words:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn save(dir: &Path, name: &str, to: &Path) {
    let store = Store::open_existing(dir).unwrap();
    let image = Image::find(&store, name).unwrap();
    let names = vec![engine::image::Reference::parse(name).unwrap()];
    let out = std::fs::File::create(to).unwrap();
    engine::image::save(&store, &[(image, names)], out).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_and_umoci_read_what_we_write() {
    const TEST: &str = "skopeo_and_umoci_read_what_we_write";
    if skip(TEST) || missing(TEST, "skopeo") || missing(TEST, "umoci") {
        return;
    }
    let place = Place::new();
    let registry = place.registry(&[]).await;
    let engine = place.engine("a").await;
    let name = format!("{registry}/peer:1");
    engine
        .import(&name, &[("etc/motd", b"from us"), ("f", &[3; 100_000])])
        .await;
    engine.push(&name, Credentials::default()).await.unwrap();
    let id = engine.id(&name).await;
    let path = |part: &str| place.path(part).display().to_string();

    // Out of our registry, into a layout, and back into our registry.
    let from = format!("docker://{registry}/peer:1");
    let layout = format!("oci:{}:peer", path("layout"));
    tokio::task::spawn_blocking({
        let (layout, bundle, image) = (
            layout.clone(),
            path("bundle"),
            format!("{}:peer", path("layout")),
        );
        let back = format!("docker://{registry}/back:1");
        move || {
            run(
                "skopeo",
                &["copy", "--src-tls-verify=false", &from, &layout],
            );
            run("umoci", &["unpack", "--image", &image, &bundle]);
            let motd = std::fs::read_to_string(Path::new(&bundle).join("rootfs/etc/motd")).unwrap();
            assert_eq!(motd, "from us");
            run(
                "skopeo",
                &["copy", "--dest-tls-verify=false", &layout, &back],
            );
        }
    })
    .await
    .unwrap();
    let other = place.engine("b").await;
    let back = format!("{registry}/back:1");
    other.pull(&back, Credentials::default()).await.unwrap();
    assert_eq!(other.id(&back).await, id);

    // What we save, as a layout and as Docker's archive; what skopeo writes, into our store.
    let archive = place.path("saved.tar");
    save(&place.path("a-data"), &name, &archive);
    let listed = run("tar", &["-tf", &archive.display().to_string()]);
    assert!(listed.contains("oci-layout") && listed.contains("manifest.json"));
    for (source, kind) in [
        ("docker-archive", "oci-archive"),
        ("oci-archive", "docker-archive"),
    ] {
        let copy = path(&format!("{kind}.tar"));
        let from = format!("{source}:{}", archive.display());
        let to = format!("{kind}:{copy}:copied:2");
        run("skopeo", &["copy", &from, &to]);
        let store = Store::open(&place.path(&format!("store-{kind}"))).unwrap();
        let scratch = place.path(&format!("scratch-{kind}"));
        std::fs::create_dir(&scratch).unwrap();
        let file = std::fs::File::open(&copy).unwrap();
        let loaded = engine::image::load(&store, file, &scratch).unwrap();
        assert_eq!(loaded.len(), 1, "{kind}");
        let image = Image::find(&store, "copied:2").unwrap();
        let tree = &image.lowers(&store).unwrap()[0];
        assert_eq!(
            std::fs::read_to_string(tree.join("etc/motd")).unwrap(),
            "from us",
            "{kind}"
        );
    }
}

/// Debian's registry, for as long as the test lasts.
struct Distribution(std::process::Child);

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debians_registry_takes_and_gives_our_images() {
    const TEST: &str = "debians_registry_takes_and_gives_our_images";
    if skip(TEST) || missing(TEST, "docker-registry") {
        return;
    }
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let registry = format!("127.0.0.1:{port}");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {registry}}}\n",
        place.path("distribution").display()
    );
    let config = place.write("registry.yml", config);
    let server = Command::new("docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _server = Distribution(server);
    for _ in 0..200 {
        if std::net::TcpStream::connect(&registry).is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (a, b) = (place.engine("a").await, place.engine("b").await);
    let (name, other) = (format!("{registry}/x/y:1"), format!("{registry}/z:1"));
    a.import(&name, &[("f", &[5; 3_000_000])]).await;
    a.push(&name, Credentials::default()).await.unwrap();
    a.0.tag(&name, &format!("{registry}/z"), "1").await.unwrap();
    let mounted = a.push(&other, Credentials::default()).await.unwrap();
    assert!(
        crate::place::told(&mounted, "Mounted from x/y"),
        "{mounted:?}"
    );
    b.pull(&name, Credentials::default()).await.unwrap();
    assert_eq!(a.id(&name).await, b.id(&name).await);
}
