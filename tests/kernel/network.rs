//! The bridge between containers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kernel::namespace::{Namespaces, unshare};
use kernel::netlink::link;
use kernel::netlink::nftables::{self, Family};
use tests::engine::{Engine, catalogue};
use tests::host::{self, Need};

use crate::{engine, sleeper};

#[test]
fn two_containers_reach_each_other_by_address() {
    let Some(engine) = engine("two_containers_reach_each_other_by_address") else {
        return;
    };
    sleeper(&engine, "left", &[]);
    sleeper(&engine, "right", &[]);
    let address = engine.stdout(&[
        "inspect",
        "--format",
        "{{.NetworkSettings.IPAddress}}",
        "right",
    ]);
    assert!(
        address.parse::<std::net::Ipv4Addr>().is_ok(),
        "{address:?} is no address"
    );
    let ping = engine.run(&["exec", "left", "ping", "-c", "1", "-W", "2", &address]);
    assert!(
        ping.status.success(),
        "{}{}",
        String::from_utf8_lossy(&ping.stdout),
        engine.log()
    );
}

#[test]
fn without_a_network_there_is_only_loopback() {
    let Some(engine) = engine("without_a_network_there_is_only_loopback") else {
        return;
    };
    let links = engine.stdout(&[
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "ls",
        "/sys/class/net",
    ]);
    assert_eq!(links, "lo");
}

/// Attack EXH-5: what containers had is gone after them, however their engine ended.
#[test]
fn containers_and_crashes_leave_no_link_and_no_rule() {
    const TEST: &str = "containers_and_crashes_leave_no_link_and_no_rule";
    if host::lacks(TEST, &[Need::Root, Need::Overlay]) {
        return;
    }
    let Some(catalogue) = catalogue() else {
        host::report(TEST, "QUAI_STORE names no store with the base images");
        return;
    };
    // The network namespace of a thread is its own, and the engine is started in it again after each crash.
    let cycles = std::thread::spawn(move || {
        unshare(Namespaces::NETWORK).expect("root may");
        link::set_up("lo").expect("there is one");
        let mut engine = Engine::start_here(&catalogue).expect("an engine starts");
        engine.stdout(&["pull", "busybox"]);
        engine.stdout(&["network", "create", "n"]);
        let before = (links(), rules());
        for cycle in 0..12_u64 {
            let options = [
                "run",
                "-d",
                "--network",
                "n",
                "-p",
                "80",
                "busybox",
                "sleep",
                "300",
            ];
            engine.stdout(&options);
            // One more is on its way when the engine is killed, each time a little further.
            let mut late = engine
                .docker(&options)
                .spawn()
                .expect("quai can be executed");
            std::thread::sleep(Duration::from_millis(cycle * 15));
            engine
                .crash_and_restart()
                .expect("it starts on what the crash left");
            late.wait().expect("it was started");
            let running = engine.stdout(&["ps", "-q"]);
            assert!(!running.is_empty(), "who ran goes on");
            engine.stdout(&["run", "-d", "--network", "n", "busybox", "sleep", "300"]);
            assert_addresses_are_unique(&engine);
            let all = engine.stdout(&["ps", "-aq"]);
            let mut remove = vec!["rm", "-f"];
            remove.extend(all.split_whitespace());
            engine.stdout(&remove);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while (links(), rules()) != before {
            let now = (links(), rules());
            assert!(
                Instant::now() < deadline,
                "{now:?} instead of {before:?}:\n{}",
                engine.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine.stdout(&["network", "rm", "n"]);
        let own: BTreeSet<_> = links().into_iter().filter(|name| name != "lo").collect();
        assert_eq!(own, BTreeSet::from(["docker0".to_owned()]));
    });
    if let Err(panic) = cycles.join() {
        std::panic::resume_unwind(panic);
    }
}

fn links() -> BTreeSet<String> {
    let names = link::names().expect("the kernel lists its interfaces");
    names.into_iter().collect()
}

fn rules() -> usize {
    let rules = nftables::list(Family::Inet, "docker-bridges");
    rules.expect("the kernel lists its rules").len()
}

#[track_caller]
fn assert_addresses_are_unique(engine: &Engine) {
    let format = "{{range .Containers}}{{.IPv4Address}} {{end}}";
    let told = engine.stdout(&["network", "inspect", "n", "--format", format]);
    let all: Vec<&str> = told.split_whitespace().collect();
    let unique: BTreeSet<&&str> = all.iter().collect();
    assert_eq!(all.len(), unique.len(), "{told}");
    assert!(!all.is_empty());
}
