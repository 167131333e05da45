//! The program that carries packets out: the other one that is known, and none.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use crate::engine::Rootless;
use crate::host::NEIGHBOUR;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("slirp4netns_serves_where_pasta_is_not", slirp),
    ("without_any_helper_the_engine_says_which_to_install", none),
];

/// Where Debian has them; those of the host are hidden, not removed.
const PASTA: &str = "/usr/bin/pasta";
const SLIRP: &str = "/usr/bin/slirp4netns";

fn ended(engine: &mut Rootless) {
    engine.end();
    wait_until("every process of the user has ended", || {
        engine.processes().is_empty()
    });
}

fn slirp(engine: &mut Rootless) {
    const NAME: &str = "slirp4netns_serves_where_pasta_is_not";
    if !Path::new(SLIRP).is_file() {
        return tests::host::report(NAME, "slirp4netns is not installed (package slirp4netns)");
    }
    ended(engine);
    engine.host.hide(PASTA);
    engine.start_again();
    assert!(engine.processes().contains(&"slirp4netns".to_owned()));
    let mut server = engine
        .host
        .as_neighbour(&[
            "busybox",
            "nc",
            "-ll",
            "-p",
            "8001",
            "-e",
            "echo",
            "neighbour",
        ])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the neighbour answers", || {
        TcpStream::connect((NEIGHBOUR, 8001)).is_ok()
    });
    // Kept open until the answer is there: what ends at once may be lost on the way.
    let line = format!(
        "for i in 1 2 3 4 5 6 7 8 9; do s=$(sleep 2 | timeout 5 nc {NEIGHBOUR} 8001); test \"$s\" && break; done; echo \"$s\" | head -n 1"
    );
    assert_eq!(
        engine.ok(&["run", "--rm", "box", "sh", "-c", &line]),
        "neighbour"
    );
    server.kill().unwrap();
    server.wait().unwrap();
    let servers = engine.ok(&["run", "--rm", "box", "cat", "/etc/resolv.conf"]);
    assert!(servers.contains("nameserver 10.0.2.3"), "{servers}");
    // 10.0.2.2 is the host to who asks slirp4netns for it; we do not.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let line = format!("for a in 10.0.2.2 127.0.0.1; do nc -w 1 $a {port} </dev/null; done; true");
    engine.ok(&["run", "--rm", "box", "sh", "-c", &line]);
    engine.ok(&["run", "--rm", "--network=host", "box", "sh", "-c", &line]);
    assert!(
        listener.accept().is_err(),
        "the host's loopback was reached"
    );
    let words = [
        "run", "-d", "--name", "web", "-p", "80", "box", "nc", "-ll", "-p", "80", "-e", "echo",
        "served",
    ];
    engine.ok(&words);
    let told = engine.ok(&["port", "web", "80"]);
    let port: u16 = told
        .lines()
        .next()
        .and_then(|line| line.rsplit(':').next())
        .unwrap()
        .parse()
        .unwrap();
    wait_until("the published port answers", || {
        let mut text = String::new();
        TcpStream::connect(("127.0.0.1", port))
            .is_ok_and(|mut stream| stream.read_to_string(&mut text).is_ok() && text == "served\n")
    });
    // The next engine finds the parent, the helper and the container.
    engine.kill();
    engine.start_again();
    assert_eq!(engine.ok(&["exec", "web", "echo", "alive"]), "alive");
    engine.ok(&["rm", "-f", "web"]);
    ended(engine);
    engine.host.restore(PASTA);
    engine.start_again();
}

fn none(engine: &mut Rootless) {
    ended(engine);
    let hidden: Vec<&str> = [PASTA, SLIRP]
        .into_iter()
        .filter(|path| Path::new(path).is_file())
        .collect();
    for path in &hidden {
        engine.host.hide(path);
    }
    let why = engine.refused(&[]);
    for path in &hidden {
        engine.host.restore(path);
    }
    assert!(
        why.contains("neither pasta nor slirp4netns is installed")
            && why.contains("install the package passt"),
        "{why}"
    );
    wait_until("nothing is left of the attempt", || {
        engine.processes().is_empty()
    });
    engine.start_again();
}
