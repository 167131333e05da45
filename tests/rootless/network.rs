//! Containers and the networks of the host.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use kernel::namespace::Namespaces;

use crate::engine::Rootless;
use crate::host::{HOST, NEIGHBOUR};
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    (
        "containers_reach_the_outside_and_not_the_hosts_loopback",
        outside,
    ),
    (
        "a_published_port_is_reached_from_the_host_and_from_its_neighbours",
        published,
    ),
    (
        "a_port_at_one_address_is_reached_there_only",
        at_one_address,
    ),
    ("udp_is_published_too", udp),
    ("ports_that_cannot_be_had_are_refused", refused),
    ("containers_know_each_other_by_name", names),
];

fn outside(engine: &mut Rootless) {
    // The helper of Debian 12 loses the end of a short connection now and then, or sends its bytes again.
    reaches_the_neighbour(engine, |port| {
        format!("timeout 5 nc {NEIGHBOUR} {port} </dev/null")
    });
    // The host's resolver is on its loopback: containers are told of the helper's forwarder instead.
    let servers = engine.ok(&["run", "--rm", "box", "cat", "/etc/resolv.conf"]);
    assert!(servers.contains("nameserver 169.254.1.1"), "{servers}");
    reaches_no_loopback(engine, &["127.0.0.1", NEIGHBOUR, "172.17.0.1"]);
}

/// A container hears from a server outside, asked by a command that is told its port.
pub(crate) fn reaches_the_neighbour(engine: &Rootless, ask: impl Fn(u16) -> String) {
    const PORT: u16 = 8000;
    let port = PORT.to_string();
    let words = [
        "busybox",
        "nc",
        "-ll",
        "-p",
        &port,
        "-e",
        "echo",
        "neighbour",
    ];
    let mut server = engine
        .host
        .as_neighbour(&words)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the neighbour answers", || {
        TcpStream::connect((NEIGHBOUR, PORT)).is_ok()
    });
    let ask = ask(PORT);
    let line = format!(
        "for i in 1 2 3 4 5 6 7 8 9; do s=$({ask}); test \"$s\" && break; done; echo \"$s\" | head -n 1"
    );
    assert_eq!(
        engine.ok(&["run", "--rm", "box", "sh", "-c", &line]),
        "neighbour"
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

/// No container reaches what listens on the host's loopback, by any of these addresses.
pub(crate) fn reaches_no_loopback(engine: &Rootless, addresses: &[&str]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let addresses = addresses.join(" ");
    let line = format!("for a in {addresses}; do nc -w 1 $a {port} </dev/null; done; true");
    engine.ok(&["run", "--rm", "box", "sh", "-c", &line]);
    engine.ok(&["run", "--rm", "--network=host", "box", "sh", "-c", &line]);
    assert!(
        listener.accept().is_err(),
        "the host's loopback was reached"
    );
}

fn answer(address: &str, port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((address, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The port that a container's port was given on the host.
fn port_of(engine: &Rootless, container: &str, port: &str) -> u16 {
    let told = engine.ok(&["port", container, port]);
    let first = told.lines().next().unwrap();
    first.rsplit(':').next().unwrap().parse().unwrap()
}

const SERVER: [&str; 7] = ["nc", "-ll", "-p", "80", "-e", "echo", "served"];

fn published(engine: &mut Rootless) {
    engine.ok(&[
        &["run", "-d", "--name", "web", "-p", "80", "box"][..],
        &SERVER,
    ]
    .concat());
    let port = port_of(engine, "web", "80");
    for address in ["127.0.0.1", HOST] {
        wait_until(&format!("the port answers at {address}"), || {
            answer(address, port).as_deref() == Some("served\n")
        });
    }
    let from_far = engine
        .host
        .as_neighbour(&["busybox", "nc", "-w", "20", HOST, &port.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&from_far.stdout), "served\n");
    // Containers reach it at their gateway, as on a host that is root's.
    let line = format!("nc -w 20 172.17.0.1 {port} </dev/null");
    assert_eq!(
        engine.ok(&["run", "--rm", "box", "sh", "-c", &line]),
        "served"
    );
    engine.ok(&["rm", "-f", "web"]);
    wait_until("the port is free again", || {
        TcpListener::bind(("0.0.0.0", port)).is_ok()
    });
}

fn at_one_address(engine: &mut Rootless) {
    let words = ["run", "-d", "--name", "local", "-p", "127.0.0.1::80", "box"];
    engine.ok(&[&words[..], &SERVER].concat());
    let port = port_of(engine, "local", "80");
    wait_until("the port answers", || answer("127.0.0.1", port).is_some());
    assert!(TcpStream::connect((HOST, port)).is_err());
    engine.ok(&["rm", "-f", "local"]);
}

fn udp(engine: &mut Rootless) {
    let words = [
        "run", "-d", "--name", "udp", "-p", "53/udp", "box", "sleep", "1000",
    ];
    engine.ok(&words);
    let port = port_of(engine, "udp", "53/udp");
    // busybox serves no UDP: the server is a socket of ours that is made in the container's network.
    let pid = engine.ok(&["inspect", "-f", "{{.State.Pid}}", "udp"]);
    let network = kernel::namespace::open(pid.parse().unwrap(), "net").unwrap();
    let made = std::thread::spawn(move || {
        kernel::namespace::setns(network.as_fd(), Namespaces::NETWORK).unwrap();
        UdpSocket::bind("0.0.0.0:53").unwrap()
    });
    let server = made.join().unwrap();
    let patience = Some(Duration::from_secs(20));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(patience).unwrap();
    server.set_read_timeout(patience).unwrap();
    let mut buffer = [0; 16];
    for question in ["first", "second"] {
        client
            .send_to(question.as_bytes(), ("127.0.0.1", port))
            .unwrap();
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], question.as_bytes());
        server.send_to(b"answer", from).unwrap();
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"answer");
    }
    engine.ok(&["rm", "-f", "udp"]);
}

fn refused(engine: &mut Rootless) {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = format!("{}:80", taken.local_addr().unwrap().port());
    let why = engine.fails(&["run", "--rm", "-p", &port, "box", "true"]);
    assert!(why.contains("address already in use"), "{why}");
    let why = engine.fails(&["run", "--rm", "-p", "80:80", "box", "true"]);
    assert!(why.contains("cannot expose privileged port 80"), "{why}");
    let why = engine.fails(&["run", "--rm", "-p", "9000:80/sctp", "box", "true"]);
    assert!(why.contains("relays tcp and udp only"), "{why}");
}

fn names(engine: &mut Rootless) {
    engine.ok(&["network", "create", "team"]);
    let words = ["run", "-d", "--name", "peer", "--network", "team", "box"];
    engine.ok(&[&words[..], &SERVER].concat());
    let line = "until nc -w 5 peer 80 </dev/null; do sleep 0.2; done";
    let said = engine.ok(&["run", "--rm", "--network", "team", "box", "sh", "-c", line]);
    assert_eq!(said, "served");
    engine.ok(&["rm", "-f", "peer"]);
    engine.ok(&["network", "rm", "team"]);
}
