//! The way out of a machine: to other networks when it is opened, never to the host or a neighbour.
//!
//! Every test has a network of its own in place of the host's, and beside it another network, the
//! outside, whose only road back is to the host's address: nothing arrives there without
//! masquerading, and no packet leaves this computer.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kernel::namespace::{self, Namespaces};
use kernel::netlink::address;
use kernel::netlink::link::{self, Peer};
use std::os::fd::AsFd;
use tests::host::{self, Need};
use tests::platform::Platform;
use tests::terminal::Terminal;

use crate::{EXERCISE, platform};

const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Where clouds answer questions about themselves.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const PORT: u16 = 8000;

/// The other network: answers on TCP with the caller's address, and keeps what comes by UDP.
struct Outside {
    datagrams: UdpSocket,
}

impl Outside {
    /// Moves this thread, and what it starts, to a network of its own with an outside beside it.
    fn arrange() -> Self {
        namespace::unshare(Namespaces::NETWORK).expect("root makes a network");
        link::set_up("lo").expect("lo");
        let (tell, told) = mpsc::channel();
        let (tell_ready, ready) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        thread::spawn(move || {
            namespace::unshare(Namespaces::NETWORK).expect("another network");
            tell.send(namespace::open_own("net").expect("a namespace"))
                .expect("heard");
            wait.recv().expect("the link is there");
            for (address, length) in [(OUTSIDE, 24), (METADATA, 16)] {
                address::add("lan0", address, length).expect("an address");
            }
            link::set_up("lan0").expect("lan0");
            let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("a port");
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("a port");
            tell_ready.send(datagrams).expect("heard");
            for caller in listener.incoming().flatten() {
                greet(caller);
            }
        });
        let namespace = told.recv().expect("a namespace");
        let peer = Peer {
            name: "lan0",
            mac: [2, 0, 0, 0, 0, 2],
            namespace: namespace.as_fd(),
        };
        link::add_veth("outside0", &peer).expect("a link");
        address::add("outside0", HOST, 24).expect("an address");
        address::add("outside0", Ipv4Addr::new(169, 254, 0, 1), 16).expect("an address");
        link::set_up("outside0").expect("outside0");
        go.send(()).expect("heard");
        let datagrams = ready.recv().expect("it listens");
        assert_eq!(
            call((METADATA, PORT).into()),
            format!("{}\n", Ipv4Addr::new(169, 254, 0, 1))
        );
        Self { datagrams }
    }

    /// The source of the next datagram, if one comes soon.
    fn next_source(&self) -> Option<String> {
        let patience = Some(Duration::from_secs(2));
        self.datagrams
            .set_read_timeout(patience)
            .expect("a timeout");
        let (_, from) = self.datagrams.recv_from(&mut [0; 64]).ok()?;
        Some(from.ip().to_string())
    }
}

fn greet(mut caller: TcpStream) {
    if let Ok(from) = caller.peer_addr() {
        let _ = writeln!(caller, "{}", from.ip());
    }
}

fn call(address: SocketAddr) -> String {
    let mut text = String::new();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.read_to_string(&mut text).expect("it answers");
    text
}

/// The command that prints what a server says, or fails within three seconds.
fn ask(address: Ipv4Addr, port: u16) -> String {
    format!("timeout 3 nc -d -w 2 {address} {port}")
}

fn terminal(platform: &Platform, cookie: &str) -> Terminal {
    Terminal::open(platform, cookie, EXERCISE, "1")
        .unwrap_or_else(|error| panic!("{error:#}\n{}", platform.log()))
}

/// Host ends of machines in this thread's network.
fn host_ends() -> Vec<String> {
    let devices = fs::read_to_string("/proc/thread-self/net/dev").expect("procfs");
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name.starts_with("qm"))
        .collect()
}

/// Addresses that this thread's network has seen on machines' links.
fn neighbours() -> Vec<String> {
    let output = Command::new("ip").args(["neighbour", "show"]).output();
    let output = output.expect("Need::Nftables comes with iproute2");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.contains(" dev qm"));
    let words = lines.filter_map(|line| line.split_whitespace().next());
    words.map(str::to_owned).collect()
}

/// Tables of packet rules in this thread's network.
fn tables() -> String {
    let output = Command::new("nft").args(["list", "tables"]).output();
    let output = output.expect("Need::Nftables means that nft runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn address_of(shell: &mut Terminal) -> Ipv4Addr {
    let (text, _) = shell.run("ip -4 -o address show eth0 | awk '{print $4}' | cut -d/ -f1");
    text.parse().unwrap_or_else(|_| panic!("eth0 has {text:?}"))
}

#[test]
fn an_open_machine_reaches_the_outside_and_not_the_host() {
    let test = "an_open_machine_reaches_the_outside_and_not_the_host";
    if host::lacks(test, &[Need::Root, Need::Nftables]) {
        return;
    }
    let outside = Outside::arrange();
    let Some(mut platform) = platform(test, &["--network", "open"]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    let masqueraded = (HOST.to_string(), 0);
    assert_eq!(shell.run(&ask(OUTSIDE, PORT)), masqueraded);
    let address = address_of(&mut shell);

    // The host's own listener answers the outside, and not the machine, at whatever address.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(greet));
    assert_eq!(call((HOST, port).into()), format!("{HOST}\n"));
    let gateway = Ipv4Addr::from(u32::from(address) - 1);
    for own in [HOST, gateway] {
        let (text, code) = shell.run(&ask(own, port));
        assert_ne!(code, 0, "the machine reached {own}: {text}");
    }
    let (text, code) = shell.run(&ask(METADATA, PORT));
    assert_ne!(code, 0, "the machine reached {METADATA}: {text}");
    // NET-3: nor does a container in it.
    let nested = format!("docker run --rm busybox nc -w 3 {METADATA} {PORT} </dev/null");
    let (text, code) = shell.run(&nested);
    assert_ne!(code, 0, "a container reached {METADATA}: {text}");

    // On the link itself only the pair answers: neither the host's other addresses, nor IPv6,
    // whatever the machine says that it is or asks for.
    let arping = |address| format!("arping -q -c 1 -w 3 -I eth0 {address}");
    assert_eq!(shell.run(&arping(gateway)).1, 0);
    assert_ne!(shell.run(&arping(HOST)).1, 0, "the host told of {HOST}");
    shell.run("arping -q -U -c 2 -I eth0 -s 203.0.113.9 203.0.113.9");
    shell.run("sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=0; sleep 2");
    let (text, code) = shell.run("ping -6 -L -c 2 -W 2 ff02::1%eth0");
    assert_ne!(code, 0, "the host answers by IPv6: {text}");
    let known = neighbours();
    let own = |known: &String| *known == address.to_string();
    assert!(
        !known.is_empty() && known.iter().all(own),
        "the host believed {known:?}"
    );

    // Only its own address leaves its link.
    shell.run(&format!("echo vrai | nc -u -w 1 {OUTSIDE} {PORT}"));
    assert_eq!(outside.next_source(), Some(HOST.to_string()));
    shell.run("ip address add 203.0.113.7/32 dev eth0");
    shell.run(&format!(
        "echo faux | nc -u -w 1 -s 203.0.113.7 {OUTSIDE} {PORT}"
    ));
    assert_eq!(outside.next_source(), None, "a false source went out");

    // A container leaves through two translations.
    let (text, code) = shell.run(&format!(
        "docker run --rm busybox nc -w 5 {OUTSIDE} {PORT} </dev/null"
    ));
    assert_eq!(
        (text.lines().last().unwrap_or_default(), code),
        (HOST.to_string().as_str(), 0)
    );

    // The way out survives its server, and the inner stage's restart.
    platform.crash_and_restart().expect("the server comes back");
    let mut shell = terminal(&platform, &cookie);
    assert_eq!(shell.run(&ask(OUTSIDE, PORT)), masqueraded);
    shell.input("kill -TERM 1\n").expect("typed");
    thread::sleep(Duration::from_secs(3));
    let mut shell = terminal(&platform, &cookie);
    assert_eq!(shell.run(&ask(OUTSIDE, PORT)), masqueraded);
    assert_eq!(address_of(&mut shell), address);

    assert_eq!(host_ends().len(), 1);
    assert_eq!(tables().lines().count(), 1, "{}", tables());
    drop(platform);
    assert_eq!(host_ends(), Vec::<String>::new());
    assert_eq!(tables(), "");
}

#[test]
fn two_open_machines_do_not_reach_each_other() {
    let test = "two_open_machines_do_not_reach_each_other";
    if host::lacks(test, &[Need::Root, Need::Nftables]) {
        return;
    }
    let _outside = Outside::arrange();
    let Some(first) = platform(test, &["--network", "open"]) else {
        return;
    };
    let Some(second) = platform(test, &["--network=open"]) else {
        return;
    };
    let mut one = terminal(&first, &first.learner());
    let mut two = terminal(&second, &second.learner());
    let address = address_of(&mut two);
    assert_ne!(address_of(&mut one), address);
    two.run("(while true; do echo ici | nc -l -N 9000; done >/dev/null 2>&1 &)");
    // The listener is there, and the first machine goes out: only the neighbour is out of reach.
    assert_eq!(
        two.run(&format!("sleep 1; {}", ask(address, 9000))),
        ("ici".into(), 0)
    );
    two.run("(timeout 120 nc -u -l 9001 >/tmp/heard 2>/dev/null &)");
    // Attacks NET-1 and NET-7: by every protocol, and again with all that its own machine could say about it changed.
    for change in [
        "true",
        &format!("nft flush ruleset && ip route replace {address}/32 dev eth0"),
        "ip address add 100.126.255.1/16 dev eth0 && sysctl -qw net.ipv4.ip_forward=1",
    ] {
        let (text, code) = one.run(change);
        assert_eq!(code, 0, "{change}: {text}");
        let datagram = format!("echo la | nc -u -w 1 {address} 9001; false");
        let ping = format!("ping -c 1 -W 2 {address}");
        for attempt in [ask(address, 9000), ping, datagram] {
            let (text, code) = one.run(&attempt);
            assert_ne!(
                code, 0,
                "after {change}: a machine reached another one: {text}"
            );
        }
    }
    // Who listens for datagrams hears its first sender only: that was none of those.
    two.run(&format!("echo ici | nc -u -w 1 {address} 9001"));
    assert_eq!(two.run("cat /tmp/heard"), ("ici".to_owned(), 0));
    assert_eq!(one.run(&ask(OUTSIDE, PORT)), (HOST.to_string(), 0));
}

#[test]
fn a_closed_machine_has_loopback_only() {
    let test = "a_closed_machine_has_loopback_only";
    if host::lacks(test, &[Need::Root, Need::Nftables]) {
        return;
    }
    let _outside = Outside::arrange();
    let Some(platform) = platform(test, &[]) else {
        return;
    };
    let mut shell = terminal(&platform, &platform.learner());
    assert_eq!(
        shell.run("command ls --color=never /sys/class/net"),
        ("lo".to_owned(), 0)
    );
    assert_ne!(shell.run(&ask(OUTSIDE, PORT)).1, 0);
    assert_eq!((host_ends(), tables()), (Vec::new(), String::new()));
}

#[test]
fn rules_left_by_a_crash_are_removed_by_down() {
    let test = "rules_left_by_a_crash_are_removed_by_down";
    if host::lacks(test, &[Need::Root, Need::Nftables]) {
        return;
    }
    let _outside = Outside::arrange();
    let Some(platform) = platform(test, &["--network", "open"]) else {
        return;
    };
    let mut shell = terminal(&platform, &platform.learner());
    shell.run("true");
    kill_all_of(&platform);
    assert_eq!(tables().lines().count(), 1, "{}", tables());
    drop(platform);
    assert_eq!((host_ends(), tables()), (Vec::new(), String::new()));
}

/// Kills the helper and then the keeper, so that nobody clears what they leave.
fn kill_all_of(platform: &Platform) {
    let data = platform.data().to_str().expect("a plain path");
    let mut helper = None;
    for entry in fs::read_dir("/proc").expect("procfs").flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        if words.get(1) == Some(&b"helper".as_slice()) && words.get(2) == Some(&data.as_bytes()) {
            helper = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
        }
    }
    let machines = fs::read_dir(platform.data().join("machines")).expect("machines");
    let records = machines
        .flatten()
        .map(|entry| entry.path().join("record.json"));
    let keeper = records.filter_map(|path| {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        record["pid"].as_i64()
    });
    let helper: i64 = helper.expect("a helper");
    for pid in std::iter::once(helper).chain(keeper) {
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(killed.expect("kill runs").success());
        thread::sleep(Duration::from_millis(300));
    }
}
