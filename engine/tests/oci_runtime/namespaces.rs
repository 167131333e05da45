//! Namespaces: new, joined, with ids and clocks of their own.

use serde_json::{Value, json};

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 5] = [
    ("new_namespaces_are_not_ours", new),
    ("namespaces_are_joined_by_path", joined),
    ("a_user_namespace_has_ids_of_its_own", user),
    ("a_time_namespace_has_clocks_of_its_own", time),
    ("parameters_belong_to_a_namespace_of_the_container", sysctl),
];

fn inode(kind: &str) -> String {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    link.to_str().unwrap().to_owned()
}

fn kinds(config: &mut Value, change: impl Fn(&str) -> Option<Value>) {
    let kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    config["linux"]["namespaces"] = kinds.iter().filter_map(|kind| change(kind)).collect();
}

fn new() -> Result<(), String> {
    let place = Place::new("newns");
    let line = "for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done; echo $$";
    let done = place.sh(line, |_| {});
    let mut lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.pop(), Some("1"), "{}", done.err);
    for (kind, theirs) in ["pid", "net", "ipc", "uts", "mnt", "cgroup"]
        .iter()
        .zip(lines)
    {
        assert!(
            theirs.starts_with(kind) && theirs != inode(kind),
            "{theirs}"
        );
    }
    // Without a namespace of its own a container has ours.
    let done = place.sh(
        "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc",
        |config| {
            kinds(config, |kind| {
                (kind != "network").then(|| json!({"type": kind}))
            });
            config["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|m| m["destination"] != "/sys");
            config["mounts"]
                .as_array_mut()
                .unwrap()
                .retain(|m| m["destination"] != "/sys/fs/cgroup");
        },
    );
    assert!(
        done.out.starts_with(&inode("net")),
        "{} {}",
        done.out,
        done.err
    );
    Ok(())
}

fn joined() -> Result<(), String> {
    let first = Place::new("joined");
    first.configure("exec sleep 600", |config| {
        config["linux"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        map(config);
    });
    first.create(&[]);
    first.ok(&["start"]);
    let state: Value = serde_json::from_str(&first.ok(&["state"])).unwrap();
    let pid = state["pid"].to_string();
    let names = [
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("pid", "pid"),
    ];
    let second = Place::new("joined");
    let line = "for n in net ipc uts pid user; do readlink /proc/self/ns/$n; done; id -u";
    let done = second.sh(line, |config| {
        kinds(config, |kind| {
            let file = names.iter().find(|(name, _)| *name == kind);
            Some(file.map_or_else(
                || json!({"type": kind}),
                |(_, file)| json!({"type": kind, "path": format!("/proc/{pid}/ns/{file}")}),
            ))
        });
        let user = json!({"type": "user", "path": format!("/proc/{pid}/ns/user")});
        config["linux"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(user);
    });
    let read = |kind: &str| {
        let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        link.to_str().unwrap().to_owned()
    };
    let expected: Vec<_> = ["net", "ipc", "uts", "pid", "user"]
        .iter()
        .map(|k| read(k))
        .collect();
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines[..lines.len().min(5)], expected[..], "{}", done.err);
    assert_eq!(lines[5], "0");
    Ok(())
}

fn map(config: &mut Value) {
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
}

fn user() -> Result<(), String> {
    let place = Place::new("userns");
    std::fs::create_dir(place.rootfs("own")).unwrap();
    std::os::unix::fs::chown(place.rootfs("own"), Some(100_000), Some(100_000)).unwrap();
    let line = "id -u; cat /proc/self/uid_map | tr -s ' '; touch /own/file; stat -c %u /own /bin; \
                echo > /dev/null && echo null; grep CapEff /proc/self/status";
    let done = place.sh(line, |config| {
        config["linux"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        map(config);
    });
    let expected = "0\n 0 100000 65536\n0\n65534\nnull\nCapEff:\t00000000000000e1\n";
    assert_eq!(done.out, expected, "{}", done.err);
    let facts = std::fs::metadata(place.rootfs("own/file")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&facts), 100_000);
    // A second process lives there too.
    place.configure("exec sleep 600", |config| {
        config["linux"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "user"}));
        map(config);
    });
    place.create(&[]);
    place.ok(&["start"]);
    let mut command = place.runtime();
    command.args(["exec", &place.id, "cat", "/proc/self/uid_map"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("100000"),
        "{text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn time() -> Result<(), String> {
    if !std::path::Path::new("/proc/self/ns/time").exists() {
        return Err("this kernel has no time namespaces".to_owned());
    }
    let place = Place::new("time");
    let done = place.sh(
        "cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time",
        |config| {
            config["linux"]["namespaces"]
                .as_array_mut()
                .unwrap()
                .push(json!({"type": "time"}));
            config["linux"]["timeOffsets"] = json!({
                "monotonic": {"secs": 1_000_000}, "boottime": {"secs": 1_000_000},
            });
        },
    );
    let mut lines = done.out.lines();
    let uptime: u64 = lines.next().and_then(|l| l.parse().ok()).unwrap_or(0);
    assert!(uptime >= 1_000_000, "{} {}", done.out, done.err);
    assert_ne!(lines.next(), Some(inode("time").as_str()));
    Ok(())
}

fn sysctl() -> Result<(), String> {
    let place = Place::new("sysctl");
    let line = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax";
    let done = place.sh(line, |config| {
        config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"});
    });
    assert_eq!(done.out, "1\n4096\n", "{}", done.err);
    let done = place.sh("true", |config| {
        config["linux"]["sysctl"] = json!({"kernel.core_pattern": "|/x"});
    });
    assert!(done.err.contains("kernel.core_pattern"), "{}", done.err);
    Ok(())
}
