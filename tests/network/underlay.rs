//! What engines speak to each other over: hosts with IPv6 alone, and a store that wants certificates.

use std::path::Path;

use tests::authority::{Authority, Purpose};
use tests::engine::Engine;
use tests::scratch::Scratch;

use crate::lab::{Node, Store, Wire, eventually};
use crate::overlay::needed;

const STORE: &str = "fd00:200::fe";

/// An engine of a host that shows the certificate in a folder.
fn node(wire: &Wire, catalogue: &Path, address: &str, store: &Store, identity: &Path) -> Node {
    let host = wire.host("host", address);
    let url = store.url();
    let option = |key: &str, file: &str| format!("{key}={}", identity.join(file).display());
    let options = [
        option("kv.cacertfile", "ca.pem"),
        option("kv.certfile", "cert.pem"),
        option("kv.keyfile", "key.pem"),
        "discovery.ttl=6".to_owned(),
    ];
    let mut flags = vec!["--cluster-store", &url, "--cluster-advertise", "eth0"];
    for option in &options {
        flags.extend(["--cluster-store-opt", option]);
    }
    let engine = host
        .within(|| Engine::start_here_with(catalogue, &flags))
        .expect("an engine starts");
    let node = Node { engine, host };
    node.docker(&["pull", "-q", "busybox"]);
    node
}

#[test]
fn hosts_with_ipv6_alone_share_networks_through_a_protected_store() {
    let Some(catalogue) = needed("hosts_with_ipv6_alone_share_networks_through_a_protected_store")
    else {
        return;
    };
    let papers = Scratch::create("papers").expect("a scratch directory");
    let (authority, stranger) = (Authority::new(), Authority::new());
    // etcd's gateway asks etcd itself, and shows the same certificate.
    let both = [Purpose::ServerAuth, Purpose::ClientAuth];
    authority.issue(&papers.join("store"), STORE, &both);
    authority.issue(&papers.join("engine"), "engine", &[Purpose::ClientAuth]);
    stranger.issue(&papers.join("stranger"), "engine", &[Purpose::ClientAuth]);
    // It believes the store, which does not believe it; and the other way round.
    let doubter = papers.join("doubter");
    authority.issue(&doubter, "engine", &[Purpose::ClientAuth]);
    std::fs::write(papers.join("stranger/ca.pem"), authority.pem()).expect("a file");
    std::fs::write(doubter.join("ca.pem"), stranger.pem()).expect("a file");

    let wire = Wire::new();
    let store = Store::start_with_tls(&wire, STORE, &papers.join("store"));
    let known = papers.join("engine");
    let a = node(&wire, &catalogue, "fd00:200::1", &store, &known);
    let b = node(&wire, &catalogue, "fd00:200::2", &store, &known);
    let create = ["network", "create", "-d", "overlay", "--attachable"];
    let dual = [
        "--ipv6",
        "--subnet",
        "10.53.0.0/24",
        "--subnet",
        "fd00:53::/64",
        "ov",
    ];
    let mut id = String::new();
    eventually("the store is reached", || {
        let made = a.engine.run(&[&create[..], &dual].concat());
        id = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        made.status.success()
    });
    eventually("the other engine lists it", || b.lists("ov"));
    a.sleeper("c1", &["--network", "ov"]);
    b.sleeper("c2", &["--network", "ov"]);
    let second = b.address("c2", "ov");
    let six = "{{(index .NetworkSettings.Networks \"ov\").GlobalIPv6Address}}";
    let second_six = b.docker(&["inspect", "--format", six, "c2"]);
    eventually("c1 reaches c2 by IPv4", || a.pings("c1", &second));
    eventually("c1 reaches c2 by IPv6", || a.pings("c1", &second_six));
    eventually("and by its name", || b.pings("c2", "c1"));
    let table = a.forwarding(&id);
    assert!(table.contains("dst fd00:200::2"), "{table}");
    // Twenty bytes less than over IPv4, so that nothing has to be cut.
    let most = a.docker(&["exec", "c1", "cat", "/sys/class/net/eth0/mtu"]);
    assert_eq!(most, "1430");
    let whole = ["exec", "c1", "ping", "-c1", "-W2", "-s", "1402", &second];
    eventually("a packet of that size arrives", || {
        a.engine.run(&whole).status.success()
    });

    // Whoever the store does not know, and who does not know the store, gets nothing, and is told why.
    for (who, address) in [("stranger", "fd00:200::3"), ("doubter", "fd00:200::4")] {
        let node = node(&wire, &catalogue, address, &store, &papers.join(who));
        assert!(!node.lists("ov"));
        let told = node.refused(&[&create[..], &["other"]].concat());
        assert!(
            told.to_lowercase().contains("certificate") && told.contains(STORE),
            "{who}: {told}"
        );
    }
}
