//! What concerns all that an engine has: prune, disk usage.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("system_df_adds_up", usage),
    ("prune_removes_what_is_not_used", prune),
];

fn usage(docker: &Docker) {
    let _guard = docker.sleeper("counted", &["-v", "counted-data:/data"]);
    let table = docker.ok(&["system", "df"]);
    for kind in ["Images", "Containers", "Local Volumes", "Build Cache"] {
        assert!(
            table.lines().any(|line| line.starts_with(kind)),
            "{kind} is not in {table}"
        );
    }
    let active = docker.ok(&["system", "df", "--format", "{{.Type}} {{.Active}}"]);
    assert!(
        active.lines().any(|line| line == "Containers 1"),
        "{active}"
    );
    let long = docker.ok(&["system", "df", "-v"]);
    assert!(
        long.contains("counted-data") && long.contains("busybox"),
        "{long}"
    );
    drop(_guard);
    docker.ok(&["volume", "rm", "counted-data"]);
}

fn prune(docker: &Docker) {
    let _kept = docker.sleeper("pruned-not", &[]);
    docker.ok(&[
        "create", "--name", "pruned", "--label", "prune=1", "busybox",
    ]);
    docker.ok(&["create", "--name", "pruned-too", "busybox"]);
    let first = docker.ok(&["container", "prune", "-f", "--filter", "label=prune=1"]);
    assert!(
        first.starts_with("Deleted Containers:\n") && first.contains("Total reclaimed space: 0B"),
        "{first}"
    );
    docker.fails(&["inspect", "pruned"], 1, "No such object: pruned");
    docker.ok(&["inspect", "pruned-too"]);
    docker.ok(&["volume", "create", "named"]);
    docker.ok(&["volume", "create"]);
    let volumes = docker.ok(&["volume", "prune", "-f"]);
    assert!(volumes.starts_with("Deleted Volumes:\n"), "{volumes}");
    assert_eq!(
        docker.ok(&["volume", "ls", "-q"]),
        "named",
        "only those that nobody named"
    );
    assert!(docker.ok(&["volume", "prune", "-af"]).contains("named"));
    let system = docker.ok(&["system", "prune", "-f"]);
    assert!(
        system.contains("Deleted Containers:") && system.contains("Total reclaimed space: "),
        "{system}"
    );
    docker.ok(&["inspect", "pruned-not"]);
    docker.fails(
        &["container", "prune", "-f", "--filter", "nonsense=1"],
        1,
        "invalid filter 'nonsense'",
    );
}
