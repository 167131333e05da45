//! Programs at the turns of a container's life.

use serde_json::{Value, json};

use crate::Test;
use crate::place::Place;

pub(crate) const TESTS: [Test; 2] = [
    ("hooks_run_in_their_order_and_read_the_state", order),
    (
        "a_hook_that_fails_or_takes_too_long_ends_the_create",
        failing,
    ),
];

/// A hook that appends its name and the state it reads to a file; `@` in the file's name stands for
/// where the hook sees the place.
fn hook(name: &str, file: &str) -> Value {
    let line = format!("echo {name} $(cat) >> {file}");
    json!({"path": "/bin/busybox", "args": ["sh", "-c", line], "env": ["PATH=/bin"]})
}

fn order() -> Result<(), String> {
    let place = Place::new("hooks");
    let file = place.path("log").to_str().unwrap().to_owned();
    let bundle = place.path("bundle");
    place.configure("echo program >> /log; sleep 600", |config| {
        config["hooks"] = json!({
            "prestart": [hook("prestart", &file)],
            "createRuntime": [hook("createRuntime", &file)],
            "createContainer": [hook("createContainer", &file)],
            "startContainer": [hook("startContainer", "/log")],
            "poststart": [hook("poststart", &file)],
            "poststop": [hook("poststop", &file)],
        });
    });
    place.create(&[]);
    let pid = serde_json::from_str::<Value>(&place.ok(&["state"])).unwrap()["pid"].clone();
    place.ok(&["start"]);
    place.ok(&["delete", "--force"]);
    let text = std::fs::read_to_string(&file).unwrap();
    let mut names = Vec::new();
    for line in text.lines() {
        let (name, state) = line.split_once(' ').unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        assert_eq!(state["id"], place.id.as_str());
        assert_eq!(state["bundle"], bundle.to_str().unwrap());
        let status = match name {
            "poststart" => "running",
            "poststop" => "stopped",
            _ => "creating",
        };
        assert_eq!(state["status"], status, "{name}");
        if name != "poststop" {
            assert_eq!(state["pid"], pid, "{name}");
        }
        names.push(name);
    }
    let expected = [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ];
    assert_eq!(names, expected);
    let inside = std::fs::read_to_string(place.rootfs("log")).unwrap();
    assert!(inside.starts_with("startContainer {"), "{inside}");
    assert!(inside.ends_with("program\n"), "{inside}");
    Ok(())
}

fn failing() -> Result<(), String> {
    let place = Place::new("badhooks");
    let fails = |line: &str| json!({"path": "/bin/busybox", "args": ["sh", "-c", line], "env": ["PATH=/bin"], "timeout": 1});
    for (kind, line, words) in [
        ("createRuntime", "echo no way >&2; exit 3", "no way"),
        ("createContainer", "exit 3", "exit status: 3"),
        ("prestart", "sleep 600", "longer than 1 s"),
    ] {
        let done = place.sh("true", |config| {
            config["hooks"] = json!({kind: [fails(line)]})
        });
        assert_ne!(done.code, 0, "{kind}");
        assert!(done.err.contains(words), "{kind}: {}", done.err);
        assert_eq!(place.status(), "", "{kind}");
    }
    Ok(())
}
