//! Limits of control groups, as the group's own files show them.

use serde_json::{Value, json};

use kernel::cgroup::{Cgroup, Layout, Version};

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 2] = [
    ("limits_are_written_and_updated", written),
    ("a_limit_that_cannot_be_is_an_error", impossible),
];

fn group(place: &Place) -> Cgroup {
    let layout = Layout::detect().unwrap();
    Cgroup::new(&layout, format!("quai-test/{}", place.id))
}

#[track_caller]
fn check(group: &Cgroup, controller: &str, v1: (&str, &str), v2: (&str, &str)) {
    let (file, value) = match group.version(controller) {
        Some(Version::V1) => v1,
        Some(Version::V2) => v2,
        None => return,
    };
    let text = group.read(controller, file).unwrap();
    assert_eq!(text.trim(), value, "{file}");
}

fn written() -> Result<(), String> {
    let place = Place::new("limits");
    place.configure("exec sleep 600", |config| {
        config["linux"]["resources"] = json!({
            "memory": {"limit": 67_108_864, "reservation": 33_554_432, "kernel": 1_000_000},
            "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 77},
        });
    });
    place.create(&[]);
    let of = group(&place);
    check(
        &of,
        "memory",
        ("memory.limit_in_bytes", "67108864"),
        ("memory.max", "67108864"),
    );
    check(
        &of,
        "memory",
        ("memory.soft_limit_in_bytes", "33554432"),
        ("memory.low", "33554432"),
    );
    check(&of, "cpu", ("cpu.shares", "512"), ("cpu.weight", "20"));
    check(
        &of,
        "cpu",
        ("cpu.cfs_quota_us", "50000"),
        ("cpu.max", "50000 100000"),
    );
    check(&of, "cpuset", ("cpuset.cpus", "0"), ("cpuset.cpus", "0"));
    check(&of, "pids", ("pids.max", "77"), ("pids.max", "77"));
    place.ok(&["start"]);
    let options = [
        "update",
        "--memory",
        "134217728",
        "--cpu-quota",
        "-1",
        "--pids-limit",
        "-1",
    ];
    place.ok(&options);
    check(
        &of,
        "memory",
        ("memory.limit_in_bytes", "134217728"),
        ("memory.max", "134217728"),
    );
    check(
        &of,
        "cpu",
        ("cpu.cfs_quota_us", "-1"),
        ("cpu.max", "max 100000"),
    );
    check(&of, "pids", ("pids.max", "max"), ("pids.max", "max"));
    let file = place.path("resources.json");
    std::fs::write(&file, json!({"pids": {"limit": 33}}).to_string()).unwrap();
    place.ok(&["update", "--resources", file.to_str().unwrap()]);
    check(&of, "pids", ("pids.max", "33"), ("pids.max", "33"));
    Ok(())
}

fn impossible() -> Result<(), String> {
    let place = Place::new("impossible");
    let refuse = |resources: Value, words: &str| {
        let done = place.sh("true", |config| config["linux"]["resources"] = resources);
        assert_ne!(done.code, 0, "{words}");
        assert!(done.err.contains(words), "{words}: {}", done.err);
    };
    refuse(json!({"cpu": {"cpus": "9999"}}), "cpuset.cpus");
    refuse(json!({"unified": {"../x": "1"}}), "unified");
    refuse(
        json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}),
        "hugetlb",
    );
    refuse(json!({"blockIO": {"leafWeight": 10}}), "leafWeight");
    if group(&place).version("memory") == Some(Version::V1) {
        refuse(json!({"unified": {"memory.high": "1000000"}}), "Unified");
    }
    Ok(())
}
