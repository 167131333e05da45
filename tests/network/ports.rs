//! Published ports of both families, and attacks on them (security: NET-5, NET-6) and between networks (NET-1).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use tests::engine::Engine;

use crate::lab::{Host, Node, Wire, eventually, inside, needed};

const ADDRESS: &str = "10.200.0.1";
const ADDRESS_6: &str = "fd00:200::1";

/// A page that a container serves at its port 80.
const SERVE: &str = "mkdir /www; echo bonjour > /www/index.html; exec httpd -f -p 80 -h /www";

/// An engine on a host with both families, and a neighbour of it.
fn place(test: &str) -> Option<(Node, Host, Wire)> {
    let catalogue = needed(test)?;
    let wire = Wire::new();
    let host = wire.host("host", ADDRESS);
    let other = wire.host("other", "10.200.0.2");
    for (host, address) in [(&host, ADDRESS_6), (&other, "fd00:200::2")] {
        let address = format!("{address}/64");
        host.ip(&["addr", "add", &address, "dev", "eth0", "nodad"]);
    }
    let engine = host
        .within(|| Engine::start_here(&catalogue))
        .expect("an engine starts");
    let node = Node { engine, host };
    node.docker(&["pull", "-q", "busybox"]);
    Some((node, other, wire))
}

impl Host {
    /// The page at an address, if somebody answers there.
    fn page(&self, address: &str) -> Option<String> {
        let address: SocketAddr = address.parse().expect("it is one");
        self.within(|| fetch(address))
    }
}

fn fetch(address: SocketAddr) -> Option<String> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, page) = text.split_once("\r\n\r\n")?;
    Some(page.trim().to_owned())
}

fn everywhere(port: u16) -> [String; 4] {
    [
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("{ADDRESS}:{port}"),
        format!("[{ADDRESS_6}]:{port}"),
    ]
}

#[test]
fn a_published_port_answers_in_both_families() {
    let Some((mut node, other, _wire)) = place("a_published_port_answers_in_both_families") else {
        return;
    };
    let run = [
        "run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c", SERVE,
    ];
    node.docker(&run);
    let told = node.docker(&["port", "web"]);
    assert_eq!(told, "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080");
    let bonjour = Some("bonjour".to_owned());
    for _ in 0..2 {
        for address in everywhere(8080) {
            eventually(&address, || node.host.page(&address) == bonjour);
        }
        for address in &everywhere(8080)[2..] {
            eventually(address, || other.page(address) == bonjour);
        }
        // What the engine held before it was killed it holds again.
        node.crash_and_restart();
    }

    // Datagrams, and a single address of the other family.
    node.sleeper("echo", &["-p", "7000:7000/udp", "-p", "[::1]:7001:80"]);
    let inside_it = format!("/proc/{}/ns/net", node.engine.pid("echo"));
    let own = inside(inside_it.as_ref(), || {
        UdpSocket::bind("0.0.0.0:7000").expect("a port")
    });
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut buffer = [0; 16];
        while let Ok((length, sender)) = own.recv_from(&mut buffer) {
            let _ = own.send_to(&buffer[..length], sender);
        }
    });
    eventually("an echo over IPv6", || {
        node.host.within(|| {
            let socket = UdpSocket::bind("[::1]:0").expect("a port");
            socket
                .set_read_timeout(Some(Duration::from_secs(1)))
                .expect("a time");
            socket.send_to(b"salut", "[::1]:7000").expect("sent");
            let mut buffer = [0; 16];
            socket
                .recv(&mut buffer)
                .is_ok_and(|length| &buffer[..length] == b"salut")
        })
    });
    let bound = node
        .host
        .within(|| TcpListener::bind("[::1]:7001").is_err());
    assert!(bound, "the port is held");
    node.docker(&["rm", "-f", "echo", "web"]);
    let free = node.host.within(|| TcpListener::bind("[::]:8080").is_ok());
    assert!(free, "a removed container's port is free");
}

/// NET-5: ports that are somebody's, too many of them, and those that nobody may choose.
#[test]
fn a_port_belongs_to_one() {
    let Some((node, _, _wire)) = place("a_port_belongs_to_one") else {
        return;
    };
    let mine = node
        .host
        .within(|| TcpListener::bind("0.0.0.0:9000").expect("a free port"));
    let publish = |port: &str| {
        let run = ["run", "-d", "-p", port, "busybox", "sleep", "600"];
        let output = node.engine.run(&run);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), told)
    };
    for port in ["9000:80", "0.0.0.0:9000:80"] {
        let (done, told) = publish(port);
        assert!(!done && told.contains("address already in use"), "{told}");
    }
    drop(mine);
    assert!(publish("9000:80").0);
    for port in [
        "9000:80",
        "127.0.0.1:9000:81",
        "[::]:9000:80",
        "[::1]:9000:80",
    ] {
        let (done, told) = publish(port);
        assert!(
            !done && told.contains("port is already allocated"),
            "{port}: {told}"
        );
    }
    for port in ["65536:80", "80:65536", "-1:80", "80:0", "1.2.3:80:80"] {
        let (done, told) = publish(port);
        assert!(!done && !told.is_empty(), "{port}: {told}");
    }
    // An address that is not the host's.
    let (done, told) = publish("192.0.2.1:9001:80");
    assert!(!done && told.contains("192.0.2.1"), "{told}");
    // A thousand, twice: the second time none of them is taken.
    let (done, told) = publish("20000-20999:1000-1999");
    assert!(done, "{told}");
    let (done, told) = publish("20900-21100:1000-1200");
    assert!(!done && told.contains("already allocated"), "{told}");
    assert!(
        publish("21000-21100:1000-1100").0,
        "nothing was left of the failure"
    );
    let all = node.docker(&["ps", "-aq"]);
    node.docker(
        &[
            &["rm", "-f"],
            &all.split_whitespace().collect::<Vec<_>>()[..],
        ]
        .concat(),
    );
    assert!(publish("20000-20999:1000-1999").0);
}

/// NET-6 and, for containers, NET-1: what is published at a loopback address, or not at all, stays out of reach.
#[test]
fn what_is_not_published_is_not_reached() {
    let Some((node, other, _wire)) = place("what_is_not_published_is_not_reached") else {
        return;
    };
    let web = |name: &str, options: &[&str]| {
        let head = ["run", "-d", "--name", name];
        node.docker(&[&head, options, &["busybox", "sh", "-c", SERVE]].concat());
    };
    node.docker(&["network", "create", "--subnet", "10.61.0.0/24", "one"]);
    node.docker(&["network", "create", "--subnet", "10.62.0.0/24", "two"]);
    web(
        "local",
        &[
            "--network",
            "one",
            "-p",
            "127.0.0.1:8081:80",
            "-p",
            "[::1]:8082:80",
        ],
    );
    web("open", &["--network", "one", "-p", "8083:80"]);
    node.sleeper("stranger", &["--network", "two"]);
    let bonjour = Some("bonjour".to_owned());
    let local = node.address("local", "one");

    // A neighbour that routes to the containers, and to the host's own loopback.
    other.ip(&["route", "add", "10.61.0.0/24", "via", ADDRESS]);
    other.run("sysctl", &["-qw", "net.ipv4.conf.all.route_localnet=1"]);
    for own in ["127.0.0.0/8", "127.0.0.1"] {
        other.ip(&["route", "del", own, "table", "local", "dev", "lo"]);
    }
    other.ip(&["route", "add", "127.0.0.1", "via", ADDRESS, "dev", "eth0"]);
    // It is really sent: else nothing below would be an attack.
    let way = other.run("ip", &["route", "get", "127.0.0.1"]);
    assert!(way.contains("dev eth0"), "{way}");
    let attempts = |when: &str| {
        for address in ["127.0.0.1:8081", "[::1]:8082"] {
            eventually(address, || node.host.page(address) == bonjour);
        }
        eventually("the open port", || {
            other.page(&format!("{ADDRESS}:8083")) == bonjour
        });
        let out_of_reach = [
            format!("{ADDRESS}:8081"),
            format!("[{ADDRESS_6}]:8082"),
            format!("{local}:80"),
            "127.0.0.1:8081".to_owned(),
        ];
        for address in &out_of_reach {
            assert_eq!(
                other.page(address),
                None,
                "{when}: a neighbour reached {address}"
            );
        }
        for target in [
            format!("http://{local}/"),
            format!("http://{ADDRESS}:8081/"),
        ] {
            let get = ["exec", "stranger", "wget", "-T", "2", "-qO-", &target];
            let told = node.engine.run(&get);
            assert!(
                !told.status.success(),
                "{when}: another network reached {target}"
            );
        }
        assert!(
            !node.pings("stranger", &local),
            "{when}: another network pings"
        );
    };
    attempts("at first");
    // A firewall that is loaded anew takes every rule of the host away: ours come back by themselves.
    node.host.run("nft", &["flush", "ruleset"]);
    eventually("the rules are there again", || {
        node.host
            .run("nft", &["list", "tables"])
            .contains("docker-bridges")
    });
    attempts("after a reload");
}
