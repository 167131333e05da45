//! From create to delete, and what goes wrong on the way.

use serde_json::Value;

use crate::Test;
use crate::place::{Place, wait_until};

pub(crate) const TESTS: [Test; 7] = [
    ("a_container_lives_from_create_to_delete", whole_life),
    ("run_passes_streams_and_the_code_on", run),
    (
        "what_cannot_be_executed_is_told_in_the_log",
        missing_program,
    ),
    ("an_id_is_used_once_and_leads_nowhere", ids),
    ("delete_wants_force_for_what_runs", force),
    ("a_failed_create_leaves_nothing", nothing_left),
    ("questions_without_a_container_are_answered", questions),
];

fn groups(place: &Place) -> Vec<std::path::PathBuf> {
    let layout = kernel::cgroup::Layout::detect().unwrap();
    let group = kernel::cgroup::Cgroup::new(&layout, format!("quai-test/{}", place.id));
    group.directories().filter(|d| d.exists()).collect()
}

fn whole_life() -> Result<(), String> {
    let place = Place::new("life");
    place.configure("echo began; exec sleep 600", |config| {
        config["annotations"] = serde_json::json!({"a": "b"});
    });
    let pid_file = place.path("pid");
    place.create(&["--pid-file", pid_file.to_str().unwrap()]);
    let state: Value = serde_json::from_str(&place.ok(&["state"])).unwrap();
    assert_eq!(state["status"], "created");
    assert_eq!(state["annotations"]["a"], "b");
    assert_eq!(state["bundle"], place.path("bundle").to_str().unwrap());
    assert_eq!(
        state["pid"].to_string(),
        std::fs::read_to_string(pid_file).unwrap()
    );
    assert!(!groups(&place).is_empty());
    assert_eq!(place.printed(), "");
    place.ok(&["start"]);
    assert_eq!(place.status(), "running");
    wait_until(|| place.printed() == "began\n", &|| place.printed());
    let again = place.call(&["start"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already running"));
    place
        .runtime()
        .args(["kill", &place.id, "KILL"])
        .status()
        .unwrap();
    place.wait_for("stopped");
    place.ok(&["delete"]);
    assert_eq!(groups(&place), Vec::<std::path::PathBuf>::new());
    assert!(!place.path("state").join(&place.id).exists());
    Ok(())
}

fn run() -> Result<(), String> {
    let place = Place::new("run");
    let done = place.sh("echo hello; echo bad >&2; hostname; id -u; exit 7", |_| {});
    assert_eq!(done.out, "hello\nbox\n0\n", "{}", done.err);
    assert_eq!(done.err, "bad\n");
    assert_eq!(done.code, 7);
    assert_eq!(groups(&place), Vec::<std::path::PathBuf>::new());
    assert_eq!(place.sh("sh -c 'kill -9 $$'; exit $?", |_| {}).code, 137);
    Ok(())
}

fn missing_program() -> Result<(), String> {
    let place = Place::new("missing");
    place.configure("", |config| {
        config["process"]["args"] = serde_json::json!(["no-such"])
    });
    let log = place.path("log.json");
    let mut command = place.runtime();
    command
        .arg("--log")
        .arg(&log)
        .args(["--log-format", "json", "create", "-b"]);
    let output = command
        .arg(place.path("bundle"))
        .arg(&place.id)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let line: Value = serde_json::from_str(&std::fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(line["level"], "error");
    let words =
        "unable to start container process: exec: \"no-such\": executable file not found in $PATH";
    assert_eq!(line["msg"], words);
    assert_eq!(place.status(), "");
    Ok(())
}

fn ids() -> Result<(), String> {
    let place = Place::new("ids");
    place.configure("exec sleep 600", |_| {});
    place.create(&[]);
    let bundle = place.path("bundle");
    let bundle = bundle.to_str().unwrap();
    let again = place.call(&["create", "--bundle", bundle]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already exists"));
    assert_eq!(place.status(), "created");
    for bad in ["../x", "..", "a/b", ""] {
        let output = place
            .runtime()
            .args(["create", "-b", bundle, bad])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("invalid container ID"), "{bad}: {words}");
    }
    let unknown = place.runtime().args(["state", "nobody"]).output().unwrap();
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("container does not exist"));
    Ok(())
}

fn force() -> Result<(), String> {
    let place = Place::new("force");
    place.configure("exec sleep 600", |_| {});
    place.create(&[]);
    place.ok(&["start"]);
    let refused = place.call(&["delete"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("that is not stopped: running"), "{words}");
    place.ok(&["pause"]);
    assert_eq!(place.status(), "paused");
    place.ok(&["delete", "--force"]);
    assert_eq!(place.status(), "");
    place.ok(&["delete", "--force"]);
    Ok(())
}

fn nothing_left() -> Result<(), String> {
    let place = Place::new("left");
    let done = place.sh("true", |config| {
        config["mounts"][1]["options"] = serde_json::json!(["no-such-option=1"]);
    });
    assert_ne!(done.code, 0);
    assert!(done.err.contains("no-such-option"), "{}", done.err);
    assert!(!place.path("state").join(&place.id).exists());
    assert_eq!(groups(&place), Vec::<std::path::PathBuf>::new());
    Ok(())
}

fn questions() -> Result<(), String> {
    let place = Place::new("questions");
    let say = |words: &[&str]| {
        let output = place.runtime().args(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    };
    let (good, text) = say(&["features"]);
    let features: Value = serde_json::from_str(&text).unwrap();
    assert!(good && features["linux"]["seccomp"]["enabled"] == true);
    assert!(say(&["--version"]).1.contains("spec: 1."));
    assert!(say(&["--help"]).1.contains("checkpoint"));
    assert!(say(&["list"]).1.starts_with("ID "));
    for words in [
        &["checkpoint", "x"][..],
        &["--systemd-cgroup", "list"],
        &["fly"],
        &["list", "--fly"],
    ] {
        assert!(!say(words).0, "{words:?}");
    }
    // A document of ours is a bundle of ours.
    let bundle = place.path("bundle");
    let (good, _) = say(&["spec", "--bundle", bundle.to_str().unwrap()]);
    assert!(good);
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(bundle.join("config.json")).unwrap()).unwrap();
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["cat", "/proc/1/comm"]);
    std::fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let done = place.run();
    assert_eq!(done.out, "cat\n", "{}", done.err);
    Ok(())
}
