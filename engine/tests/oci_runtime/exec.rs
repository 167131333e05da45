//! A second process in a container.

use serde_json::{Value, json};

use crate::Test;
use crate::place::{Done, Place, wait_until};

pub(crate) const TESTS: [Test; 4] = [
    ("a_second_process_is_in_the_same_container", second),
    ("a_second_process_has_rights_of_its_own", rights),
    (
        "a_second_process_runs_on_the_processors_it_names",
        processors,
    ),
    ("ps_list_events_and_signals_see_the_processes", look),
];

fn running(name: &str) -> Place {
    let place = Place::new(name);
    place.configure(
        "trap 'echo got; exit 3' USR1; while :; do sleep 0.1; done",
        |_| {},
    );
    place.create(&[]);
    place.ok(&["start"]);
    place
}

fn exec(place: &Place, options: &[&str], words: &[&str]) -> Done {
    let mut command = place.runtime();
    command.arg("exec").args(options).arg(&place.id).args(words);
    if options.contains(&"--detach") {
        // What goes on would keep the pipes open.
        use std::process::Stdio;
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    Done::from(command.output().unwrap())
}

fn second() -> Result<(), String> {
    let place = running("exec");
    let line = "hostname; cat /proc/1/comm; echo $A $B; pwd; exit 5";
    let done = exec(
        &place,
        &["-e", "A=1", "--env", "B=2", "--cwd", "/tmp"],
        &["sh", "-c", line],
    );
    assert_eq!(
        (done.out.as_str(), done.code),
        ("box\nsh\n1 2\n/tmp\n", 5),
        "{}",
        done.err
    );
    let done = exec(&place, &[], &["no-such"]);
    assert!(
        done.err.contains("executable file not found in $PATH"),
        "{}",
        done.err
    );
    assert_eq!(done.code, 127);
    // Nothing of ours is open in it.
    let done = exec(&place, &[], &["ls", "/proc/self/fd"]);
    assert_eq!(
        done.out.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
    // It is in the same group.
    let done = exec(
        &place,
        &[],
        &[
            "sh",
            "-c",
            "cmp /proc/1/cgroup /proc/self/cgroup && echo same",
        ],
    );
    assert_eq!(done.out, "same\n", "{}", done.err);
    Ok(())
}

fn rights() -> Result<(), String> {
    let place = running("execrights");
    let line = "id -u; id -g; id -G; grep CapEff /proc/self/status";
    let done = exec(
        &place,
        &["-u", "7:8", "-g", "9", "-g", "10"],
        &["sh", "-c", line],
    );
    assert_eq!(
        done.out, "7\n8\n8 9 10\nCapEff:\t0000000000000000\n",
        "{}",
        done.err
    );
    let line = "grep CapBnd /proc/self/status";
    let done = exec(&place, &["--cap", "CAP_NET_RAW"], &["sh", "-c", line]);
    // CHOWN 0, KILL 5, SETGID 6, SETUID 7, and NET_RAW 13.
    assert_eq!(done.out, "CapBnd:\t00000000000020e1\n", "{}", done.err);
    let process = json!({
        "user": {"uid": 0, "gid": 0, "umask": 0o077},
        "args": ["sh", "-c", "umask; pwd; ulimit -n; grep NoNewPrivs /proc/self/status"],
        "env": ["PATH=/bin"],
        "cwd": "/home",
        "noNewPrivileges": false,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 100, "soft": 99}],
    });
    let file = place.path("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    let done = exec(&place, &["--process", file.to_str().unwrap()], &[]);
    assert_eq!(
        done.out, "0077\n/home\n99\nNoNewPrivs:\t0\n",
        "{}",
        done.err
    );
    let pid_file = place.path("exec.pid");
    let options = ["--detach", "--pid-file", pid_file.to_str().unwrap()];
    let done = exec(&place, &options, &["sleep", "600"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let pid = std::fs::read_to_string(pid_file).unwrap();
    wait_until(
        || std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "sleep\n"),
        &|| "the detached process is not there".to_owned(),
    );
    Ok(())
}

fn processors() -> Result<(), String> {
    let place = running("execcpus");
    let run = |affinity: Value| {
        let process = json!({
            "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"],
            "args": ["grep", "Cpus_allowed_list", "/proc/self/status"],
            "execCPUAffinity": affinity,
        });
        let file = place.path("affinity.json");
        std::fs::write(&file, process.to_string()).unwrap();
        exec(&place, &["--process", file.to_str().unwrap()], &[])
    };
    let done = run(json!({"initial": "0", "final": "0"}));
    assert_eq!(done.out, "Cpus_allowed_list:\t0\n", "{}", done.err);
    let done = run(json!({"final": "5-2"}));
    assert!(done.code != 0 && !done.err.is_empty(), "{}", done.out);
    Ok(())
}

fn look() -> Result<(), String> {
    let place = running("look");
    let state: Value = serde_json::from_str(&place.ok(&["state"])).unwrap();
    let pids: Vec<u64> = serde_json::from_str(&place.ok(&["ps", "--format", "json"])).unwrap();
    assert!(pids.contains(&state["pid"].as_u64().unwrap()), "{pids:?}");
    let list = place
        .runtime()
        .args(["list", "-f", "json"])
        .output()
        .unwrap();
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list[0]["id"], place.id.as_str());
    let event: Value = serde_json::from_str(&place.ok(&["events", "--stats"])).unwrap();
    assert_eq!(event["type"], "stats");
    assert!(
        event["data"]["pids"]["current"].as_u64().unwrap() >= 1,
        "{event}"
    );
    place.ok(&["pause"]);
    assert_eq!(place.status(), "paused");
    let done = exec(&place, &[], &["true"]);
    assert!(done.err.contains("paused container"), "{}", done.err);
    place.ok(&["resume"]);
    assert_eq!(place.status(), "running");
    assert!(
        place
            .runtime()
            .args(["kill", &place.id, "USR1"])
            .status()
            .unwrap()
            .success()
    );
    place.wait_for("stopped");
    assert_eq!(place.printed(), "got\n");
    let late = place
        .runtime()
        .args(["kill", &place.id, "TERM"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&late.stderr).contains("container not running"));
    Ok(())
}
