//! What 127.0.0.11 does with questions that no network answers: it asks the configured servers, and only them.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tests::engine::Engine;

use crate::lab::{Host, Node, Wire, eventually, needed};

const SERVER: &str = "10.200.0.53";

/// A server that answers every question about `*.example` with 192.0.2.7, and long ones over TCP only.
struct Server {
    _host: Host,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(wire: &Wire) -> Self {
        let host = wire.host("names", SERVER);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (udp, tcp) = host.within(|| {
            let own = (Ipv4Addr::UNSPECIFIED, 53);
            (
                UdpSocket::bind(own).expect("a free port"),
                TcpListener::bind(own).expect("a free port"),
            )
        });
        let log = Arc::clone(&asked);
        // Both threads end with the test's process.
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, client)) = udp.recv_from(&mut buffer) {
                let told = answer(&buffer[..length], "udp", &log);
                let _ = udp.send_to(&told, client);
            }
        });
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in tcp.incoming().flatten() {
                let Some(question) = read(&mut stream) else {
                    continue;
                };
                let told = answer(&question, "tcp", &log);
                let _ = write(&mut stream, &told);
            }
        });
        Self { _host: host, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .expect("no panic while holding it")
            .clone()
    }

    fn forget(&self) {
        self.asked
            .lock()
            .expect("no panic while holding it")
            .clear();
    }
}

/// The name in a question, and where it ends.
fn name(question: &[u8]) -> (String, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while let Some(length @ 1..) = question.get(at).map(|byte| usize::from(*byte)) {
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 5)
}

fn answer(question: &[u8], way: &str, log: &Mutex<Vec<String>>) -> Vec<u8> {
    let (name, end) = name(question);
    log.lock()
        .expect("no panic while holding it")
        .push(format!("{way} {name}"));
    let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
    let known = name.ends_with(".example") && kind == 1;
    let long = name.starts_with("long.");
    let count: u16 = match (known, long, way) {
        (false, ..) => 0,
        (_, true, "udp") => 0,
        (_, true, _) => 100,
        _ => 1,
    };
    let cut = if known && long && way == "udp" {
        0x02
    } else {
        0
    };
    let code = if name.ends_with(".example") { 0 } else { 3 };
    let mut told = question[..2].to_vec();
    told.extend([0x81 | cut, 0x80 | code, 0, 1]);
    told.extend(count.to_be_bytes());
    told.extend([0; 4]);
    told.extend(&question[12..end]);
    for number in 0..count {
        told.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2]);
        told.push(u8::try_from(7 + number).expect("there are few"));
    }
    told
}

fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn write(stream: &mut TcpStream, message: &[u8]) -> Option<()> {
    let length = u16::try_from(message.len()).expect("it is short");
    stream
        .write_all(&[&length.to_be_bytes(), message].concat())
        .ok()
}

fn question(name: &str) -> Vec<u8> {
    let mut asked = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        asked.push(u8::try_from(label.len()).expect("labels are short"));
        asked.extend(label.as_bytes());
    }
    asked.extend([0, 0, 1, 0, 1]);
    asked
}

impl Node {
    /// Asks the resolver of a container, from inside its namespace: the code and how many answers there are.
    fn ask(&self, container: &str, name: &str, way: &str) -> Option<(u8, u16, bool)> {
        let pid = self.engine.pid(container);
        let resolver: SocketAddr = ([127, 0, 0, 11], 53).into();
        crate::lab::inside(format!("/proc/{pid}/ns/net").as_ref(), || {
            let patience = Some(Duration::from_secs(20));
            let told = if way == "udp" {
                let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
                socket.set_read_timeout(patience).ok()?;
                socket.send_to(&question(name), resolver).ok()?;
                let mut buffer = vec![0; 4096];
                let length = socket.recv(&mut buffer).ok()?;
                buffer.truncate(length);
                buffer
            } else {
                let mut stream = TcpStream::connect(resolver).ok()?;
                stream.set_read_timeout(patience).ok()?;
                write(&mut stream, &question(name))?;
                read(&mut stream)?
            };
            let answers = u16::from_be_bytes([told[6], told[7]]);
            Some((told[3] & 0xf, answers, told[2] & 2 != 0))
        })
    }

    fn resolver_file(&self, container: &str) -> String {
        self.docker(&["exec", container, "cat", "/etc/resolv.conf"])
    }
}

#[test]
fn questions_go_to_the_configured_servers_and_nowhere_else() {
    let Some(catalogue) = needed("questions_go_to_the_configured_servers_and_nowhere_else") else {
        return;
    };
    let wire = Wire::new();
    let server = Server::start(&wire);
    let host = wire.host("host", "10.200.0.1");
    host.ip(&["route", "add", "default", "via", SERVER]);
    let flags = ["--dns", SERVER, "--dns-search", "example"];
    let engine = host
        .within(|| Engine::start_here_with(&catalogue, &flags))
        .expect("an engine starts");
    let node = Node { engine, host };
    node.docker(&["pull", "-q", "busybox"]);
    node.docker(&["network", "create", "front"]);
    node.docker(&["network", "create", "back"]);
    node.docker(&["network", "create", "--internal", "closed"]);
    node.sleeper("web", &["--network", "front"]);
    node.sleeper("db", &["--network", "back"]);

    // Forwarded, as it was answered; a long answer is asked for again over TCP.
    assert_eq!(node.ask("web", "www.example", "udp"), Some((0, 1, false)));
    assert_eq!(node.ask("web", "nowhere.test", "udp"), Some((3, 0, false)));
    assert_eq!(node.ask("web", "long.example", "udp"), Some((0, 0, true)));
    assert_eq!(
        node.ask("web", "long.example", "tcp"),
        Some((0, 100, false))
    );
    assert!(server.asked().contains(&"tcp long.example".to_owned()));
    // Search domains of the engine, and what a container asks for instead.
    let ping = node
        .engine
        .run(&["exec", "web", "ping", "-c1", "-W1", "www"]);
    let told = String::from_utf8_lossy(&ping.stdout).into_owned();
    assert!(told.contains("192.0.2.7"), "{told}");
    let own = [
        "--network",
        "front",
        "--dns-search",
        "deep.example",
        "--dns-opt",
        "ndots:3",
    ];
    node.sleeper("own", &own);
    let file = node.resolver_file("own");
    assert!(file.contains("nameserver 127.0.0.11"), "{file}");
    assert!(
        file.contains("search deep.example") && file.contains("ndots:3"),
        "{file}"
    );
    let ping = node
        .engine
        .run(&["exec", "own", "ping", "-c1", "-W1", "www"]);
    assert!(String::from_utf8_lossy(&ping.stdout).contains("192.0.2.7"));
    assert!(server.asked().contains(&"udp www.deep.example".to_owned()));

    // Names and addresses of a network are told to who is in it; the servers are not asked about them.
    server.forget();
    assert_eq!(node.ask("web", "web", "udp"), Some((0, 1, false)));
    assert_eq!(server.asked(), Vec::<String>::new());
    assert_eq!(node.ask("web", "db", "udp"), Some((3, 0, false)));
    assert_eq!(node.ask("web", "db.back", "udp"), Some((3, 0, false)));
    // NET-8: nothing leaves an internal network, not even a question.
    node.sleeper("shut", &["--network", "closed"]);
    server.forget();
    assert_eq!(
        node.ask("shut", "secret.example", "udp"),
        Some((2, 0, false))
    );
    assert_eq!(
        node.ask("shut", "secret.example", "tcp"),
        Some((2, 0, false))
    );
    let bypass = ["exec", "shut", "nslookup", "secret.example", SERVER];
    assert!(!node.engine.run(&bypass).status.success());
    assert_eq!(server.asked(), Vec::<String>::new());

    // A dead server first: the next one is asked.
    node.sleeper(
        "second",
        &[
            "--network",
            "front",
            "--dns",
            "10.200.0.99",
            "--dns",
            SERVER,
        ],
    );
    assert_eq!(
        node.ask("second", "www.example", "udp"),
        Some((0, 1, false))
    );
    // The default bridge has the servers themselves.
    node.sleeper("plain", &[]);
    assert!(node.resolver_file("plain").contains(SERVER));
    let address: IpAddr = node.address("web", "front").parse().expect("an address");
    eventually("an address has a name", || {
        let told = node
            .engine
            .run(&["exec", "own", "nslookup", &address.to_string()]);
        String::from_utf8_lossy(&told.stdout).contains("web.front")
    });
}

/// A learner's own name server in a container, own rules there, and an engine that is away.
#[test]
fn the_resolver_is_out_of_the_way_of_what_a_container_does() {
    let Some(catalogue) = needed("the_resolver_is_out_of_the_way_of_what_a_container_does") else {
        return;
    };
    let wire = Wire::new();
    let host = wire.host("host", "10.200.0.1");
    let engine = host
        .within(|| Engine::start_here_with(&catalogue, &[]))
        .expect("an engine starts");
    let mut node = Node { engine, host };
    node.docker(&["pull", "-q", "busybox"]);
    node.docker(&["network", "create", "front"]);
    node.sleeper("web", &["--network", "front"]);
    let pid = node.engine.pid("web");
    let namespace = std::path::PathBuf::from(format!("/proc/{pid}/ns/net"));
    let nft = |words: &[&str]| {
        let net = format!("--net={}", namespace.display());
        crate::lab::run("nsenter", &[&[net.as_str(), "nft"], words].concat())
    };

    // Nothing there makes the kernel track connections.
    let rules = nft(&["list", "ruleset"]);
    assert!(rules.contains("docker-dns"), "{rules}");
    assert!(
        !rules.contains("type nat") && !rules.contains("ct "),
        "{rules}"
    );

    // Port 53 of every address is free for a server of the learner's own, and 127.0.0.11 answers all the same.
    let own = crate::lab::inside(&namespace, || {
        let any = (Ipv4Addr::UNSPECIFIED, 53);
        (
            UdpSocket::bind(any).expect("a free port"),
            TcpListener::bind(any).expect("a free port"),
        )
    });
    for way in ["udp", "tcp"] {
        assert_eq!(node.ask("web", "web", way), Some((0, 1, false)), "{way}");
    }
    let client = crate::lab::inside(&namespace, || {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")
    });
    client
        .send_to(b"own", (Ipv4Addr::LOCALHOST, 53))
        .expect("lo is on");
    let mut buffer = [0; 16];
    assert_eq!(own.0.recv(&mut buffer).expect("a datagram"), 3);
    drop(own);

    // A wall that lets only answers in: the kernel tracks connections for its sake.
    nft(&["add table ip wall"]);
    nft(&["add chain ip wall in { type filter hook input priority 0; policy accept; }"]);
    for rule in [
        "ct state established,related accept",
        "ct state invalid drop",
        "ip saddr 127.0.0.11 drop",
    ] {
        nft(&[&format!("add rule ip wall in {rule}")]);
    }
    for way in ["udp", "tcp"] {
        assert_eq!(node.ask("web", "web", way), Some((0, 1, false)), "{way}");
    }

    // Without an engine nobody waits for an answer; with the next one there is one again.
    node.engine.crash().expect("it runs");
    let refused = crate::lab::inside(&namespace, || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("it is not zero");
        socket.connect(("127.0.0.11", 53)).expect("lo is on");
        socket.send(&question("web")).expect("lo is on");
        socket.recv(&mut [0; 512]).map_err(|error| error.kind())
    });
    assert_eq!(refused, Err(std::io::ErrorKind::ConnectionRefused));
    node.restart();
    eventually("names are told again", || {
        node.ask("web", "web", "udp") == Some((0, 1, false))
    });
}
