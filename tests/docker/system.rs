//! The engine about itself: version, info, events.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("version_and_info_are_complete", info),
    ("events_are_replayed_and_filtered", events),
    ("events_come_as_they_happen", live),
];

fn info(docker: &Docker) {
    assert_eq!(
        docker.ok(&[
            "version",
            "-f",
            "{{.Server.APIVersion}} {{.Server.MinAPIVersion}}"
        ]),
        "1.45 1.24"
    );
    let text = docker.ok(&["info"]);
    for line in [
        "Server Version:",
        "Storage Driver: overlay2",
        "Cgroup Driver: cgroupfs",
        "Default Runtime:",
        "Swarm: inactive",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert_eq!(docker.ok(&["info", "-f", "{{.OSType}}"]), "linux");
    docker.fails(&["swarm", "leave"], 1, "This node is not part of a swarm");
    docker.fails(&["node", "ls"], 1, "This node is not a swarm manager.");
    assert_eq!(docker.ok(&["plugin", "ls", "-q"]), "");
}

/// The next second, as the client takes it: what happens in this one counts.
fn soon() -> String {
    (now() + 1).to_string()
}

/// Seconds since 1970.
fn now() -> u64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    passed.map_or(0, |passed| passed.as_secs())
}

fn events(docker: &Docker) {
    docker.ok(&[
        "run",
        "--rm",
        "--name",
        "told",
        "--network",
        "none",
        "--label",
        "told=1",
        "busybox",
        "true",
    ]);
    let seen = |filters: &[&str]| -> Vec<String> {
        let until = soon();
        let mut arguments = vec![
            "events",
            "--since",
            "10m",
            "--until",
            &until,
            "--format",
            "{{.Action}}",
        ];
        for filter in filters {
            arguments.extend(["--filter", filter]);
        }
        docker.ok(&arguments).lines().map(str::to_owned).collect()
    };
    assert_eq!(
        seen(&["container=told"]),
        ["create", "attach", "start", "die", "destroy"]
    );
    assert_eq!(
        seen(&["container=told", "event=die", "event=start"]),
        ["start", "die"]
    );
    assert_eq!(seen(&["label=told=1", "type=container"]).len(), 5);
    assert_eq!(
        seen(&["container=told", "image=busybox", "event=create"]),
        ["create"]
    );
    assert_eq!(seen(&["container=told", "type=network"]).len(), 0);
    let format = "{{.Type}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}} {{.Scope}}";
    let line = docker.ok(&[
        "events",
        "--since",
        "10m",
        "--until",
        &soon(),
        "--filter",
        "container=told",
        "--filter",
        "event=die",
        "--format",
        format,
    ]);
    assert_eq!(line, "container told 0 local");
}

fn live(docker: &Docker) {
    let until = (now() + 6).to_string();
    let child = docker.start(&[
        "events",
        "--filter",
        "container=lived",
        "--filter",
        "event=create",
        "--filter",
        "event=destroy",
        "--format",
        "{{.Action}}",
        "--until",
        &until,
    ]);
    // Until it listens, nothing happens to hear of; --until ends it.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    docker.ok(&["create", "--name", "lived", "busybox"]);
    docker.ok(&["rm", "lived"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "create\ndestroy\n");
}
