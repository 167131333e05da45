//! Limits: what they change in the control group, what is refused, what is warned about.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("limits_are_in_the_control_group", written),
    ("limits_out_of_range_are_refused", refused),
    ("limits_that_the_host_cannot_hold_are_warned_about", warned),
    ("limits_change_while_it_runs", updated),
    ("limits_and_rlimits_and_sysctls_hold", others),
    ("memory_at_its_end_kills_and_tells", out_of_memory),
];

/// The value of a file of the container's own group, in version 1 or 2.
fn file(docker: &Docker, name: &str, v1: &str, v2: &str) -> String {
    let script = format!("cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}");
    docker.ok(&["exec", name, "sh", "-c", &script])
}

fn is_v1() -> bool {
    std::path::Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
}

fn written(docker: &Docker) {
    let _guard = docker.sleeper(
        "limits",
        &[
            "-m",
            "64m",
            "--memory-swap",
            "128m",
            "--memory-reservation",
            "32m",
            "--cpus",
            "0.5",
            "--cpu-shares",
            "512",
            "--pids-limit",
            "50",
            "--cpuset-cpus",
            "0",
        ],
    );
    assert_eq!(
        file(
            docker,
            "limits",
            "memory/memory.limit_in_bytes",
            "memory.max"
        ),
        "67108864"
    );
    assert_eq!(file(docker, "limits", "pids/pids.max", "pids.max"), "50");
    assert_eq!(
        file(docker, "limits", "cpuset/cpuset.cpus", "cpuset.cpus"),
        "0"
    );
    let quota = file(docker, "limits", "cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(quota.starts_with("50000"), "{quota}");
    let shares = file(docker, "limits", "cpu/cpu.shares", "cpu.weight");
    assert!(["512", "20"].contains(&shares.as_str()), "{shares}");
    let format = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
    assert_eq!(
        docker.inspect("limits", format),
        "67108864 134217728 33554432 500000000 50"
    );
}

fn refused(docker: &Docker) {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let range =
        format!("Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available");
    let cases: [(&[&str], &str); 11] = [
        (&["-m", "1m"], "Minimum memory limit allowed is 6MB"),
        (
            &["--memory-swap", "64m"],
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (
            &["-m", "64m", "--memory-swap", "32m"],
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            &["-m", "64m", "--memory-reservation", "128m"],
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (
            &["--memory-reservation", "1m"],
            "Minimum memory reservation allowed is 6MB",
        ),
        (&["--cpus", "999"], &range),
        (
            &["--cpus", "0.5", "--cpu-quota", "5000"],
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        (
            &["--cpu-period", "10"],
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (
            &["--cpu-quota", "10"],
            "CPU cfs quota can not be less than 1ms (i.e. 1000)",
        ),
        (
            &["--cpuset-cpus", "4095"],
            "Requested CPUs are not available - requested 4095, available: ",
        ),
        (
            &["--oom-score-adj", "2000"],
            "Invalid value 2000, range for oom score adj is [-1000, 1000]",
        ),
    ];
    for (options, words) in cases {
        let mut arguments = vec!["run", "--rm"];
        arguments.extend(options);
        arguments.extend(["busybox", "true"]);
        docker.fails(&arguments, 125, words);
    }
}

fn warned(docker: &Docker) {
    let disable = docker.warnings(&["run", "--rm", "--oom-kill-disable", "busybox", "true"]);
    let swappiness = docker.warnings(&[
        "run",
        "--rm",
        "-m",
        "32m",
        "--memory-swappiness",
        "10",
        "busybox",
        "true",
    ]);
    if is_v1() {
        assert!(
            disable
                .contains("OOM killer is disabled for the container, but no memory limit is set"),
            "{disable}"
        );
        assert_eq!(swappiness, "");
        docker.fails(
            &[
                "run",
                "--rm",
                "--memory-swappiness",
                "101",
                "busybox",
                "true",
            ],
            125,
            "nvalid value: 101",
        );
    } else {
        assert!(
            disable
                .contains("Your kernel does not support OomKillDisable. OomKillDisable discarded."),
            "{disable}"
        );
        assert!(
            swappiness.contains("Memory swappiness discarded."),
            "{swappiness}"
        );
    }
    // The client sends it; since API 1.42 the engine leaves it out without a word.
    assert_eq!(
        docker.warnings(&["run", "--rm", "--kernel-memory", "64m", "busybox", "true"]),
        ""
    );
    let weight = docker.warnings(&["run", "--rm", "--blkio-weight", "300", "busybox", "true"]);
    let there = !is_v1() || std::path::Path::new("/sys/fs/cgroup/blkio/blkio.weight").exists();
    assert_eq!(weight.contains("Weight discarded."), !there, "{weight}");
}

fn updated(docker: &Docker) {
    let _guard = docker.sleeper("updated", &["-m", "64m"]);
    assert_eq!(
        docker.ok(&[
            "update",
            "-m",
            "96m",
            "--memory-swap",
            "192m",
            "--pids-limit",
            "70",
            "updated"
        ]),
        "updated"
    );
    assert_eq!(
        file(
            docker,
            "updated",
            "memory/memory.limit_in_bytes",
            "memory.max"
        ),
        "100663296"
    );
    assert_eq!(file(docker, "updated", "pids/pids.max", "pids.max"), "70");
    assert_eq!(
        docker.inspect("updated", "{{.HostConfig.Memory}}"),
        "100663296"
    );
    docker.ok(&["update", "--restart", "on-failure:3", "updated"]);
    assert_eq!(
        docker.inspect("updated", "{{.HostConfig.RestartPolicy.Name}}"),
        "on-failure"
    );
    docker.fails(
        &["update", "-m", "1m", "updated"],
        1,
        "Minimum memory limit allowed is 6MB",
    );
    docker.fails(
        &["update", "-m", "512m", "updated"],
        1,
        "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
    docker.fails(
        &["update", "-m", "64m", "nobody"],
        1,
        "No such container: nobody",
    );
}

fn others(docker: &Docker) {
    assert_eq!(
        docker.prints(
            &["--ulimit", "nofile=100:200"],
            &["sh", "-c", "ulimit -n; ulimit -Hn"]
        ),
        "100\n200"
    );
    assert_eq!(
        docker.prints(
            &["--sysctl", "net.ipv4.ip_default_ttl=99"],
            &["cat", "/proc/sys/net/ipv4/ip_default_ttl"]
        ),
        "99"
    );
    assert_eq!(
        docker.prints(
            &["--oom-score-adj", "500"],
            &["cat", "/proc/self/oom_score_adj"]
        ),
        "500"
    );
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait";
    let output = docker.run(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--pids-limit",
        "5",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("can't fork"), "{text}");
}

fn out_of_memory(docker: &Docker) {
    let _guard = docker.guard("hungry");
    let output = docker.run(&[
        "run",
        "--name",
        "hungry",
        "--network",
        "none",
        "-m",
        "16m",
        "--memory-swap",
        "16m",
        "busybox",
        "sh",
        "-c",
        "exec tail -c 100000000 /dev/zero",
    ]);
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(
        docker.inspect("hungry", "{{.State.OOMKilled}} {{.State.ExitCode}}"),
        "true 137"
    );
}
