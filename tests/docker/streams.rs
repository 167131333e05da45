//! Output, input and logs.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("logs_choose_lines", logs),
    ("logs_are_followed_to_the_end", follow),
    ("attach_gives_output_and_exit_code", attach),
    ("start_attaches_to_the_first_byte", start),
    ("keys_leave_a_terminal", detach),
    ("much_output_comes_whole", much),
    ("log_drivers_are_chosen", drivers),
];

fn logs(docker: &Docker) {
    let _guard = docker.guard("logged");
    docker.run(&[
        "run",
        "--name",
        "logged",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "seq 1 5; echo problem >&2",
    ]);
    let output = docker.run(&["logs", "logged"]);
    assert_eq!(output.stdout, b"1\n2\n3\n4\n5\n");
    assert_eq!(output.stderr, b"problem\n");
    assert_eq!(
        docker.run(&["logs", "--tail", "2", "logged"]).stdout,
        b"5\n"
    );
    assert_eq!(docker.ok(&["logs", "-n", "0", "logged"]), "");
    let stamped = docker.ok(&["logs", "-t", "--tail", "2", "logged"]);
    let (stamp, text) = stamped.split_once(' ').unwrap();
    assert_eq!((stamp.len(), text), (30, "5"), "{stamped}");
    assert_eq!(docker.ok(&["logs", "--since", "2040-01-01", "logged"]), "");
    assert_eq!(docker.ok(&["logs", "--until", "2001-01-01", "logged"]), "");
    assert_eq!(
        docker
            .run(&["logs", "--since", "10m", "logged"])
            .stdout
            .len(),
        10
    );
    docker.fails(&["logs", "nobody"], 1, "No such container: nobody");
}

fn follow(docker: &Docker) {
    let _guard = docker.guard("followed");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "followed",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "for i in 1 2 3; do echo $i; sleep 0.2; done",
    ]);
    assert_eq!(docker.ok(&["logs", "-f", "followed"]), "1\n2\n3");
}

fn attach(docker: &Docker) {
    let _guard = docker.guard("attached");
    docker.ok(&[
        "run",
        "-di",
        "--name",
        "attached",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "read line; echo got $line; exit 6",
    ]);
    let mut child = docker
        .command(&["attach", "attached"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"words\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"got words\n");
    assert_eq!(output.status.code(), Some(6));
    docker.fails(
        &["attach", "attached"],
        1,
        "cannot attach to a stopped container, start it first",
    );
}

fn start(docker: &Docker) {
    let _guard = docker.guard("started");
    docker.ok(&[
        "create",
        "-i",
        "--name",
        "started",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo first; cat; exit 2",
    ]);
    let output = docker.run_with(&["start", "-ai", "started"], b"and last");
    assert_eq!(output.stdout, b"first\nand last");
    assert_eq!(output.status.code(), Some(2));
}

fn detach(docker: &Docker) {
    let _guard = docker.guard("left");
    docker.ok(&[
        "run",
        "-dit",
        "--name",
        "left",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo ready; cat",
    ]);
    // Its greeting must not come between what is typed and the echo.
    while !docker.ok(&["logs", "left"]).contains("ready") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Without a terminal of its own the client leaves the keys to the engine.
    let mut stream = docker.hijack("/containers/left/attach?stream=1&stdin=1&stdout=1&stderr=1");
    stream.write_all(b"typed\n").unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"typed\r\ntyped\r\n") {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&seen)
        );
        seen.push(byte[0]);
    }
    stream.write_all(b"\x10\x11").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(docker.inspect("left", "{{.State.Running}}"), "true");
}

fn much(docker: &Docker) {
    let output = docker.run(&[
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "seq 1 200000",
    ]);
    let lines = output.stdout.split(|byte| *byte == b'\n').count();
    assert_eq!(lines, 200_001);
    assert!(output.stdout.ends_with(b"\n200000\n"));
}

fn drivers(docker: &Docker) {
    let _none = docker.guard("unlogged");
    docker.ok(&[
        "run",
        "--name",
        "unlogged",
        "--network",
        "none",
        "--log-driver",
        "none",
        "busybox",
        "echo",
        "seen",
    ]);
    docker.fails(
        &["logs", "unlogged"],
        1,
        "configured logging driver does not support reading",
    );
    assert_eq!(
        docker.inspect("unlogged", "{{.HostConfig.LogConfig.Type}} {{.LogPath}}"),
        "none"
    );
    let _file = docker.guard("rotated");
    docker.ok(&[
        "run",
        "--name",
        "rotated",
        "--network",
        "none",
        "--log-opt",
        "max-size=10k",
        "--log-opt",
        "max-file=2",
        "busybox",
        "sh",
        "-c",
        "seq 1 2000 >/dev/null; seq 1 2000",
    ]);
    let kept = docker.ok(&["logs", "rotated"]);
    assert!(
        kept.lines().count() < 2000 && kept.ends_with("2000"),
        "the oldest are gone"
    );
    docker.fails(
        &["run", "--rm", "--log-driver", "nonsense", "busybox"],
        125,
        "nonsense",
    );
    docker.fails(
        &["run", "--rm", "--log-opt", "nonsense=1", "busybox"],
        125,
        "unknown log opt 'nonsense' for json-file log driver",
    );
}
