//! The engine, shims and containers are killed at random points: states converge, and nothing is left or lost.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::engine_process::{Engine, spawn};
use crate::processes::{group_directories, group_of, inhabitants, known_ids, programs, shims};
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("nothing_is_lost_or_left_when_anything_is_killed", killed),
    ("a_second_engine_on_the_same_data_is_refused", second),
    ("of_engines_started_at_once_one_stays", at_once),
    ("a_full_disk_is_told_and_survived", full_disk),
];

/// How often something is killed; `FAULTS_KILLS` says it otherwise.
const KILLS: u32 = 100;
/// The end comes earlier on a slow host, in proportion to the kills.
const PATIENCE: Duration = Duration::from_millis(500);

/// A small generator of numbers: a seed makes the same choices again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

/// What was promised to the client: names that must be there at the end.
type Promised = Arc<Mutex<BTreeSet<String>>>;

fn killed(engine: &mut Engine) {
    let seed = std::env::var("FAULTS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| getrandom::u64().unwrap()) | 1;
    println!("FAULTS_SEED={seed}");
    let mut dice = Dice(seed);
    let promised = Promised::default();
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..2)
        .map(|number| {
            let client = Fearless(engine.dir.join("engine.sock"));
            let promised = Arc::clone(&promised);
            let (over, dice) = (Arc::clone(&over), Dice(seed ^ ((number + 7) << 20)));
            std::thread::spawn(move || act(number, &client, &promised, &over, dice))
        })
        .collect();
    let wanted = std::env::var("FAULTS_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let end = Instant::now() + PATIENCE * wanted;
    let mut kills = [0_u32; 3];
    let mut seen = BTreeSet::new();
    while kills.iter().sum::<u32>() < wanted && Instant::now() < end {
        seen.append(&mut known_ids(engine));
        std::thread::sleep(Duration::from_millis(dice.below(250)));
        match dice.below(4) {
            0 | 1 => {
                engine.kill();
                kills[0] += 1;
                std::thread::sleep(Duration::from_millis(dice.below(60)));
                engine.start_again();
            }
            2 => kills[1] += u32::from(kill_one(&mut dice, &shims(engine))),
            _ => kills[2] += u32::from(kill_one(&mut dice, &programs(engine))),
        }
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("a client sees no nonsense");
    }
    println!(
        "killed: {} engines, {} shims, {} containers",
        kills[0], kills[1], kills[2]
    );
    engine.kill();
    engine.start_again();
    let names: BTreeSet<_> = list(&engine.client)
        .iter()
        .map(|container| container["Names"][0].as_str().unwrap()[1..].to_owned())
        .collect();
    let promised = promised.lock().unwrap();
    let lost: Vec<_> = promised.difference(&names).collect();
    assert!(lost.is_empty(), "lost: {lost:?}\nthere: {names:?}");
    wait_until("what is said to run runs, and nothing else", || {
        agrees(engine)
    });
    engine.client.remove_all();
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let left = leftovers(engine, &seen);
        if left.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "this is left: {left:#?}\nlisted: {:#?}\n{}",
            list(&engine.client),
            std::fs::read_to_string(engine.dir.join("engine.log")).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A client that creates, starts, executes, stops and removes, and does not mind a dead engine.
fn act(number: u64, client: &Fearless, promised: &Promised, over: &AtomicBool, mut dice: Dice) {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        count += 1;
        let name = format!("f{number}-{count}");
        let network = if dice.below(3) == 0 { "bridge" } else { "none" };
        let policy = if dice.below(4) == 0 { "always" } else { "no" };
        let body = json!({
            "Image": "busybox", "Cmd": ["sh", "-c", "while true; do echo x; usleep 20000; done"],
            "HostConfig": { "NetworkMode": network, "RestartPolicy": { "Name": policy } },
        });
        let path = format!("/containers/create?name={name}");
        if client.post(&path, &body) != Some(201) {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        promised.lock().unwrap().insert(name.clone());
        client.post(&format!("/containers/{name}/start"), &Value::Null);
        match dice.below(6) {
            0 => {
                client.post(
                    &format!("/containers/{name}/exec"),
                    &json!({ "Cmd": ["true"] }),
                );
            }
            1 => {
                client.post(&format!("/containers/{name}/stop?t=0"), &Value::Null);
            }
            2 => {
                // From here on it may be gone, whatever the answer.
                promised.lock().unwrap().remove(&name);
                client.delete(&format!("/containers/{name}?force=1"));
            }
            3 => {
                client.post(&format!("/containers/{name}/pause"), &Value::Null);
                client.post(&format!("/containers/{name}/unpause"), &Value::Null);
            }
            4 => {
                let path = format!("/commit?container={name}&repo=faults&tag={number}");
                client.post(&path, &json!({}));
            }
            _ => {
                client.post(&format!("/containers/{name}/restart?t=0"), &Value::Null);
            }
        }
    }
}

/// A client of an engine that may be dead.
struct Fearless(PathBuf);

impl Fearless {
    /// Gives the status if there was an answer.
    fn post(&self, path: &str, body: &Value) -> Option<u16> {
        self.request("POST", path, &body.to_string())
    }

    fn delete(&self, path: &str) -> Option<u16> {
        self.request("DELETE", path, "")
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Option<u16> {
        let mut stream = UnixStream::connect(&self.0).ok()?;
        let length = body.len();
        let head = "Host: x\r\nConnection: close\r\nContent-Type: application/json";
        let request =
            format!("{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        // The engine may be killed at any byte.
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        text.split(' ').nth(1)?.parse().ok()
    }
}

fn list(client: &Client) -> Vec<Value> {
    client
        .get("/containers/json?all=1")
        .json()
        .as_array()
        .unwrap()
        .clone()
}

fn kill_one(dice: &mut Dice, pids: &[i32]) -> bool {
    let Ok(count) = u64::try_from(pids.len()) else {
        return false;
    };
    if count == 0 {
        return false;
    }
    let chosen = usize::try_from(dice.below(count)).unwrap();
    kernel::process::kill(pids[chosen], kernel::process::Signal::KILL).is_ok()
}

/// Whether list, shims and processes tell the same story.
fn agrees(engine: &Engine) -> bool {
    let said: BTreeSet<String> = list(&engine.client)
        .iter()
        .filter(|container| matches!(container["State"].as_str(), Some("running" | "paused")))
        .map(|container| container["Id"].as_str().unwrap().to_owned())
        .collect();
    let command = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok();
    let shimmed: BTreeSet<String> = shims(engine)
        .into_iter()
        .filter_map(|pid| Some(command(pid)?.split('\0').nth(2)?.to_owned()))
        .collect();
    let alive: BTreeSet<String> = programs(engine).into_iter().filter_map(group_of).collect();
    said == shimmed && said == alive
}

/// Everything of this engine that outlives its containers, whose ids these were.
fn leftovers(engine: &Engine, seen: &BTreeSet<String>) -> Vec<String> {
    let mut found: Vec<String> = known_ids(engine).into_iter().collect();
    found.extend(inhabitants().iter().map(|one| format!("{one:?}")));
    let groups = seen.iter().flat_map(|id| group_directories(id));
    found.extend(groups.map(|path| path.display().to_string()));
    let folder = std::fs::read_dir(engine.dir.join("exec"))
        .unwrap()
        .flatten();
    let runs = folder.filter_map(|entry| entry.file_name().into_string().ok());
    found.extend(runs.filter(|name| name.len() == 64));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = engine.dir.display().to_string();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&ours))
            .map(str::to_owned),
    );
    let links = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    let links = links.filter_map(|entry| entry.file_name().into_string().ok());
    found.extend(links.filter(|name| name.starts_with("veth")));
    found.extend(shims(engine).iter().map(ToString::to_string));
    found
}

fn second(engine: &mut Engine) {
    let socket = engine.dir.join("second.sock");
    let mut other = spawn(&engine.dir, "second.sock");
    wait_until("the second engine ends", || {
        other.try_wait().unwrap().is_some()
    });
    assert!(!other.wait().unwrap().success());
    let log = engine.log();
    assert!(log.contains("another engine already uses"), "{log}");
    assert!(!socket.exists(), "nobody listens there");
    assert_eq!(
        engine.client.get("/_ping").status,
        200,
        "the first one is not disturbed"
    );
}

fn at_once(engine: &mut Engine) {
    let id = engine.run("of-one", "sleep 1000", json!({}), json!({}));
    for _ in 0..5 {
        engine.kill();
        let names = ["engine.sock", "one.sock", "two.sock", "three.sock"];
        let mut all = names.map(|name| spawn(&engine.dir, name));
        wait_until("all but one have ended", || {
            let ended = |one: &mut std::process::Child| one.try_wait().unwrap().is_some();
            all.iter_mut().map(ended).filter(|ended| *ended).count() == 3
        });
        let winner = all
            .iter_mut()
            .position(|one| one.try_wait().unwrap().is_none())
            .unwrap();
        let client = Client::new(engine.dir.join(names[winner]));
        wait_until("the one answers", || {
            UnixStream::connect(engine.dir.join(names[winner])).is_ok()
        });
        let state = client.get(&format!("/containers/{id}/json")).json();
        assert_eq!(state["State"]["Status"], "running");
        for (name, other) in names.iter().zip(0..) {
            let there = UnixStream::connect(engine.dir.join(name)).is_ok();
            assert_eq!(there, other == winner, "{name}");
        }
        all[winner].kill().unwrap();
        all[winner].wait().unwrap();
        engine.start_again();
    }
    engine.client.delete("/containers/of-one?force=1");
}

fn full_disk(_: &mut Engine) {
    let place = PathBuf::from(format!(
        "/var/tmp/quai-full-{:x}",
        getrandom::u32().unwrap()
    ));
    std::fs::create_dir_all(&place).unwrap();
    let image = place.join("disk.img");
    std::fs::File::create(&image)
        .unwrap()
        .set_len(48 << 20)
        .unwrap();
    let disk = place.join("disk");
    std::fs::create_dir_all(&disk).unwrap();
    let run = |program: &str, words: &[&str]| {
        let output = std::process::Command::new(program).args(words).output();
        output.is_ok_and(|output| output.status.success())
    };
    let (image, target) = (image.display().to_string(), disk.display().to_string());
    if !run("mkfs.ext4", &["-q", "-O", "^has_journal", &image])
        || !run("mount", &["-o", "loop", &image, &target])
    {
        println!("SKIP a_full_disk: no loop device with ext4 here");
        let _ = std::fs::remove_dir_all(&place);
        return;
    }
    let _unmount = Unmount(&disk, &place);
    let engine = Engine::start_in(disk.join("engine"), "{}");
    engine.run("before", "sleep 300", json!({}), json!({}));
    engine.run("ended", "sleep 300", json!({}), json!({}));
    let loud = "while true; do echo a line that has no place any more; done";
    engine.run("loud", loud, json!({}), json!({}));
    let filler = disk.join("filler");
    fill(&filler);
    let wish = json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "none" } });
    let answer = engine.client.post("/containers/create?name=refused", &wish);
    assert_eq!(
        answer.status,
        500,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(
        answer.message().contains("No space left on device"),
        "{}",
        answer.message()
    );
    assert_eq!(engine.client.get("/containers/refused/json").status, 404);
    assert_eq!(
        engine.state("before")["Status"],
        "running",
        "what runs goes on"
    );
    assert_eq!(engine.state("loud")["Status"], "running");
    let stopped = engine
        .client
        .post("/containers/ended/stop?t=0", &Value::Null);
    assert_eq!(stopped.status, 204, "{}", stopped.message());
    assert_eq!(engine.state("ended")["Status"], "exited");
    let commit = "/commit?container=before&repo=full";
    let refused = engine.client.post(commit, &json!({}));
    assert_eq!(refused.status, 500, "{}", refused.message());
    engine.client.post("/containers/loud/kill", &Value::Null);
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(engine.client.post(commit, &json!({})).status, 201);
    assert_eq!(
        engine
            .client
            .post("/containers/create?name=fine", &wish)
            .status,
        201
    );
    assert_eq!(
        engine
            .client
            .post("/containers/fine/start", &Value::Null)
            .status,
        204
    );
    engine.client.remove_all();
}

/// Takes all that is left of a disk, to the last block.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    // What was only promised until now is taken or refused.
    let _ = file.sync_all();
}

struct Unmount<'a>(&'a Path, &'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0)
            .status();
        let _ = std::fs::remove_dir_all(self.1);
    }
}
