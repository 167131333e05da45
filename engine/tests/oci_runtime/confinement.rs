//! Rights of the program: ids, capabilities, filters, profiles, priorities.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 7] = [
    ("ids_sets_and_limits_are_those_of_the_document", rights),
    ("a_filter_sees_calls_and_arguments", filter),
    ("a_supervisor_is_given_the_listener", notify),
    ("priorities_and_personality_are_set", schedule),
    ("a_profile_without_apparmor_is_an_error", profile),
    ("a_profile_confines_the_program", confined),
    ("no_descriptor_and_no_program_of_ours_is_left", leaks),
];

fn rights() -> Result<(), String> {
    let place = Place::new("rights");
    let line = "id -u; id -g; id -G; umask; ulimit -n; ulimit -Hn; pwd; echo $HOME; \
                cat /proc/self/oom_score_adj; grep -E '^(Cap|NoNew)' /proc/self/status | tr -d '\\t'";
    let done = place.sh(line, |config| {
        let process = &mut config["process"];
        process["user"] = json!({"uid": 33, "gid": 34, "umask": 0o027, "additionalGids": [50, 51]});
        process["cwd"] = "/work/deep".into();
        process["oomScoreAdj"] = 500.into();
        process["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "hard": 200, "soft": 100}]);
        process["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "effective": ["CAP_KILL"],
            "permitted": ["CAP_KILL", "CAP_CHOWN"],
            "inheritable": ["CAP_KILL"],
            "ambient": ["CAP_KILL"],
        });
    });
    let expected = "33\n34\n34 50 51\n0027\n100\n200\n/work/deep\n/\n500\n\
                    CapInh:0000000000000020\nCapPrm:0000000000000020\nCapEff:0000000000000020\n\
                    CapBnd:0000000000002021\nCapAmb:0000000000000020\nNoNewPrivs:1\n";
    assert_eq!(done.out, expected, "{}", done.err);
    Ok(())
}

fn filter() -> Result<(), String> {
    let place = Place::new("filter");
    let seccomp = |rules: Value| {
        json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": rules,
        })
    };
    let line = "mkdir /tmp/a; echo $?; chmod 755 /tmp; echo $?; chmod 4755 /tmp; echo $?; \
                grep Seccomp: /proc/self/status";
    let set_user_id = |index: u32| json!([{"index": index, "value": 0o4000, "valueTwo": 0o4000, "op": "SCMP_CMP_MASKED_EQ"}]);
    for privileges in [true, false] {
        let done = place.sh(line, |config| {
            config["process"]["noNewPrivileges"] = privileges.into();
            config["linux"]["seccomp"] = seccomp(json!([
                {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO",
                 "errnoRet": 28},
                {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": set_user_id(1)},
                {"names": ["fchmodat"], "action": "SCMP_ACT_ERRNO", "args": set_user_id(2)},
            ]));
        });
        let codes: Vec<_> = done.out.lines().collect();
        assert_eq!(codes, ["1", "0", "1", "Seccomp:\t2"], "{}", done.err);
        assert!(done.err.contains("No space left"), "{}", done.err);
    }
    let done = place.sh("true", |config| {
        config["linux"]["seccomp"] = seccomp(json!([
            {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"},
        ]));
    });
    assert!(done.err.contains("listenerPath"), "{}", done.err);
    Ok(())
}

fn notify() -> Result<(), String> {
    let place = Place::new("notify");
    let path = place.path("listener");
    let listener = UnixListener::bind(&path).unwrap();
    place.configure("exec sleep 600", |config| {
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": path,
            "listenerMetadata": "for us",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
        });
    });
    place.create(&[]);
    place.ok(&["start"]);
    let (stream, _) = listener.accept().unwrap();
    let mut buffer = vec![0; 64 << 10];
    let (n, descriptors) = kernel::rights::receive(stream.as_fd(), &mut buffer).unwrap();
    let state: Value = serde_json::from_slice(&buffer[..n]).unwrap();
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!(state["metadata"], "for us");
    assert_eq!(state["state"]["id"], place.id.as_str());
    let own: Value = serde_json::from_str(&place.ok(&["state"])).unwrap();
    assert_eq!(state["pid"], own["pid"]);
    assert_eq!(descriptors.len(), 1);
    let link = std::fs::read_link(kernel::procfs::process::descriptor_path(
        descriptors[0].as_fd(),
    ));
    assert!(link.unwrap().to_string_lossy().contains("seccomp notify"));
    Ok(())
}

fn schedule() -> Result<(), String> {
    let place = Place::new("schedule");
    let line = "uname -m; cut -d' ' -f19,41 /proc/self/stat; ionice -p $$";
    let done = place.sh(line, |config| {
        config["linux"]["personality"] = json!({"domain": "LINUX32"});
        config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 7});
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
    });
    // Nice value and policy (3 is SCHED_BATCH) of `cut`, which inherits them.
    assert_eq!(done.out, "i686\n7 3\nidle\n", "{}", done.err);
    Ok(())
}

fn profile() -> Result<(), String> {
    if kernel::apparmor::enabled() {
        return Err(
            "this kernel confines by AppArmor: the virtual machine's lane tests that".into(),
        );
    }
    let place = Place::new("profile");
    let done = place.sh("true", |config| {
        config["process"]["apparmorProfile"] = "web-server".into();
    });
    assert!(done.err.contains("web-server"), "{}", done.err);
    Ok(())
}

fn confined() -> Result<(), String> {
    if !kernel::apparmor::enabled() {
        return Err("this kernel does not confine by AppArmor".to_owned());
    }
    let text = "profile quai-oci-test flags=(attach_disconnected,mediate_deleted) {\n  file,\n  capability,\n  deny /etc/** w,\n}\n";
    let place = Place::new("confined");
    let file = place.path("profile");
    std::fs::write(&file, text).unwrap();
    let parser = std::process::Command::new("apparmor_parser")
        .arg("-r")
        .arg(&file)
        .status();
    if !parser.is_ok_and(|status| status.success()) {
        return Err("it needs apparmor_parser (package apparmor)".to_owned());
    }
    let line = "cat /proc/self/attr/current; touch /etc/new || echo denied";
    let profile =
        |config: &mut Value| config["process"]["apparmorProfile"] = "quai-oci-test".into();
    let done = place.sh(line, profile);
    assert_eq!(
        done.out, "quai-oci-test (enforce)\ndenied\n",
        "{}",
        done.err
    );
    place.configure("exec sleep 600", profile);
    place.create(&[]);
    place.ok(&["start"]);
    let mut command = place.runtime();
    command.args(["exec", &place.id, "cat", "/proc/self/attr/current"]);
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "quai-oci-test (enforce)\n"
    );
    place.ok(&["delete", "--force"]);
    let done = place.sh("true", |config| {
        config["process"]["apparmorProfile"] = "no-such-profile".into();
    });
    assert_ne!(done.code, 0);
    assert!(done.err.contains("no-such-profile"), "{}", done.err);
    Ok(())
}

fn leaks() -> Result<(), String> {
    let place = Place::new("leaks");
    let line = "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/exe";
    let done = place.sh(line, |_| {});
    // The fourth is the listing's own.
    assert_eq!(done.out, "0 1 2 3 /bin/busybox\n", "{}", done.err);
    // A link to the runtime's own program is no program of the image.
    std::os::unix::fs::symlink("/proc/self/exe", place.rootfs("bin/self")).unwrap();
    let done = place.sh("", |config| {
        config["process"]["args"] = json!(["/bin/self", "--version"])
    });
    assert_ne!(done.code, 0);
    assert!(!done.out.contains("version"), "{}", done.out);
    // Created and not started, it cannot be looked into by one that shares its processes.
    place.configure("sleep 600", |_| {});
    place.create(&[]);
    let state: Value = serde_json::from_str(&place.ok(&["state"])).unwrap();
    let mut status = String::new();
    let path = format!("/proc/{}/auxv", state["pid"]);
    let facts = std::fs::metadata(format!("/proc/{}/mem", state["pid"])).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&facts), 0);
    let _ = std::fs::File::open(path).and_then(|mut f| f.read_to_string(&mut status));
    Ok(())
}
