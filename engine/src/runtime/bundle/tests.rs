use super::*;
use crate::runtime::mounts::Step;
use crate::runtime::process::Keyring;

fn wish() -> Wish {
    Wish {
        id: "box".into(),
        bundle: "/b".into(),
        directory: "/run/box".into(),
        entrance: Entrance::Pivot,
        passed: 0,
        keyring: Keyring::New,
    }
}

fn decide(change: impl FnOnce(&mut serde_json::Value)) -> Result<Plan, BundleError> {
    let mut json = serde_json::json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "uts"}]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    });
    change(&mut json);
    plan(&serde_json::from_value(json).unwrap(), &wish())
}

#[test]
fn a_small_bundle_is_planned() {
    let plan = decide(|_| {}).unwrap();
    assert_eq!(plan.root.lower, [PathBuf::from("/b/rootfs")]);
    assert_eq!(plan.cgroup, PathBuf::from("box"));
    assert!(matches!(&plan.steps[0], Step::Mount { kind, .. } if kind == "proc"));
}

#[track_caller]
fn refused(change: impl FnOnce(&mut serde_json::Value), words: &str) {
    let error = decide(change).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_cannot_be_honoured_is_named() {
    refused(
        |j| j["linux"]["intelRdt"] = serde_json::json!({}),
        "intelRdt",
    );
    refused(
        |j| j["process"]["selinuxLabel"] = "x".into(),
        "selinuxLabel",
    );
    refused(|j| j["linux"]["cgroupsPath"] = "a:b:c".into(), "systemd");
    refused(
        |j| j["linux"]["namespaces"] = serde_json::json!([]),
        "mount namespace",
    );
    refused(|j| j["process"]["cwd"] = "tmp".into(), "absolute");
    refused(
        |j| j["linux"]["sysctl"] = serde_json::json!({"kernel.core_pattern": "|/x"}),
        "sysctl",
    );
    refused(
        |j| j["linux"]["sysctl"] = serde_json::json!({"net.ipv4.ip_forward": "1"}),
        "sysctl",
    );
}

#[test]
fn nothing_is_mounted_over_proc() {
    for target in ["/proc/self/attr", "/x/../proc/sys", "//proc/./1"] {
        let mount = serde_json::json!([{"destination": target, "type": "tmpfs", "source": "t"}]);
        refused(|j| j["mounts"] = mount, "inside /proc");
    }
    let tmpfs = serde_json::json!([{"destination": "/proc", "type": "tmpfs", "source": "t"}]);
    refused(|j| j["mounts"] = tmpfs, "inside /proc");
    let file = serde_json::json!([
        {"destination": "/proc/cpuinfo", "type": "bind", "source": "/x", "options": ["bind"]}
    ]);
    assert!(decide(|j| j["mounts"] = file).is_ok());
}

#[test]
fn a_cgroups_path_cannot_climb() {
    let plan = decide(|j| j["linux"]["cgroupsPath"] = "/../../a/./b".into()).unwrap();
    assert_eq!(plan.cgroup, PathBuf::from("a/b"));
}
