//! A container from creation to removal.

use std::time::{Duration, Instant};

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("a_container_is_created_started_stopped_and_removed", life),
    ("kill_sends_signals", kill),
    ("pause_freezes_and_unpause_goes_on", pause),
    ("restart_and_rename_keep_the_container", rename),
    ("wait_gives_exit_codes", wait),
    ("rm_refuses_and_forces", remove),
    ("restart_policies_start_again", policies),
    ("auto_removal_takes_anonymous_volumes_along", auto_removal),
    ("top_and_stats_show_what_runs", top),
    ("exec_runs_beside", exec),
    ("health_is_tested", health),
];

fn life(docker: &Docker) {
    let _guard = docker.guard("life");
    let id = docker.ok(&[
        "create",
        "--name",
        "life",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    assert_eq!(id.len(), 64);
    assert_eq!(docker.inspect("life", "{{.State.Status}}"), "created");
    assert_eq!(docker.ok(&["start", "life"]), "life");
    assert_eq!(
        docker.ok(&["start", "life"]),
        "life",
        "one that runs already is no error"
    );
    assert_eq!(docker.inspect("life", "{{.State.Running}}"), "true");
    let until = Instant::now() + Duration::from_secs(20);
    while docker.ok(&["logs", "life"]) != "ready" {
        assert!(Instant::now() < until, "it never is ready");
    }
    assert_eq!(docker.ok(&["stop", "life"]), "life");
    assert_eq!(
        docker.inspect("life", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 5"
    );
    assert_eq!(
        docker.ok(&["stop", "life"]),
        "life",
        "one that has ended is no error"
    );
    docker.fails(
        &["create", "--name", "life", "busybox"],
        1,
        "Conflict. The container name \"/life\" is already in use by container",
    );
    assert_eq!(docker.ok(&["rm", "life"]), "life");
    docker.fails(&["start", "life"], 1, "No such container: life");
    docker.fails(&["inspect", "life"], 1, "No such object: life");
}

fn kill(docker: &Docker) {
    let _guard = docker.guard("signals");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "signals",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "trap 'echo got' USR1; echo ready; while :; do sleep 0.1; done",
    ]);
    let until = Instant::now() + Duration::from_secs(20);
    while !docker.ok(&["logs", "signals"]).contains("ready") {
        assert!(Instant::now() < until, "it never is ready");
    }
    docker.ok(&["kill", "-s", "USR1", "signals"]);
    while !docker.ok(&["logs", "signals"]).contains("got") {
        assert!(Instant::now() < until, "the signal never comes");
    }
    docker.fails(
        &["kill", "-s", "NOPE", "signals"],
        1,
        "invalid signal: NOPE",
    );
    docker.ok(&["kill", "signals"]);
    assert_eq!(
        docker.inspect("signals", "{{.State.Running}} {{.State.ExitCode}}"),
        "false 137"
    );
    docker.fails(
        &["kill", "signals"],
        1,
        "cannot kill container: signals: container",
    );
}

fn pause(docker: &Docker) {
    let _guard = docker.sleeper("paused", &[]);
    docker.ok(&["pause", "paused"]);
    assert_eq!(
        docker.inspect(
            "paused",
            "{{.State.Status}} {{.State.Paused}} {{.State.Running}}"
        ),
        "paused true true"
    );
    docker.fails(
        &["exec", "paused", "true"],
        1,
        "is paused, unpause the container before exec",
    );
    docker.fails(&["pause", "paused"], 1, "is already paused");
    docker.fails(&["rm", "paused"], 1, "paused");
    docker.fails(
        &["start", "paused"],
        1,
        "cannot start a paused container, try unpause instead",
    );
    docker.ok(&["unpause", "paused"]);
    docker.fails(&["unpause", "paused"], 1, "is not paused");
    docker.ok(&["exec", "paused", "true"]);
}

fn rename(docker: &Docker) {
    let _guard = docker.sleeper("before", &[]);
    let _other = docker.guard("after");
    let started = docker.inspect("before", "{{.State.StartedAt}}");
    docker.ok(&["restart", "-t", "1", "before"]);
    assert_ne!(docker.inspect("before", "{{.State.StartedAt}}"), started);
    docker.ok(&["rename", "before", "after"]);
    assert_eq!(docker.inspect("after", "{{.Name}}"), "/after");
    docker.fails(&["rename", "before", "x1"], 1, "No such container: before");
    docker.fails(&["rename", "after", "a/b"], 1, "Invalid container name");
    docker.fails(
        &["rename", "after", "after"],
        1,
        "Renaming a container with the same name as its current name",
    );
}

fn wait(docker: &Docker) {
    let _first = docker.guard("waited");
    let _second = docker.guard("waited2");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "waited",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "sleep 0.3; exit 3",
    ]);
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "waited2",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "exit 4",
    ]);
    assert_eq!(docker.ok(&["wait", "waited", "waited2"]), "3\n4");
    docker.fails(&["wait", "nobody"], 1, "No such container: nobody");
}

fn remove(docker: &Docker) {
    let _guard = docker.sleeper("removed", &[]);
    docker.fails(
        &["rm", "removed"],
        1,
        "cannot remove container \"/removed\": container is running: stop the container before removing or force remove",
    );
    assert_eq!(docker.ok(&["rm", "-f", "removed"]), "removed");
    docker.fails(&["rm", "removed"], 1, "No such container: removed");
    docker.ok(&["rm", "-f", "removed"]);
}

fn policies(docker: &Docker) {
    let _guard = docker.guard("again");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "again",
        "--network",
        "none",
        "--restart",
        "on-failure:2",
        "busybox",
        "false",
    ]);
    docker.wait_for("again", "{{.RestartCount}} {{.State.Status}}", "2 exited");
    let _other = docker.guard("always");
    docker.ok(&[
        "run",
        "-d",
        "--name",
        "always",
        "--network",
        "none",
        "--restart",
        "always",
        "busybox",
        "sleep",
        "600",
    ]);
    let pid = docker.inspect("always", "{{.State.Pid}}");
    docker.ok(&["exec", "always", "sh", "-c", "kill -9 1 || true"]);
    docker.ok(&["stop", "-t", "0", "always"]);
    assert_eq!(
        docker.inspect("always", "{{.State.Status}}"),
        "exited",
        "a person's stop holds"
    );
    docker.ok(&["start", "always"]);
    assert_ne!(docker.inspect("always", "{{.State.Pid}}"), pid);
}

fn auto_removal(docker: &Docker) {
    docker.ok(&[
        "run",
        "--rm",
        "--name",
        "gone",
        "--network",
        "none",
        "-v",
        "/anonymous",
        "-v",
        "kept-volume:/kept",
        "busybox",
        "true",
    ]);
    docker.fails(&["inspect", "gone"], 1, "No such object: gone");
    assert_eq!(
        docker.ok(&["volume", "inspect", "-f", "{{.Name}}", "kept-volume"]),
        "kept-volume"
    );
    docker.ok(&["volume", "rm", "kept-volume"]);
}

fn top(docker: &Docker) {
    let _guard = docker.sleeper("shown", &["-m", "64m"]);
    let top = docker.ok(&["top", "shown"]);
    let head: Vec<_> = top.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        head,
        ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    );
    assert!(top.contains("sleep 600"), "{top}");
    let top = docker.ok(&["top", "shown", "-o", "pid,comm"]);
    assert!(top.lines().any(|line| line.ends_with("sleep")), "{top}");
    docker.fails(
        &["top", "shown", "-o", "comm"],
        1,
        "Couldn't find PID field in ps output",
    );
    let format = "{{.Name}} {{.MemUsage}} {{.PIDs}} {{.CPUPerc}}";
    let stats = docker.ok(&["stats", "--no-stream", "--format", format, "shown"]);
    assert!(stats.starts_with("shown "), "{stats}");
    assert!(stats.contains(" / 64MiB "), "{stats}");
    assert!(stats.ends_with('%'), "{stats}");
    let table = docker.ok(&["stats", "--no-stream", "shown"]);
    assert!(table.starts_with("CONTAINER ID   NAME"), "{table}");
    docker.fails(
        &["stats", "--no-stream", "nobody"],
        1,
        "No such container: nobody",
    );
}

fn exec(docker: &Docker) {
    let _guard = docker.sleeper("beside", &["-e", "OWN=1"]);
    assert_eq!(
        docker
            .run(&["exec", "beside", "sh", "-c", "exit 9"])
            .status
            .code(),
        Some(9)
    );
    let env = docker.ok(&["exec", "-e", "MORE=2", "beside", "env"]);
    assert!(env.contains("OWN=1") && env.contains("MORE=2"), "{env}");
    assert_eq!(
        docker.ok(&[
            "exec",
            "-u",
            "user",
            "-w",
            "/tmp",
            "beside",
            "sh",
            "-c",
            "id -u; pwd"
        ]),
        "1000\n/tmp"
    );
    let output = docker.run_with(&["exec", "-i", "beside", "cat"], b"to exec");
    assert_eq!(output.stdout, b"to exec");
    let tty = docker.ok(&["exec", "-t", "beside", "tty"]);
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
    docker.ok(&["exec", "-d", "beside", "touch", "/made"]);
    let until = Instant::now() + Duration::from_secs(20);
    while !docker
        .run(&["exec", "beside", "test", "-e", "/made"])
        .status
        .success()
    {
        assert!(Instant::now() < until, "the detached exec never runs");
    }
    let output = docker.run(&["exec", "beside", "nosuch"]);
    assert_eq!(output.status.code(), Some(126));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("OCI runtime exec failed: exec failed: "),
        "{text}"
    );
    assert!(
        text.contains("executable file not found in $PATH"),
        "{text}"
    );
    docker.fails(&["exec", "nobody", "true"], 1, "No such container: nobody");
    docker.ok(&["stop", "-t", "1", "beside"]);
    docker.fails(&["exec", "beside", "true"], 1, "is not running");
}

fn health(docker: &Docker) {
    let _guard = docker.sleeper(
        "healthy",
        &[
            "--health-cmd",
            "test -e /well",
            "--health-interval",
            "100ms",
            "--health-retries",
            "2",
        ],
    );
    docker.wait_for("healthy", "{{.State.Health.Status}}", "unhealthy");
    docker.ok(&["exec", "healthy", "touch", "/well"]);
    docker.wait_for("healthy", "{{.State.Health.Status}}", "healthy");
    assert_eq!(
        docker.ok(&["ps", "--filter", "health=healthy", "--format", "{{.Names}}"]),
        "healthy"
    );
    docker.fails(
        &[
            "run",
            "--rm",
            "--health-interval",
            "1us",
            "--health-cmd",
            "x",
            "busybox",
        ],
        125,
        "Interval in Healthcheck cannot be less than 1ms",
    );
}
