//! Bridges, addresses and published ports.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use engine::network::bridge::{self, BridgeNetwork, BridgeSettings, Reach};
use engine::network::endpoint::{Endpoint, WayOut, mac_of};
use engine::network::ipam::Addressing;
use engine::network::none;
use engine::network::ports::{self, Protocol, Publication};
use engine::network::rules::{self, Change};
use engine::runtime::handshake::Target;
use kernel::netlink::link;

use crate::Test;
use crate::place::{ALL, Place, drain};

pub(crate) const TESTS: [Test; 3] = [
    (
        "a_container_without_network_has_only_its_loopback",
        only_loopback,
    ),
    ("a_container_pings_its_gateway", gateway),
    ("a_published_port_answers", published),
];

fn docker0() -> BridgeNetwork {
    BridgeNetwork {
        settings: BridgeSettings::named("docker0"),
        reach: Reach::Outside,
        addressing: vec![Addressing::of("172.17.0.0/16".parse().unwrap())],
    }
}

fn endpoint(place: &Place) -> Endpoint {
    let address = Ipv4Addr::new(172, 17, 0, 2);
    Endpoint {
        host_interface: format!("veth{:x}", place.id.len()),
        interface: "eth0".to_owned(),
        mac: mac_of(address.into()),
        addresses: vec![(address.into(), 16)],
        ways_out: vec![WayOut::Gateway(Ipv4Addr::new(172, 17, 0, 1).into())],
        mtu: None,
    }
}

fn only_loopback() {
    let place = Place::new("none");
    let request = place.request(&[
        "sh",
        "-c",
        "ls /sys/class/net; ping -c1 127.0.0.1 | grep -c ttl=",
    ]);
    let created = place.create(&request).unwrap();
    none::attach(created.engine_pid).unwrap();
    let stream = created.shim.attach(Target::Init, ALL).unwrap();
    created.shim.start().unwrap();
    assert_eq!(drain(stream).out, "lo\n1\n");
}

fn gateway() {
    let place = Place::new("gateway");
    bridge::create(&place.stage, &docker0()).unwrap();
    bridge::create(&place.stage, &docker0()).unwrap();
    let line = "ping -c1 -W2 172.17.0.1 | grep -c ttl=; ip -o link show eth0 | grep -o 02:42:ac:11:00:02; \
                ip route | grep default";
    let created = place.create(&place.request(&["sh", "-c", line])).unwrap();
    bridge::attach(
        &place.stage,
        &docker0(),
        created.engine_pid,
        endpoint(&place),
    )
    .unwrap();
    let stream = created.shim.attach(Target::Init, ALL).unwrap();
    created.shim.start().unwrap();
    let done = drain(stream);
    assert_eq!(
        done.out, "1\n02:42:ac:11:00:02\ndefault via 172.17.0.1 dev eth0 \n",
        "{}",
        done.err
    );
    // The pair dies with the container's namespace, in the kernel's own time.
    let gone = || link::index(&endpoint(&place).host_interface).is_none();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !gone() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(gone());
    bridge::remove(&place.stage, &docker0()).unwrap();
}

fn published() {
    let place = Place::new("published");
    bridge::create(&place.stage, &docker0()).unwrap();
    let line = "echo served > /tmp/answer; exec httpd -f -p 80 -h /tmp";
    let created = place.create(&place.request(&["sh", "-c", line])).unwrap();
    bridge::attach(
        &place.stage,
        &docker0(),
        created.engine_pid,
        endpoint(&place),
    )
    .unwrap();
    let any = Ipv4Addr::UNSPECIFIED;
    let held = ports::reserve(&place.stage, (any, 0).into(), Protocol::Tcp).unwrap();
    let host_port = held.port();
    let publication = Publication {
        host_address: any.into(),
        host_port,
        address: Ipv4Addr::new(172, 17, 0, 2).into(),
        port: 80,
        protocol: Protocol::Tcp,
    };
    let planned = rules::plan(&[docker0()], std::slice::from_ref(&publication));
    rules::apply(&place.stage, &planned, Change::First).unwrap();
    created.shim.start().unwrap();
    for host in ["127.0.0.1", "172.17.0.1"] {
        assert!(
            fetch(host, host_port).unwrap().ends_with("served\n"),
            "{host}"
        );
    }
    let counted = rules::list(&place.stage, &planned).unwrap();
    assert!(
        counted
            .iter()
            .any(|rule| rule.chain == "published" && rule.packets > Some(0))
    );
    drop(held);
    let none = rules::plan(&[docker0()], &[]);
    rules::apply(&place.stage, &none, Change::Later).unwrap();
    fetch("172.17.0.1", host_port).unwrap_err();
    rules::clear(&place.stage).unwrap();
    bridge::remove(&place.stage, &docker0()).unwrap();
}

/// The server needs a moment to listen.
fn fetch(host: &str, port: u16) -> std::io::Result<String> {
    let mut last = Ok(String::new());
    for _ in 0..40 {
        let mut text = String::new();
        last = TcpStream::connect((host, port))
            .and_then(|mut stream| {
                stream.write_all(b"GET /answer HTTP/1.0\r\n\r\n")?;
                stream.read_to_string(&mut text)
            })
            .map(|_| text);
        if last.as_ref().is_ok_and(|text| !text.is_empty()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    last
}
