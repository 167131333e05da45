//! Overlay networks: engines on several hosts share networks through a real etcd, and reach each other by VXLAN.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tests::engine::Engine;
use tests::host;

use crate::lab::{self, Node, Store, Wire, eventually};

const STORE: &str = "10.200.0.254";

/// The catalogue, where there is an etcd too.
pub(crate) fn needed(test: &str) -> Option<PathBuf> {
    if !PathBuf::from("/usr/bin/etcd").is_file() {
        host::report(test, "no etcd is installed (script/setup test installs it)");
        return None;
    }
    lab::needed(test)
}

/// Engines on hosts of one wire, with a store.
struct Cluster {
    nodes: Vec<Node>,
    store: Store,
    wire: Wire,
}

impl Cluster {
    fn start(catalogue: &std::path::Path, hosts: u8) -> Self {
        let wire = Wire::new();
        let store = Store::start(&wire, STORE);
        let nodes = (1..=hosts).map(|number| {
            let host = wire.host("host", &format!("10.200.0.{number}"));
            let url = store.url();
            let flags = [
                "--cluster-store",
                &url,
                "--cluster-advertise",
                "eth0",
                "--cluster-store-opt",
                "discovery.ttl=6",
            ];
            let engine = host
                .within(|| Engine::start_here_with(catalogue, &flags))
                .expect("an engine starts");
            let node = Node { engine, host };
            node.docker(&["pull", "-q", "busybox"]);
            node
        });
        Self {
            nodes: nodes.collect(),
            store,
            wire,
        }
    }

    /// An overlay network that every engine has seen.
    fn network(&self, name: &str, options: &[&str]) -> String {
        let words = [
            &["network", "create", "-d", "overlay", "--attachable"],
            options,
            &[name],
        ];
        let id = self.nodes[0].docker(&words.concat());
        for node in &self.nodes {
            eventually("every engine lists the network", || node.lists(name));
        }
        id
    }
}

impl Node {
    pub(crate) fn lists(&self, network: &str) -> bool {
        let names = self.docker(&["network", "ls", "--format", "{{.Name}}"]);
        names.lines().any(|name| name == network)
    }

    /// The forwarding table of a VXLAN interface.
    pub(crate) fn forwarding(&self, network_id: &str) -> String {
        let name = format!("vx-{}", &network_id[..12]);
        self.host.run("bridge", &["fdb", "show", "dev", &name])
    }

    fn has_link(&self, beginning: &str) -> bool {
        self.host.ip(&["-o", "link"]).contains(beginning)
    }

    fn resolves(&self, container: &str, name: &str) -> Option<String> {
        let output = self.engine.run(&["exec", container, "nslookup", name]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = text.split("Name:").nth(1)?;
        let address = answer
            .split_whitespace()
            .skip_while(|word| !word.starts_with("Address"));
        address
            .skip(1)
            .find(|word| word.contains('.'))
            .map(str::to_owned)
    }
}

/// Module 13.8: c1 on host A reaches c2 on host B; the frames between the hosts are VXLAN.
#[test]
fn containers_of_two_hosts_are_neighbours() {
    let Some(catalogue) = needed("containers_of_two_hosts_are_neighbours") else {
        return;
    };
    let cluster = Cluster::start(&catalogue, 2);
    let [a, b] = cluster.nodes.as_slice() else {
        panic!("two hosts")
    };
    let id = cluster.network("ov", &["--subnet", "10.50.0.0/24"]);
    let scope = [
        "network",
        "inspect",
        "--format",
        "{{.Driver}} {{.Scope}} {{.Id}}",
        "ov",
    ];
    assert_eq!(b.docker(&scope), format!("overlay global {id}"));

    a.sleeper("c1", &["--network", "ov"]);
    b.sleeper("c2", &["--network", "ov", "--network-alias", "web"]);
    let (first, second) = (a.address("c1", "ov"), b.address("c2", "ov"));
    assert_ne!(first, second);
    eventually("c1 reaches c2", || a.pings("c1", &second));
    eventually("c2 reaches c1 by its name", || b.pings("c2", "c1"));
    eventually("c1 knows c2's alias", || {
        a.resolves("c1", "web").as_ref() == Some(&second)
    });

    let seen = cluster
        .wire
        .between()
        .within(|| captured(|| assert!(a.pings("c1", &second))));
    assert!(seen.contains("VXLAN") && seen.contains("4789"), "{seen}");
    assert!(
        a.forwarding(&id).contains("dst 10.200.0.2"),
        "{}",
        a.forwarding(&id)
    );

    // What a learner writes by hand stays, whatever comes and goes.
    let interface = format!("vx-{}", &id[..12]);
    let by_hand = [
        "fdb",
        "append",
        "02:00:00:00:00:99",
        "dev",
        &interface,
        "dst",
        "10.200.0.77",
    ];
    a.host.run("bridge", &by_hand);
    b.docker(&["rm", "-f", "c2"]);
    eventually("the entry of a container goes with it", || {
        !a.forwarding(&id).contains("dst 10.200.0.2 ")
    });
    assert_eq!(a.resolves("c1", "web"), None);
    assert!(a.forwarding(&id).contains("10.200.0.77"));

    // A network that is in use anywhere stays; one that is not goes everywhere, with its interfaces.
    let refusal = b.refused(&["network", "rm", "ov"]);
    assert!(refusal.contains("has active endpoints"), "{refusal}");
    a.docker(&["rm", "-f", "c1"]);
    eventually("nobody is in the network any more", || {
        b.engine.run(&["network", "rm", "ov"]).status.success()
    });
    eventually("the other engine has forgotten it", || !a.lists("ov"));
    for node in &cluster.nodes {
        assert!(!node.has_link("vx-") && !node.has_link("ov-"));
    }
}

/// What passes by while something is done, as tcpdump writes it.
fn captured(work: impl FnOnce()) -> String {
    // Not for ever: what it waits for may never pass.
    let mut tcpdump = std::process::Command::new("timeout");
    tcpdump.args([
        "40", "tcpdump", "-nn", "-l", "-c", "2", "-i", "wire", "udp", "port", "4789",
    ]);
    let child = tcpdump
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tcpdump can be executed");
    let mut child = child;
    // It says so when it listens.
    let mut said = String::new();
    let stderr = child.stderr.take().expect("it is a pipe");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    while !said.contains("listening on") {
        said = lines.next().expect("it listens").expect("it is text");
    }
    work();
    let output = child.wait_with_output().expect("it was started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_two_engines_give_the_same_address() {
    let Some(catalogue) = needed("no_two_engines_give_the_same_address") else {
        return;
    };
    let cluster = Cluster::start(&catalogue, 3);
    cluster.network("ov", &["--subnet", "10.51.0.0/28"]);
    // Fourteen addresses, less the gateway.
    let started: usize = std::thread::scope(|scope| {
        let start = |node: &'static str, of: &Node| {
            let all = (0..6).filter(|number| {
                let name = format!("{node}{number}");
                let run = [
                    "run",
                    "-d",
                    "--name",
                    &name,
                    "--network",
                    "ov",
                    "busybox",
                    "sleep",
                    "600",
                ];
                let output = of.engine.run(&run);
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    output.status.success() || told.contains("no available IPv4 addresses"),
                    "{told}"
                );
                output.status.success()
            });
            all.count()
        };
        let threads: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .zip(&cluster.nodes)
            .map(|(name, node)| scope.spawn(move || start(name, node)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no case fails"))
            .sum()
    });
    assert_eq!(started, 13);
    let mut all = BTreeSet::new();
    for node in &cluster.nodes {
        for id in node.docker(&["ps", "-q"]).split_whitespace() {
            assert!(
                all.insert(node.address(id, "ov")),
                "an address was given twice"
            );
        }
    }
    assert_eq!(all.len(), 13);

    // A fixed address that is another engine's; a subnet and a number that another network has.
    let taken = all.iter().next().expect("there are some").clone();
    for node in &cluster.nodes {
        let told = node.refused(&[
            "run",
            "--rm",
            "--network",
            "ov",
            "--ip",
            &taken,
            "busybox",
            "true",
        ]);
        assert!(told.contains("Address already in use"), "{told}");
    }
    let [_, b, c] = cluster.nodes.as_slice() else {
        panic!("three hosts")
    };
    let vni = "com.docker.network.driver.overlay.vxlanid_list=777";
    let other = [
        "network",
        "create",
        "-d",
        "overlay",
        "--subnet",
        "10.51.0.0/24",
        "x",
    ];
    assert!(b.refused(&other).contains("Pool overlaps"));
    b.docker(&["network", "create", "-d", "overlay", "-o", vni, "y"]);
    let told = c.refused(&["network", "create", "-d", "overlay", "-o", vni, "z"]);
    assert!(told.contains("777"), "{told}");
    let told = c.refused(&["network", "create", "-d", "overlay", "y"]);
    assert!(told.contains("already exists"), "{told}");
}

#[test]
fn engines_and_their_store_may_be_killed() {
    let Some(catalogue) = needed("engines_and_their_store_may_be_killed") else {
        return;
    };
    let mut cluster = Cluster::start(&catalogue, 2);
    let id = cluster.network("ov", &["--subnet", "10.52.0.0/24"]);
    // A container that is started again has its own address at once, however fast it is.
    let fixed = ["--network", "ov", "--ip", "10.52.0.77"];
    cluster.nodes[0].sleeper("fixed", &fixed);
    for _ in 0..3 {
        cluster.nodes[0].docker(&["restart", "-t", "0", "fixed"]);
    }
    assert_eq!(cluster.nodes[0].address("fixed", "ov"), "10.52.0.77");
    cluster.nodes[0].docker(&["rm", "-f", "fixed"]);
    cluster.nodes[0].sleeper("c1", &["--network", "ov"]);
    cluster.nodes[1].sleeper("c2", &["--network", "ov"]);
    let first = cluster.nodes[0].address("c1", "ov");
    let second = cluster.nodes[1].address("c2", "ov");
    eventually("c1 reaches c2", || cluster.nodes[0].pings("c1", &second));

    // The store is away: what runs goes on, what has to be agreed on says why it is not.
    cluster.store.crash();
    assert!(cluster.nodes[0].pings("c1", &second));
    let run = ["run", "--rm", "--network", "ov", "busybox", "true"];
    let told = cluster.nodes[0].refused(&run);
    assert!(
        told.contains("cluster store") && told.contains(STORE),
        "{told}"
    );
    let told = cluster.nodes[1].refused(&["network", "create", "-d", "overlay", "other"]);
    assert!(told.contains("cluster store"), "{told}");
    // An engine that is killed meanwhile comes back with what it remembers.
    cluster.nodes[0].crash_and_restart();
    assert!(cluster.nodes[0].pings("c1", &second));
    cluster.store.restart();
    eventually("containers start again", || {
        cluster.nodes[0].engine.run(&run).status.success()
    });
    eventually("names are known on both sides", || {
        cluster.nodes[0].pings("c1", "c2") && cluster.nodes[1].pings("c2", "c1")
    });

    // An engine is away for longer than its lease: the others forget its containers, until it is back.
    cluster.nodes[0].engine.crash().expect("it runs");
    eventually("the lease ends", || {
        !cluster.nodes[1].forwarding(&id).contains("dst 10.200.0.1 ")
    });
    assert_eq!(cluster.nodes[1].resolves("c2", "c1"), None);
    cluster.nodes[0].restart();
    eventually("it is known again", || cluster.nodes[1].pings("c2", "c1"));
    assert_eq!(cluster.nodes[0].address("c1", "ov"), first);

    cluster.nodes[0].docker(&["rm", "-f", "c1"]);
    cluster.nodes[1].docker(&["rm", "-f", "c2"]);
    eventually("the network can go", || {
        cluster.nodes[1]
            .engine
            .run(&["network", "rm", "ov"])
            .status
            .success()
    });
    eventually("everywhere", || !cluster.nodes[0].lists("ov"));
}

#[test]
fn an_engine_without_a_store_says_what_is_missing() {
    let Some(catalogue) = needed("an_engine_without_a_store_says_what_is_missing") else {
        return;
    };
    let engine = Engine::start(&catalogue).expect("an engine starts");
    let output = engine.run(&["network", "create", "-d", "overlay", "ov"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("--cluster-store"),
        "{told}"
    );
}
