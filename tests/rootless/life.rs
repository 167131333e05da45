//! Containers, their files, and the engine's end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use crate::engine::Rootless;
use crate::host::{SUBORDINATE, USER};
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("the_engine_says_that_it_is_rootless", info),
    (
        "root_in_a_container_is_the_user_and_the_others_are_subordinate",
        ids,
    ),
    ("exec_top_and_volumes_work", exec),
    (
        "limits_without_control_groups_are_discarded_with_a_warning",
        limits,
    ),
    ("a_dockerfile_is_built", build),
    (
        "a_container_outlives_its_engine_and_is_found_again",
        outlives,
    ),
    ("a_container_outlives_the_parent_too", parent_killed),
    ("nothing_is_left_when_engine_and_containers_have_ended", end),
];

fn info(engine: &mut Rootless) {
    let options = engine.ok(&["info", "--format", "{{.SecurityOptions}}"]);
    assert!(options.contains("name=rootless"), "{options}");
    let root = engine.ok(&["info", "--format", "{{.DockerRootDir}}"]);
    assert_eq!(
        root,
        engine.host.home(".local/share/quai").display().to_string()
    );
}

fn ids(engine: &mut Rootless) {
    let shared = engine.host.home("shared");
    engine
        .host
        .as_user("mkdir".as_ref())
        .arg(&shared)
        .status()
        .unwrap();
    let bind = format!("{}:/shared", shared.display());
    let line = "id -u; cat /proc/self/uid_map; echo 1 >/shared/root; touch /shared/other; chown 1000:1000 /shared/other";
    let said = engine.ok(&["run", "--rm", "-v", &bind, "box", "sh", "-c", line]);
    let words: Vec<&str> = said.split_whitespace().collect();
    let (user, first) = (USER.to_string(), SUBORDINATE.to_string());
    assert_eq!(words, ["0", "0", &user, "1", "1", &first, "65536"]);
    let owner = |name: &str| fs::metadata(shared.join(name)).unwrap().uid();
    assert_eq!((owner("root"), owner("other")), (USER, SUBORDINATE + 999));
    // Nothing of the host's root is the container's.
    let line = "cat /host/etc/shadow; true";
    let said = engine.ok(&[
        "run",
        "--rm",
        "--privileged",
        "-v",
        "/:/host",
        "box",
        "sh",
        "-c",
        line,
    ]);
    assert_eq!(said, "");
    let why = engine.fails(&[
        "run",
        "--rm",
        "-v",
        "/:/host",
        "box",
        "touch",
        "/host/etc/quai",
    ]);
    assert!(
        why.contains("Permission denied") || why.contains("Read-only"),
        "{why}"
    );
}

fn exec(engine: &mut Rootless) {
    engine.ok(&[
        "run",
        "-d",
        "--name",
        "life",
        "-v",
        "data:/data",
        "box",
        "sleep",
        "1000",
    ]);
    engine.ok(&["exec", "life", "sh", "-c", "echo kept >/data/file"]);
    let top = engine.ok(&["top", "life"]);
    assert!(top.contains("sleep 1000"), "{top}");
    let mut cat = engine
        .docker(&["exec", "-i", "life", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cat.stdin.take().unwrap().write_all(b"through").unwrap();
    let mut text = String::new();
    cat.stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(cat.wait().unwrap().success());
    assert_eq!(text, "through");
    engine.ok(&["rm", "-f", "life"]);
    assert_eq!(
        engine.ok(&[
            "run",
            "--rm",
            "-v",
            "data:/data",
            "box",
            "cat",
            "/data/file"
        ]),
        "kept"
    );
    engine.ok(&["volume", "rm", "data"]);
}

fn limits(engine: &mut Rootless) {
    if engine.ok(&["info", "--format", "{{.CgroupDriver}}"]) != "none" {
        // This session has groups: limits hold.
        let line = "cat /sys/fs/cgroup/memory.max";
        let said = engine.ok(&["run", "--rm", "-m", "32m", "box", "sh", "-c", line]);
        assert_eq!(said, (32 << 20).to_string());
        return;
    }
    let output = engine
        .docker(&["run", "--rm", "-m", "32m", "box", "true"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warning.contains("does not support memory limit capabilities"),
        "{warning}"
    );
    let why = engine.fails(&["run", "--rm", "--cpus", "1", "box", "true"]);
    assert!(why.contains("NanoCPUs can not be set"), "{why}");
    engine.ok(&["run", "-d", "--name", "frozen", "box", "sleep", "1000"]);
    let why = engine.fails(&["pause", "frozen"]);
    assert!(why.contains("no control groups"), "{why}");
    engine.ok(&["rm", "-f", "frozen"]);
}

fn build(engine: &mut Rootless) {
    let context = engine.host.home("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("file"), "copied\n").unwrap();
    let dockerfile = "FROM box\nCOPY --chown=7:8 file /file\nRUN id -u >/who && chown 1000 /who\nCMD [\"cat\",\"/file\",\"/who\"]\n";
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    engine.ok(&["build", "-t", "built", &context.display().to_string()]);
    assert_eq!(engine.ok(&["run", "--rm", "built"]), "copied\n0");
    let owners = engine.ok(&[
        "run", "--rm", "built", "stat", "-c", "%u:%g", "/file", "/who",
    ]);
    assert_eq!(owners, "7:8\n1000:0");
}

const SERVER: [&str; 7] = ["nc", "-ll", "-p", "80", "-e", "echo", "served"];

fn is_served(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut text = String::new();
    stream.read_to_string(&mut text).is_ok() && text == "served\n"
}

fn outlives(engine: &mut Rootless) {
    let words = [
        "run",
        "-d",
        "--name",
        "live",
        "-p",
        "80",
        "--restart",
        "always",
        "box",
    ];
    engine.ok(&[&words[..], &SERVER].concat());
    let told = engine.ok(&["port", "live", "80"]);
    let port = told
        .lines()
        .next()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    wait_until("the port answers", || is_served(port));
    let pid = || engine_pid(engine);
    let before = pid();
    engine.kill();
    assert!(fs::exists(format!("/proc/{before}")).unwrap());
    engine.start_again();
    assert_eq!(engine_pid(engine), before);
    wait_until("the port answers again", || is_served(port));
    assert_eq!(engine.ok(&["exec", "live", "echo", "alive"]), "alive");
}

fn engine_pid(engine: &Rootless) -> String {
    engine.ok(&["inspect", "-f", "{{.State.Pid}}", "live"])
}

fn parent_killed(engine: &mut Rootless) {
    let before = engine_pid(engine);
    engine.kill();
    for pid in kernel::procfs::process::pids().unwrap() {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&words);
        if text.contains("rootless-parent")
            && text.contains(&*engine.host.scratch.path().to_string_lossy())
        {
            kernel::process::kill(pid, kernel::process::Signal::KILL).unwrap();
        }
    }
    engine.start_again();
    assert_eq!(engine_pid(engine), before);
    assert_eq!(engine.ok(&["exec", "live", "echo", "alive"]), "alive");
    let said = engine.ok(&["run", "--rm", "box", "echo", "another"]);
    assert_eq!(said, "another");
    engine.ok(&["rm", "-f", "live"]);
}

fn end(engine: &mut Rootless) {
    engine.end();
    wait_until("every process of the user has ended", || {
        engine.processes().is_empty()
    });
    engine.start_again();
    assert_eq!(engine.ok(&["ps", "-aq"]), "");
    assert_eq!(engine.ok(&["run", "--rm", "box", "echo", "again"]), "again");
}
