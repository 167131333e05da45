//! Whoever writes in a volume or a container exchanges directories for links while the engine looks the other way:
//! nothing outside is read, written or mounted (CVE-2018-15664, CVE-2021-30465, CVE-2025-31133, CVE-2025-52565).

use std::ffi::CString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use kernel::fs::Dir;
use serde_json::{Value, json};

use crate::Case;
use crate::engine_process::Engine;

pub(crate) const CASES: &[Case] = &[
    ("copies_of_a_raced_directory_stay_in_the_container", copies),
    ("mounts_on_a_raced_target_stay_in_the_container", targets),
    (
        "a_raced_part_of_a_volume_is_never_another_directory",
        subpath,
    ),
    ("masks_and_the_console_survive_a_raced_dev", masks),
];

/// How often each operation meets the racer; `RACE_ROUNDS` says it otherwise.
fn rounds() -> u32 {
    std::env::var("RACE_ROUNDS").map_or(60, |text| text.parse().unwrap())
}

/// Exchanges two names as fast as it can, until it is dropped.
struct Racer {
    over: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Racer {
    fn start(one: &Path, other: &Path) -> Self {
        let (over, turns) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let names = [one, other].map(|path| CString::new(path.as_os_str().as_bytes()).unwrap());
        let thread = std::thread::spawn({
            let (over, turns) = (Arc::clone(&over), Arc::clone(&turns));
            move || {
                while !over.load(Ordering::Relaxed) {
                    // A name may be missing for a moment while the engine replaces it.
                    if kernel::file::exchange(Dir::Here, &names[0], &names[1]).is_ok() {
                        turns.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::yield_now();
                }
            }
        });
        Self {
            over,
            turns,
            thread: Some(thread),
        }
    }

    /// Ends it; a race that nobody ran proves nothing.
    fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        assert!(
            self.turns.load(Ordering::Relaxed) > u64::from(rounds()),
            "the racer hardly moved"
        );
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A directory of the host that links lead to, and that nobody may touch.
struct Outside(PathBuf);

const SECRET: &str = "secret of the host";

impl Outside {
    fn new(engine: &Engine, name: &str) -> Self {
        let path = engine.dir.join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), SECRET).unwrap();
        Self(path)
    }

    #[track_caller]
    fn check(&self) {
        let names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(names, ["file"], "something was made outside");
        assert_eq!(fs::read_to_string(self.0.join("file")).unwrap(), SECRET);
    }
}

fn archive(name: &str, content: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive
        .append_data(&mut header, name, content.as_bytes())
        .unwrap();
    archive.into_inner().unwrap()
}

/// What the engine sends, to its end: a copy of what changes meanwhile may be cut off.
fn copied_out(engine: &Engine, path: &str) -> Vec<u8> {
    let mut stream = engine.client.connect();
    write!(stream, "GET /containers/copied/archive?path={path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

fn copies(engine: &mut Engine) {
    let outside = Outside::new(engine, "outside-copies");
    let id = engine.run("copied", "sleep 1000", json!({}), Value::Null);
    let pid = engine.state("copied")["Pid"].as_u64().unwrap();
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    fs::create_dir(root.join("dir")).unwrap();
    fs::write(root.join("dir/file"), "of the container").unwrap();
    symlink(&outside.0, root.join("link")).unwrap();
    let racer = Racer::start(&root.join("dir"), &root.join("link"));
    let (mut read, mut written) = (0, 0);
    for _ in 0..rounds() {
        for path in ["/dir/file", "/dir/."] {
            let found = copied_out(engine, path);
            assert!(!contains(&found, SECRET), "the host's {path} came out");
            read += usize::from(contains(&found, "of the container"));
        }
        let put = engine.client.put(
            &format!("/containers/{id}/archive?path=/dir"),
            &archive("new", "evil"),
        );
        written += usize::from(put.status == 200);
        let put = engine.client.put(
            &format!("/containers/{id}/archive?path=/"),
            &archive("dir/file", "of the container, again"),
        );
        written += usize::from(put.status == 200);
        outside.check();
    }
    racer.end();
    assert!(read > 0 && written > 0, "{read} copies out, {written} in");
    engine.client.delete(&format!("/containers/{id}?force=1"));
}

/// The content of a named volume, and its path on the host.
fn volume(engine: &Engine, name: &str) -> PathBuf {
    let made = engine
        .client
        .post("/volumes/create", &json!({ "Name": name }));
    assert_eq!(made.status, 201);
    PathBuf::from(made.json()["Mountpoint"].as_str().unwrap())
}

/// Creates and starts a container, which may be refused; gives what it printed.
fn attempt(engine: &Engine, command: &str, host: &Value, more: &Value) -> Option<String> {
    let mut body = json!({ "Cmd": ["sh", "-c", command], "HostConfig": host });
    body["HostConfig"]["NetworkMode"] = "none".into();
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body["Image"] = "busybox".into();
    let created = engine.client.post("/v1.45/containers/create", &body);
    if created.status != 201 {
        return None;
    }
    let id = created.json()["Id"].as_str().unwrap().to_owned();
    let started = engine
        .client
        .post(&format!("/containers/{id}/start"), &Value::Null);
    let said = (started.status == 204).then(|| {
        engine
            .client
            .post(&format!("/containers/{id}/wait"), &Value::Null);
        let logs = engine
            .client
            .get(&format!("/containers/{id}/logs?stdout=1&stderr=1"));
        if more["Tty"] == true {
            String::from_utf8_lossy(&logs.body).into_owned()
        } else {
            let (out, err) = logs.output();
            out + &err
        }
    });
    engine
        .client
        .delete(&format!("/containers/{id}?force=1&v=1"));
    said
}

fn targets(engine: &mut Engine) {
    let outside = Outside::new(engine, "outside-targets");
    let shared = volume(engine, "raced");
    let own = volume(engine, "mounted");
    fs::write(own.join("own"), "").unwrap();
    fs::create_dir(shared.join("dir")).unwrap();
    symlink(&outside.0, shared.join("link")).unwrap();
    let racer = Racer::start(&shared.join("dir"), &shared.join("link"));
    let host = json!({ "Mounts": [
        { "Type": "volume", "Source": "raced", "Target": "/shared" },
        { "Type": "volume", "Source": "mounted", "Target": "/shared/dir/below" },
        { "Type": "tmpfs", "Target": "/shared/dir/empty" },
    ]});
    let mut started = 0;
    for _ in 0..rounds() {
        // What is written where the mount was asked for comes into the mounted volume or nowhere.
        let command = "touch /shared/dir/below/written; ls /shared/dir/below";
        started += usize::from(attempt(engine, command, &host, &json!({})).is_some());
        outside.check();
        let names: Vec<_> = fs::read_dir(&own)
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert!(
            names.iter().all(|name| name == "own" || name == "written"),
            "{names:?}"
        );
    }
    racer.end();
    assert!(started > 0, "none of them started");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("outside-targets"), "{mounts}");
}

fn subpath(engine: &mut Engine) {
    let outside = Outside::new(engine, "outside-subpath");
    let shared = volume(engine, "parts");
    fs::create_dir_all(shared.join("dir/part")).unwrap();
    fs::write(shared.join("dir/part/own"), "").unwrap();
    fs::create_dir(outside.0.parent().unwrap().join("trap")).unwrap();
    let trap = outside.0.parent().unwrap().join("trap");
    symlink(&outside.0, trap.join("part")).unwrap();
    symlink(&trap, shared.join("link")).unwrap();
    let host = json!({ "Mounts": [{
        "Type": "volume", "Source": "parts", "Target": "/part", "VolumeOptions": { "Subpath": "dir/part" },
    }]});
    // Created while all is well, started when it no longer is: no speed is needed for this one.
    let body = json!({ "Image": "busybox", "Cmd": ["ls", "/part"], "HostConfig": host });
    let created = engine
        .client
        .post("/v1.45/containers/create?name=late", &body);
    assert_eq!(created.status, 201, "{}", created.message());
    let exchange = || {
        let names = ["dir", "link"]
            .map(|name| CString::new(shared.join(name).as_os_str().as_bytes()).unwrap());
        kernel::file::exchange(Dir::Here, &names[0], &names[1]).unwrap();
    };
    exchange();
    let started = engine.client.post("/containers/late/start", &Value::Null);
    assert_ne!(started.status, 204, "a link was followed out of the volume");
    let found = engine
        .client
        .get("/containers/late/archive?path=/part/file");
    assert!(
        !contains(&found.body, SECRET),
        "a file of the host came out"
    );
    exchange();
    engine.client.delete("/containers/late?force=1");
    let racer = Racer::start(&shared.join("dir"), &shared.join("link"));
    let mut started = 0;
    for _ in 0..rounds() {
        if let Some(said) = attempt(
            engine,
            "cat /part/file; echo evil >/part/file; rm -f /part/file",
            &host,
            &json!({}),
        ) {
            assert!(
                !said.contains(SECRET),
                "a file of the host was read: {said}"
            );
            started += 1;
        }
        outside.check();
    }
    racer.end();
    assert!(started > 0, "none of them started");
    fs::remove_dir_all(&trap).unwrap();
}

fn masks(engine: &mut Engine) {
    let dev = volume(engine, "devices");
    // A masked file of /proc would be covered by this, a console be bound over it.
    symlink("/proc/sysrq-trigger", dev.join("trap")).unwrap();
    fs::write(dev.join("null"), "").unwrap();
    symlink("/proc/sysrq-trigger", dev.join("console")).unwrap();
    let racer = Racer::start(&dev.join("null"), &dev.join("trap"));
    let host = json!({ "Mounts": [{ "Type": "volume", "Source": "devices", "Target": "/dev" }] });
    for round in 0..rounds() {
        let more = if round % 2 == 0 {
            json!({})
        } else {
            json!({ "Tty": true })
        };
        // Either it is refused, or what is masked is empty and what is read-only stays so.
        let command =
            "cat /proc/keys /proc/timer_list; echo h >/proc/sysrq-trigger && echo written";
        if let Some(said) = attempt(engine, command, &host, &more) {
            assert!(!said.lines().any(|line| line.trim() == "written"), "{said}");
            assert!(
                !said.contains("keyring") && !said.contains("Timer List"),
                "{said}"
            );
        }
    }
    racer.end();
}
