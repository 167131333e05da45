//! Two machines of one exercise, on a link that nobody else is on.

use std::fs;
use std::time::{Duration, Instant};

use kernel::netlink::link;
use serde_json::{Value, json};
use tests::engine::catalogue;
use tests::executable;
use tests::host::{self, Need};
use tests::machines::{Machines, Ran};
use tests::scratch::Scratch;
use tests::terminal::Terminal;

use crate::platform;

/// Alike but for their last digit, which is their place.
const ONE: &str = "m-0000000000d1";
const TWO: &str = "m-0000000000d2";
/// A machine of another exercise.
const OTHER: &str = "m-0000000000e1";

fn ask(verb: &str, id: &str, place: u8) -> Value {
    json!({
        "verb": verb,
        "id": id,
        "image": "quai/machine:latest",
        "cable": { "place": place, "hosts": ["un", "deux"] },
    })
}

#[track_caller]
fn does(machines: &Machines, id: &str, script: &str) -> String {
    let Ran { code, output } = machines.run(id, &format!("set -e; exec 2>&1; {script}"));
    assert_eq!(code, 0, "{id}: {script}:\n{output}");
    output.trim_end().to_owned()
}

/// Tries until it succeeds: a link ends and comes back a moment after its machine.
#[track_caller]
fn until(machines: &Machines, id: &str, script: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let Ran { code, output } = machines.run(id, script);
        if code == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{id}: {script}:\n{output}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_machines_share_a_private_link() {
    let test = "two_machines_share_a_private_link";
    if host::lacks(test, &[Need::Root, Need::Overlay, Need::Loop]) {
        return;
    }
    let Some(catalogue) = catalogue() else {
        host::report(
            test,
            "QUAI_STORE names no store with the base images (script/test makes one)",
        );
        return;
    };
    let mut machines = Machines::new(&catalogue).expect("a helper");
    let before = link::names().expect("this host's links");
    machines.ask(&ask("start", ONE, 1)).expect("a machine");
    assert_eq!(does(&machines, ONE, "ls /sys/class/net"), "lo");
    machines.ask(&ask("start", TWO, 2)).expect("a machine");
    machines.ask(&ask("start", OTHER, 1)).expect("a machine");

    // Names, addresses, and nobody else: neither the host nor the machine of another exercise.
    assert_eq!(
        does(&machines, TWO, "hostname; cat /etc/hostname"),
        "deux\ndeux"
    );
    does(&machines, ONE, "ping -c 1 -W 5 deux");
    does(&machines, TWO, "ping -c 1 -W 5 un");
    let addresses = does(&machines, TWO, "ip -4 -o address show eth1");
    assert!(addresses.contains("10.9.0.2/24"), "{addresses}");
    assert_eq!(does(&machines, OTHER, "ls /sys/class/net"), "lo");
    assert_eq!(link::names().expect("this host's links"), before);
    assert_eq!(
        does(&machines, ONE, "ls -x /sys/class/net | xargs"),
        "eth1 lo"
    );

    // An overlay by hand: a tunnel on the link, static entries, a container behind a bridge on
    // each side. The frames are seen on the link, inside UDP.
    for (id, own, other) in [(ONE, 1, 2), (TWO, 2, 1)] {
        does(
            &machines,
            id,
            &format!(
                "docker network create --subnet 10.50.0.0/24 --ip-range 10.50.0.{own}0/28 \
                   -o com.docker.network.bridge.name=brx partage >/dev/null
                 ip link add vx type vxlan id 42 dstport 4789 local 10.9.0.{own} nolearning
                 ip link set vx master brx up
                 bridge fdb append 00:00:00:00:00:00 dev vx dst 10.9.0.{other}
                 docker run -d --name c{own} --network partage --ip 10.50.0.{own}1 busybox sleep 600"
            ),
        );
    }
    does(
        &machines,
        TWO,
        "timeout 30 tcpdump -c 2 -nn -i eth1 udp port 4789 >/root/vu 2>/root/dit </dev/null & \
         until grep -q listening /root/dit; do sleep 0.1; done",
    );
    does(&machines, ONE, "docker exec c1 ping -c 2 -W 5 10.50.0.21");
    until(&machines, TWO, "grep 'vni 42' /root/vu");
    assert!(does(&machines, TWO, "cat /root/vu").contains("10.9.0.1"));

    // The link comes back with a machine, with an inner stage, and outlives the helper.
    machines.stop(TWO).expect("it stops");
    until(&machines, ONE, "! test -e /sys/class/net/eth1");
    machines
        .ask(&ask("start", TWO, 2))
        .expect("it starts again");
    does(&machines, ONE, "ping -c 1 -W 5 deux");
    let first = machines.init(ONE).expect("an init");
    // Later, so that the script itself has ended.
    let script = "setsid -f sh -c 'sleep 0.3; kill -TERM 1' </dev/null >/dev/null 2>&1";
    does(&machines, ONE, script);
    let deadline = Instant::now() + Duration::from_secs(30);
    while machines.init(ONE).map_or(true, |now| now == first) {
        assert!(Instant::now() < deadline, "the inner stage did not restart");
        std::thread::sleep(Duration::from_millis(50));
    }
    until(&machines, ONE, "ping -c 1 -W 1 deux");
    machines.crash_and_restart().expect("a helper");
    machines.ask(&ask("start", TWO, 2)).expect("it lives");
    does(&machines, TWO, "ping -c 1 -W 5 un");
    machines.ask(&ask("reset", ONE, 1)).expect("a new disk");
    does(&machines, ONE, "ping -c 1 -W 5 deux");
    does(&machines, TWO, "ping -c 1 -W 5 un");
    // What is no end of a link is refused before anything is made.
    assert!(machines.ask(&ask("start", OTHER, 3)).is_err());
}

/// Also the exercise of the browser's case.
const TP: &str = include_str!("two-machines.md");

/// The files of a course with this one exercise.
const COURSE: [(&str, &str); 6] = [
    ("index.md", "---\ntitle: Réseaux\n---\n"),
    ("10-deux/tp.md", TP),
    (
        "10-deux/solution.sh",
        "set -eu\nuntil nc -d -w 2 deux 9000 >/root/vu && [ -s /root/vu ]; do sleep 0.2; done\n",
    ),
    (
        "10-deux/solution.deux.sh",
        "set -eu\ntouch /root/dit\nsetsid -f sh -c 'while :; do echo bonjour | nc -l -N 9000; done' \
         </dev/null >/dev/null 2>&1\n",
    ),
    ("10-deux/faux.sh", "echo menteur >/root/vu\n"),
    ("10-deux/faux.deux.sh", "touch /root/dit\n"),
];

#[test]
fn an_exercise_on_two_machines_is_proved_and_shown() {
    let test = "an_exercise_on_two_machines_is_proved_and_shown";
    let content = Scratch::create("deux").expect("/var/tmp can be written");
    for (path, text) in COURSE {
        let file = content.join("01-reseaux").join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    let folder = content.path().display().to_string();
    let Some(platform) = platform(test, &["--content", &folder]) else {
        return;
    };
    let path = "/tp/reseaux/deux";
    let cookie = platform.learner();
    let page = platform.get(path, &[&format!("Cookie: {cookie}")]);
    assert!(
        page.body.contains("data-hosts=\"un deux\""),
        "{}",
        page.body
    );
    let open = |host: &str| {
        Terminal::open(&platform, &cookie, &format!("{path}/hote/{host}"), "1")
            .unwrap_or_else(|error| panic!("{error:#}\n{}", platform.log()))
    };
    let (mut one, mut two) = (open("un"), open("deux"));
    assert_eq!(two.run("hostname"), ("deux".to_owned(), 0));
    assert_eq!(
        one.run("ping -c 1 -W 10 deux >/dev/null"),
        (String::new(), 0)
    );
    one.run("touch /root/trace");
    two.run("touch /root/trace");
    // Neither a third machine nor one without a name.
    for other in ["/hote/trois", ""] {
        assert!(Terminal::open(&platform, &cookie, &format!("{path}{other}"), "1").is_err());
    }

    // « Recommencer » renews both.
    let host = format!("Host: 127.0.0.1:{}", platform.port());
    let origin = format!("Origin: http://127.0.0.1:{}", platform.port());
    let lines = [
        host.as_str(),
        &origin,
        &format!("Cookie: {cookie}"),
        "Content-Length: 0",
    ];
    let answer = platform.request("POST", &format!("{path}/recommencer"), &lines);
    assert_eq!(answer.status, 204, "{}", answer.body);
    let (mut one, mut two) = (open("un"), open("deux"));
    assert_eq!(one.run("test -e /root/trace").1, 1);
    assert_eq!(two.run("test -e /root/trace").1, 1);
    assert_eq!(
        one.run("ping -c 1 -W 10 deux >/dev/null"),
        (String::new(), 0)
    );

    // The proof of such an exercise, in machines of its own.
    let data = platform.data().display().to_string();
    let words = ["content", "test", "--data", &data, &folder];
    let output = executable::run(words).expect("quai can be executed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.matches('✓').count(), 3, "{said}");
}
