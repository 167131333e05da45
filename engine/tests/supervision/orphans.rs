//! A shim that is killed takes its container along, whether or not the engine is killed and started again.

use serde_json::{Value, json};

use crate::engine_process::Engine;
use crate::processes::{group_directories, inhabitants, shim_of};
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("a_container_whose_shim_is_killed_ends", ends),
    ("a_policy_starts_one_copy_when_the_shim_is_killed", again),
    ("a_removal_after_a_killed_shim_leaves_nothing", removed),
];

/// The live processes of one container.
fn of(id: &str) -> Vec<i32> {
    let all = inhabitants().into_iter();
    all.filter_map(|(pid, group)| (group == id).then_some(pid))
        .collect()
}

fn kill(pid: i32) {
    kernel::process::kill(pid, kernel::process::Signal::KILL).unwrap();
}

fn ends(engine: &mut Engine) {
    let id = engine.run("orphan", "sleep 1000", json!({}), json!({}));
    let wish = json!({ "Cmd": ["sleep", "1001"] });
    let exec = engine.client.post("/containers/orphan/exec", &wish).json();
    let path = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    let started = engine.client.post(&path, &json!({ "Detach": true }));
    assert_eq!(started.status, 200);
    wait_until("both run", || of(&id).len() >= 2);
    kill(shim_of(&id));
    wait_until("the engine hears of it", || {
        engine.state("orphan")["Status"] == "exited"
    });
    assert_eq!(engine.state("orphan")["ExitCode"], 137);
    assert_eq!(
        of(&id),
        [0_i32; 0],
        "its processes ended before it was said"
    );
    assert!(group_directories(&id).is_empty());
    let again = engine.client.post("/containers/orphan/start", &Value::Null);
    assert_eq!(again.status, 204, "{}", again.message());
}

fn again(engine: &mut Engine) {
    let host = json!({ "RestartPolicy": { "Name": "always" } });
    let id = engine.run("copies", "sleep 1000", host, json!({}));
    let first = engine.state("copies")["Pid"].clone();
    kill(shim_of(&id));
    wait_until("the policy starts it again", || {
        let state = engine.state("copies");
        state["Status"] == "running" && state["Pid"] != first
    });
    let sleepers: Vec<_> = of(&id)
        .into_iter()
        .filter(|pid| {
            let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            words.is_ok_and(|words| words.starts_with("sleep"))
        })
        .collect();
    assert!(sleepers.len() <= 1, "two copies run: {sleepers:?}");
    let first = i32::try_from(first.as_i64().unwrap()).unwrap();
    assert!(!of(&id).contains(&first), "the first one lives on");
}

fn removed(engine: &mut Engine) {
    let id = engine.run("gone", "sleep 1000", json!({}), json!({}));
    kill(shim_of(&id));
    // Whatever the engine knows by now: the answer is that nothing is left.
    wait_until("it is removed", || {
        let answer = engine.client.delete("/containers/gone?force=1");
        matches!(answer.status, 204 | 404)
    });
    assert_eq!(of(&id), [0_i32; 0]);
    assert!(group_directories(&id).is_empty());
}
