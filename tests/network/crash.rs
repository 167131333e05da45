//! An engine that is killed at any step of any change leaves nothing behind that its next start does not know.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::engine::Engine;

use crate::lab::{Host, Node, eventually, needed};

/// Each is begun and cut short somewhere.
const CHANGES: &[&[&str]] = &[
    &["network", "create", "late"],
    &[
        "network",
        "create",
        "-d",
        "macvlan",
        "-o",
        "parent=up0",
        "late",
    ],
    &["network", "create", "--ipv6", "--internal", "late"],
    &["network", "connect", "n", "idle"],
    &["network", "disconnect", "m", "idle"],
    &[
        "run",
        "-d",
        "--name",
        "late",
        "--network",
        "n",
        "-p",
        "80",
        "-p",
        "9999:81",
        "busybox",
        "sleep",
        "600",
    ],
    &["rm", "-f", "idle"],
    &["network", "rm", "unused"],
];

impl Host {
    /// Everything that an engine makes in a namespace.
    fn inventory(&self) -> BTreeSet<String> {
        let links = self.ip(&["-o", "link"]);
        let name = |line: &str| line.split(": ").nth(1).map(str::to_owned);
        let mut all: BTreeSet<String> = links.lines().filter_map(name).collect();
        let addresses = self.ip(&["-o", "-4", "addr"]);
        all.extend(addresses.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {}", words[1], words[3])
        }));
        let rules = self.run("nft", &["list", "ruleset"]);
        let rule = |line: &&str| {
            line.contains("iifname") || line.contains("oifname") || line.contains("dnat")
        };
        // What a rule has counted is no difference.
        let text = |line: &str| {
            let words = line.split_whitespace();
            words
                .filter(|word| word.parse::<u64>().is_err())
                .collect::<Vec<_>>()
                .join(" ")
        };
        all.extend(rules.lines().filter(rule).map(text));
        all
    }
}

#[test]
fn a_kill_at_any_step_leaves_nothing() {
    let Some(catalogue) = needed("a_kill_at_any_step_leaves_nothing") else {
        return;
    };
    let host = Host::new("crash");
    host.ip(&["link", "add", "up0", "type", "bridge"]);
    let engine = host
        .within(|| Engine::start_here(&catalogue))
        .expect("an engine starts");
    let mut node = Node { engine, host };
    node.docker(&["pull", "-q", "busybox"]);
    node.docker(&["network", "create", "n"]);
    node.docker(&["network", "create", "m"]);
    let before = node.host.inventory();
    for (round, change) in CHANGES.iter().cycle().take(3 * CHANGES.len()).enumerate() {
        node.docker(&["network", "create", "unused"]);
        node.sleeper("idle", &["--network", "m"]);
        let mut begun = node
            .engine
            .docker(change)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("quai can be executed");
        // Another moment each time: some changes have not begun, others are done.
        std::thread::sleep(Duration::from_millis((round as u64 * 7) % 40));
        node.crash_and_restart();
        begun.wait().expect("it was started");

        // Whatever was half done works, or is not there; then nothing is left of it.
        for container in ["idle", "late"] {
            if node.engine.run(&["inspect", container]).status.success() {
                node.docker(&["rm", "-f", container]);
            }
        }
        for network in ["late", "unused"] {
            if node
                .engine
                .run(&["network", "inspect", network])
                .status
                .success()
            {
                node.docker(&["network", "rm", network]);
            }
        }
        eventually(&format!("nothing is left of {change:?}"), || {
            node.host.inventory() == before
        });
        // Its addresses too: the first container of a network has the second address after a start.
        node.crash_and_restart();
        node.sleeper("first", &["--network", "n", "-p", "9999:81"]);
        let address = node.address("first", "n");
        assert!(
            address.ends_with(".0.2"),
            "{change:?} has left an address: {address}"
        );
        node.docker(&["rm", "-f", "first"]);
    }
}
