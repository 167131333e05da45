//! A disk that is full: the pull fails with a clear error, gives its space back, and the next one works.

use std::process::Command;

use engine::registry::Credentials;

use crate::place::{Place, skip};

/// The variable that makes this executable the engine on the small disk; its value is the disk.
const DISK: &str = "QUAI_TEST_DISK";
/// Where the registry is.
const REGISTRY: &str = "QUAI_TEST_REGISTRY";

/// Pulls what does not fit, then what does.
#[tokio::test(flavor = "multi_thread")]
async fn puller() {
    let (Ok(disk), Ok(registry)) = (std::env::var(DISK), std::env::var(REGISTRY)) else {
        return;
    };
    let place = Place::below(disk.as_ref());
    let engine = place.engine("small").await;
    for _ in 0..3 {
        let error = engine
            .pull(&format!("{registry}/big:1"), Credentials::default())
            .await;
        let text = error.unwrap_err().to_string();
        assert!(text.to_lowercase().contains("no space left"), "{text}");
        for part in ["small-data/blobs/sha256", "small-data/layers"] {
            let left = std::fs::read_dir(place.path(part)).unwrap().count();
            assert_eq!(left, 0, "{part} is not empty");
        }
        assert!(
            engine
                .0
                .inspect_image(&format!("{registry}/big:1"))
                .await
                .is_err()
        );
    }
    let small = format!("{registry}/small:1");
    engine.pull(&small, Credentials::default()).await.unwrap();
    engine.0.inspect_image(&small).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_gives_its_space_back() {
    if skip("a_full_disk_gives_its_space_back") {
        return;
    }
    let place = Place::new();
    let registry = place.registry(&[]).await;
    let engine = place.engine("a").await;
    // Numbers that do not compress, so that both the archive and the files need their space.
    let noise: Vec<u8> = (0..3_000_000_u64)
        .flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    for (name, content) in [("big", &noise[..]), ("small", b"fits")] {
        let name = format!("{registry}/{name}:1");
        engine.import(&name, &[("f", content)]).await;
        engine.push(&name, Credentials::default()).await.unwrap();
    }
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    // The mount is the child's own, and goes with it.
    let script = format!(
        "mount -t tmpfs -o size=16m tmpfs {0} && exec {1} --exact full::puller --nocapture",
        disk.display(),
        std::env::current_exe().unwrap().display()
    );
    let output = tokio::task::spawn_blocking(move || {
        Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .env(DISK, &disk)
            .env(REGISTRY, registry.to_string())
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
