//! The program that carries packets out: the other one that is known, and none.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;

use crate::engine::Rootless;
use crate::host::NEIGHBOUR;
use crate::network::{reaches_no_loopback, reaches_the_neighbour};
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
    // Kept open until the answer is there: what ends at once may be lost on the way.
    reaches_the_neighbour(engine, |port| {
        format!("sleep 2 | timeout 5 nc {NEIGHBOUR} {port}")
    });
    let servers = engine.ok(&["run", "--rm", "box", "cat", "/etc/resolv.conf"]);
    assert!(servers.contains("nameserver 10.0.2.3"), "{servers}");
    // 10.0.2.2 is the host to who asks slirp4netns for it; we do not.
    reaches_no_loopback(engine, &["10.0.2.2", "127.0.0.1"]);
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
