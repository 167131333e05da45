//! The learner's machine on the real kernel: what it is separated from, and what its root may not.

use std::fs::{self, read_link};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::engine::catalogue;
use tests::host::{self, Need};
use tests::machines::Machines;

pub(crate) const ONE: &str = "m-0000000000a1";
const TWO: &str = "m-0000000000a2";

#[track_caller]
pub(crate) fn machines(test: &str) -> Option<Machines> {
    let needs = [
        Need::Root,
        Need::InitialUserNamespace,
        Need::Overlay,
        Need::Loop,
    ];
    if host::lacks(test, &needs) {
        return None;
    }
    let Some(catalogue) = catalogue() else {
        host::report(
            test,
            "QUAI_STORE names no store with the base images (script/test makes one)",
        );
        return None;
    };
    Some(Machines::new(&catalogue).expect("a helper starts on a host that has what it needs"))
}

/// Both stages of a running machine, from the host.
#[test]
fn a_machine_shares_no_namespace_and_no_id_with_the_host() {
    let Some(mut machines) = machines("a_machine_shares_no_namespace_and_no_id_with_the_host")
    else {
        return;
    };
    let base = machines.start(ONE, json!({})).unwrap();
    assert!(base >= 0x7000_0000, "{base:#x}");
    let (keeper, init) = (machines.keeper(ONE).unwrap(), machines.init(ONE).unwrap());
    let kind_of = |pid: &str, kind: &str| {
        let path = format!("/proc/{pid}/ns/{kind}");
        read_link(path).expect("the process lives and we are root")
    };
    for kind in ["user", "pid", "mnt", "net", "uts", "ipc", "cgroup"] {
        let all = [
            kind_of("self", kind),
            kind_of(&keeper.to_string(), kind),
            kind_of(&init.to_string(), kind),
        ];
        assert!(
            all[0] != all[1] && all[0] != all[2] && all[1] != all[2],
            "{kind}: {all:?}"
        );
    }
    for map in ["uid_map", "gid_map"] {
        let text = fs::read_to_string(format!("/proc/{init}/{map}")).unwrap();
        let numbers: Vec<u32> = text
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        assert_eq!(numbers, [0, base, 65_536], "{map}");
    }
}

#[test]
fn no_mount_of_a_machine_reaches_the_host() {
    let Some(mut machines) = machines("no_mount_of_a_machine_reaches_the_host") else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    let mounted = machines.run(
        ONE,
        "mkdir -p /tmp/m && mount -t tmpfs seen-by-nobody /tmp/m",
    );
    assert_eq!(mounted.code, 0, "{}", mounted.output);
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let disk = machines.data().display().to_string();
    assert!(
        !host.contains("seen-by-nobody") && !host.contains(&disk),
        "{host}"
    );
    for pid in [machines.keeper(ONE).unwrap(), machines.init(ONE).unwrap()] {
        let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        assert!(
            !text.contains("shared:") && !text.contains("master:"),
            "{text}"
        );
    }
}

#[test]
fn root_of_a_machine_cannot_undo_what_the_outer_stage_did() {
    let Some(mut machines) = machines("root_of_a_machine_cannot_undo_what_the_outer_stage_did")
    else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    let forbidden = [
        "mount -o remount,rw,bind /sys",
        "umount /sys",
        "umount -l /sys",
        "echo 99999 > /proc/sys/user/max_net_namespaces",
        "cat /proc/1/environ",
        "readlink /proc/1/exe",
        "ls -l /proc/1/ns/user | grep -q user:",
        "dmesg",
        "date -s 2020-01-01; test $(date +%Y) = 2020",
        "mount -t debugfs x /tmp",
        "mount -t tracefs x /tmp",
        "mount -t securityfs x /tmp",
        "mknod /dev/disk b 8 0",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo c > /proc/sysrq-trigger",
        "ulimit -n 100000",
        "nsenter -t 1 -m true",
        "nsenter -t 1 -U true",
    ];
    for script in forbidden {
        let ran = machines.run(ONE, script);
        assert_ne!(ran.code, 0, "{script} was allowed: {}", ran.output);
    }
    // The same shell can do what a machine is for: the refusals above say something.
    let allowed = [
        "mkdir -p /tmp/t && mount -t tmpfs x /tmp/t && umount /tmp/t",
        "unshare --net true",
        "unshare --user --map-root-user --mount true",
        "unshare --pid --fork --mount-proc ps",
        "ip link add v0 type veth peer name v1",
        "chroot / true",
    ];
    for script in allowed {
        let ran = machines.run(ONE, script);
        assert_eq!(ran.code, 0, "{script} was refused: {}", ran.output);
    }
    let status = machines.run(ONE, "grep -E 'Seccomp:|CapBnd' /proc/self/status");
    assert!(status.output.contains("Seccomp:\t2"), "{}", status.output);
}

#[test]
fn no_process_of_a_machine_may_use_a_device_of_the_host() {
    let Some(mut machines) = machines("no_process_of_a_machine_may_use_a_device_of_the_host")
    else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    // Even root of the host may not, once it is in there: it is the group that refuses.
    let groups = groups_of(machines.keeper(ONE).unwrap());
    let join: String = groups
        .iter()
        .map(|group| format!("echo $$ >{}/outer/cgroup.procs && ", group.display()))
        .collect();
    let run = |script: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", script])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    };
    let (open, why) = run(": </dev/loop-control");
    assert!(open, "root of this host can open it: {why}");
    let (open, why) = run(&format!("{join} : </dev/loop-control"));
    assert!(!open && why.contains("not permitted"), "{why}");
    let (open, why) = run(&format!("{join} head -c 1 /dev/urandom >/dev/null"));
    assert!(open, "{why}");
}

#[test]
fn only_listed_calls_reach_the_kernel_from_a_machine() {
    let Some(mut machines) = machines("only_listed_calls_reach_the_kernel_from_a_machine") else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    // Numbers of x86_64, and the errno that each is answered with.
    let calls = [
        ("bpf", 321, 1),
        ("open_by_handle_at", 304, 1),
        ("perf_event_open", 298, 1),
        ("kexec_load", 246, 1),
        ("swapon", 167, 1),
        ("reboot", 169, 1),
        ("nfsservctl, which nobody has listed", 180, 1),
        ("io_uring_setup", 425, 38),
        ("userfaultfd", 323, 38),
        ("a call of the future", 600, 38),
        // Listed: the kernel itself finds fault with the arguments.
        ("keyctl", 250, 95),
        ("setns", 308, 9),
        ("pivot_root", 155, 14),
    ];
    let script: String = calls
        .iter()
        .map(|(_, number, _)| {
            format!("perl -e 'syscall({number}, -1, 1, 0, 0); print $!+0'; echo; ")
        })
        .collect();
    let ran = machines.run(ONE, &script);
    for (line, (name, _, errno)) in ran.output.lines().zip(calls) {
        assert_eq!(line, errno.to_string(), "{name}: {}", ran.output);
    }
    assert_eq!(ran.output.lines().count(), calls.len(), "{}", ran.output);

    // The least confined of containers has the machine's filter still.
    let look = "docker run --rm --privileged --security-opt seccomp=unconfined busybox \
                grep Seccomp: /proc/self/status";
    let ran = machines.run(ONE, look);
    assert!(ran.output.contains("Seccomp:\t2"), "{}", ran.output);
}

#[test]
fn each_limit_holds_and_no_other_machine_notices() {
    let Some(mut machines) = machines("each_limit_holds_and_no_other_machine_notices") else {
        return;
    };
    let limits = json!({"memory": 128 << 20, "pids": 64, "disk": 40 << 20});
    machines.start(ONE, limits).unwrap();
    machines.start(TWO, json!({})).unwrap();

    let memory = machines.run(ONE, "tail /dev/zero; echo code $?");
    assert!(memory.output.contains("code 137"), "{}", memory.output);
    let disk = machines.run(ONE, "dd if=/dev/zero of=/big bs=1M count=100; rm /big");
    assert!(disk.output.contains("No space left"), "{}", disk.output);
    let life = 3 * host::slowness();
    let script = format!("for i in $(seq 100); do sleep {life} & done 2>&1; true");
    let pids = machines.run(ONE, &script);
    assert!(
        pids.output.to_lowercase().contains("fork"),
        "a hundred processes ran under a limit of 64: {}",
        pids.output
    );
    let spaces =
        format!("for i in $(seq 80); do unshare --net sleep {life} & done 2>&1; wait; true");
    let spaces = machines.run(TWO, &spaces);
    assert!(spaces.output.contains("No space left"), "{}", spaces.output);

    assert_eq!(machines.run(TWO, "echo well").output, "well\n");
    assert_eq!(machines.run(ONE, "echo well").output, "well\n");
}

#[test]
fn two_machines_have_nothing_in_common() {
    let Some(mut machines) = machines("two_machines_have_nothing_in_common") else {
        return;
    };
    let one = machines.start(ONE, json!({})).unwrap();
    let two = machines.start(TWO, json!({})).unwrap();
    assert!(one.abs_diff(two) >= 65_536, "{one} {two}");
    machines.run(ONE, "sleep 4242 & echo > /root/secret-of-one");
    let seen = machines.run(TWO, "ps -ef; ls -A /root; cat /proc/net/unix; ip -br link");
    assert!(
        !seen.output.contains("4242") && !seen.output.contains("secret-of-one"),
        "{}",
        seen.output
    );
}

#[test]
fn nothing_is_left_of_a_stopped_machine_but_its_disk() {
    let Some(mut machines) = machines("nothing_is_left_of_a_stopped_machine_but_its_disk") else {
        return;
    };
    let base = machines.start(ONE, json!({})).unwrap();
    machines.run(ONE, "echo kept > /root/kept; sync; sleep 1000 & true");
    let groups = groups_of(machines.keeper(ONE).unwrap());
    assert!(
        !groups.is_empty() && groups.iter().all(|g| g.exists()),
        "{groups:?}"
    );
    machines.stop(ONE).unwrap();

    assert!(groups.iter().all(|g| !g.exists()), "{groups:?}");
    let disk = machines.data().join(format!("machines/{ONE}/disk.img"));
    assert!(disk.exists());
    // The kernel unbinds the device just after the last mount of it.
    let end = Instant::now() + Duration::from_secs(5);
    while loops().contains(&disk.display().to_string()) {
        assert!(Instant::now() < end, "the loop device is still bound");
        std::thread::sleep(Duration::from_millis(20));
    }
    let of_the_range = processes_of(base);
    assert!(of_the_range.is_empty(), "{of_the_range:?}");

    machines.start(ONE, json!({})).unwrap();
    assert_eq!(machines.run(ONE, "cat /root/kept").output, "kept\n");
    machines.delete(ONE).unwrap();
    assert!(!disk.exists());
    let ranges = fs::read_dir(machines.data().join("ranges")).unwrap();
    assert_eq!(ranges.count(), 0);
}

#[test]
fn a_ruined_machine_is_new_in_a_moment() {
    let Some(mut machines) = machines("a_ruined_machine_is_new_in_a_moment") else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    machines.run(ONE, "rm -rf --no-preserve-root / 2>/dev/null; true");
    let began = Instant::now();
    machines.reset(ONE).unwrap();
    let took = began.elapsed();
    assert_eq!(machines.run(ONE, "echo new").output, "new\n");
    assert!(took < Duration::from_secs(2) * host::slowness(), "{took:?}");
}

#[test]
fn machines_outlive_their_helper_and_are_found_again() {
    let Some(mut machines) = machines("machines_outlive_their_helper_and_are_found_again") else {
        return;
    };
    machines.start(ONE, json!({})).unwrap();
    machines.start(TWO, json!({})).unwrap();
    machines.run(ONE, "echo x > /dev/shm/in-memory");
    let keeper = machines.keeper(ONE).unwrap();
    let groups = groups_of(machines.keeper(TWO).unwrap());
    let victim = machines.keeper(TWO).unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-9", &victim])
        .status();
    assert!(killed.unwrap().success());
    machines.crash_and_restart().unwrap();

    let mut state = |id: &str| {
        let listed = machines.ask(&json!({"verb": "list"})).unwrap();
        let all = listed["machines"].as_array().unwrap().clone();
        let found = all.iter().find(|m| m["id"] == id).unwrap();
        found["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(ONE), "alive");
    // A killed stage takes a moment to end.
    let end = Instant::now() + Duration::from_secs(5);
    while state(TWO) != "stopped" {
        assert!(Instant::now() < end, "the killed machine is still alive");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(machines.keeper(ONE).unwrap(), keeper);
    assert_eq!(machines.run(ONE, "cat /dev/shm/in-memory").output, "x\n");
    assert!(groups.iter().all(|g| !g.exists()), "{groups:?}");
    machines.stop(ONE).unwrap();
}

/// The directories of a machine's own group, found through its keeper.
fn groups_of(keeper: u32) -> Vec<std::path::PathBuf> {
    let text = fs::read_to_string(format!("/proc/{keeper}/cgroup")).unwrap();
    let layout = kernel::cgroup::Layout::detect().unwrap();
    let path = text
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find(|path| path.ends_with("/outer"))
        .expect("a keeper is in outer/");
    let machine = Path::new(path).parent().unwrap();
    kernel::cgroup::Cgroup::new(&layout, machine)
        .directories()
        .collect()
}

/// The files behind all loop devices.
fn loops() -> String {
    let mut all = String::new();
    for entry in fs::read_dir("/sys/block").unwrap().flatten() {
        let file = entry.path().join("loop/backing_file");
        all += &fs::read_to_string(file).unwrap_or_default();
    }
    all
}

/// Processes whose user is in the range that begins at `base`.
fn processes_of(base: u32) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter(|e| {
            e.metadata()
                .is_ok_and(|m| (base..base + 65_536).contains(&m.uid()))
        })
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect()
}
