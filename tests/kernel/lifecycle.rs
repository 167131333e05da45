//! From `run` to `rm`, as a person types it.

use crate::{engine, sleeper};

#[test]
fn hello_world_is_pulled_and_speaks() {
    let Some(engine) = engine("hello_world_is_pulled_and_speaks") else {
        return;
    };
    assert_eq!(
        engine.stdout(&["images", "-q"]),
        "",
        "a new engine has no image"
    );
    let output = engine.run(&["run", "hello-world"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}{}", engine.log());
    assert!(String::from_utf8_lossy(&output.stdout).contains("Bonjour de Quai"));
    assert!(
        stderr.contains("Unable to find image 'hello-world:latest' locally"),
        "{stderr}"
    );
    let again = engine.run(&["run", "hello-world"]);
    assert_eq!(
        String::from_utf8_lossy(&again.stderr),
        "",
        "the second run pulls nothing"
    );
    assert_eq!(engine.stdout(&["ps", "-aq"]).lines().count(), 2);
}

#[test]
fn the_exit_code_of_the_container_is_dockers_own() {
    let Some(engine) = engine("the_exit_code_of_the_container_is_dockers_own") else {
        return;
    };
    let code = |arguments: &[&str]| engine.run(arguments).status.code();
    assert_eq!(
        code(&["run", "--rm", "busybox", "sh", "-c", "exit 7"]),
        Some(7)
    );
    assert_eq!(
        code(&["run", "--rm", "busybox", "/no/such/program"]),
        Some(127)
    );
    assert_eq!(code(&["run", "--rm", "busybox", "/etc"]), Some(126));
    assert_eq!(
        code(&["run", "--rm", "--no-such-flag", "busybox"]),
        Some(125)
    );
}

#[test]
fn a_detached_container_logs_stops_and_goes() {
    let Some(engine) = engine("a_detached_container_logs_stops_and_goes") else {
        return;
    };
    let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    engine.stdout(&[
        "run", "-d", "--name", "talker", "busybox", "sh", "-c", script,
    ]);
    for _ in 0..100 {
        if engine.stdout(&["logs", "talker"]).contains("ready") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    engine.stdout(&["stop", "talker"]);
    assert_eq!(engine.stdout(&["logs", "talker"]), "ready\nbye");
    assert_eq!(
        engine.stdout(&["inspect", "--format", "{{.State.ExitCode}}", "talker"]),
        "3"
    );
    engine.stdout(&["start", "talker"]);
    assert_eq!(engine.stdout(&["ps", "--format", "{{.Names}}"]), "talker");
    engine.stdout(&["rm", "-f", "talker"]);
    assert_eq!(engine.stdout(&["ps", "-aq"]), "");
}

#[test]
fn a_running_container_is_not_removed_without_force() {
    let Some(engine) = engine("a_running_container_is_not_removed_without_force") else {
        return;
    };
    sleeper(&engine, "busy", &[]);
    let refused = engine.run(&["rm", "busy"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&refused.stderr).is_empty());
    assert_eq!(engine.stdout(&["ps", "--format", "{{.Names}}"]), "busy");
}
