//! Limits, read in the control group where the process really is, on either hierarchy.

use std::fs;
use std::path::PathBuf;

use crate::{engine, sleeper};

/// The folder of a process's group: of `controller` on v1, the only one on v2.
fn group(pid: u32, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process lives");
    let v1 = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then(|| (controllers.to_owned(), fields.next()))
    });
    if let Some((controllers, Some(path))) = v1 {
        return [controllers.as_str(), controller]
            .iter()
            .map(|mount| PathBuf::from(format!("/sys/fs/cgroup/{mount}{path}")))
            .find(|folder| folder.is_dir())
            .unwrap_or_else(|| panic!("no folder of {controller} for {path}"));
    }
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .expect("one hierarchy or the other");
    PathBuf::from(format!("/sys/fs/cgroup{path}"))
}

/// The content of the first of these files that exists: v2's name and v1's.
fn limit(pid: u32, controller: &str, names: [&str; 2]) -> String {
    let folder = group(pid, controller);
    names
        .iter()
        .find_map(|name| fs::read_to_string(folder.join(name)).ok())
        .unwrap_or_else(|| panic!("none of {names:?} in {}", folder.display()))
        .trim()
        .to_owned()
}

#[test]
fn a_memory_limit_is_written_where_the_process_is() {
    let Some(engine) = engine("a_memory_limit_is_written_where_the_process_is") else {
        return;
    };
    let pid = sleeper(&engine, "small", &["--memory", "48m"]);
    assert_eq!(
        limit(pid, "memory", ["memory.max", "memory.limit_in_bytes"]),
        (48 << 20).to_string()
    );
}

#[test]
fn a_limit_on_processes_is_written_and_holds() {
    let Some(engine) = engine("a_limit_on_processes_is_written_and_holds") else {
        return;
    };
    let pid = sleeper(&engine, "few", &["--pids-limit", "8"]);
    assert_eq!(limit(pid, "pids", ["pids.max", "pids.max"]), "8");
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait";
    let bomb = engine.run(&[
        "run",
        "--rm",
        "--pids-limit",
        "8",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    let message = String::from_utf8_lossy(&bomb.stderr).to_lowercase();
    assert!(
        message.contains("fork"),
        "twelve processes ran under a limit of eight: {message}"
    );
}

#[test]
fn one_and_a_half_processors_become_a_quota() {
    let Some(engine) = engine("one_and_a_half_processors_become_a_quota") else {
        return;
    };
    let pid = sleeper(&engine, "slow", &["--cpus", "1.5"]);
    let quota = limit(pid, "cpu", ["cpu.max", "cpu.cfs_quota_us"]);
    assert_eq!(quota.split_whitespace().next(), Some("150000"));
}

#[test]
fn a_removed_container_leaves_no_group() {
    let Some(engine) = engine("a_removed_container_leaves_no_group") else {
        return;
    };
    let pid = sleeper(&engine, "gone", &["--memory", "48m"]);
    let folder = group(pid, "memory");
    assert!(folder.is_dir());
    engine.stdout(&["rm", "-f", "gone"]);
    assert!(!folder.exists(), "{} is still there", folder.display());
}

#[test]
fn a_process_beyond_its_memory_is_killed_and_said_to_be() {
    let Some(engine) = engine("a_process_beyond_its_memory_is_killed_and_said_to_be") else {
        return;
    };
    let output = engine.run(&[
        "run",
        "--name",
        "greedy",
        "--memory",
        "16m",
        "busybox",
        "tail",
        "/dev/zero",
    ]);
    assert_eq!(
        output.status.code(),
        Some(137),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        engine.stdout(&["inspect", "--format", "{{.State.OOMKilled}}", "greedy"]),
        "true"
    );
}

#[test]
fn a_device_that_was_not_given_can_be_made_and_not_used() {
    let test = "a_device_that_was_not_given_can_be_made_and_not_used";
    tests::skip!(test, unless: Loop);
    let Some(engine) = engine(test) else {
        return;
    };
    // Whom to ask for a loop device: opening it alone does nothing.
    let look = "mknod /tmp/loops c 10 237 && head -c 0 /tmp/loops; echo $?; head -c 1 /dev/zero >/dev/null; echo $?";
    let refused = engine.stdout(&["run", "--rm", "busybox", "sh", "-c", look]);
    assert_eq!(refused.split_whitespace().collect::<Vec<_>>(), ["1", "0"]);
    let rule = [
        "run",
        "--rm",
        "--device-cgroup-rule",
        "c 10:237 r",
        "busybox",
        "sh",
        "-c",
        look,
    ];
    let allowed = engine.stdout(&rule);
    assert_eq!(allowed.split_whitespace().collect::<Vec<_>>(), ["0", "0"]);
}
