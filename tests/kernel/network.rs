//! The bridge between containers.

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
