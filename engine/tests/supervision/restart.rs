//! Restart policies, while the engine runs and across its death.

use serde_json::{Value, json};

use crate::engine_process::Engine;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("a_failing_container_is_started_so_often", so_often),
    ("a_container_that_was_stopped_stays_so", stopped),
    ("policies_hold_across_the_death_of_the_engine", across),
    ("a_policy_can_be_changed_while_it_runs", changed),
    ("bad_policies_are_refused_in_dockers_words", refused),
];

fn policy(name: &str, most: i64) -> Value {
    json!({ "RestartPolicy": { "Name": name, "MaximumRetryCount": most } })
}

fn count(engine: &Engine, name: &str) -> i64 {
    let answer = engine.client.get(&format!("/containers/{name}/json"));
    answer.json()["RestartCount"].as_i64().unwrap()
}

fn so_often(engine: &mut Engine) {
    engine.run("rr", "exit 3", policy("on-failure", 2), json!({}));
    wait_until("it has ended for good", || {
        engine.state("rr")["Status"] == "exited" && count(engine, "rr") == 2
    });
    assert_eq!(engine.state("rr")["ExitCode"], 3);
    let actions = engine.actions("rr");
    let starts = actions.iter().filter(|action| *action == "start").count();
    assert_eq!(starts, 3, "{actions:?}");
    // A person's start begins anew.
    engine.client.post("/containers/rr/start", &Value::Null);
    wait_until("it has ended for good again", || {
        engine.state("rr")["Status"] == "exited" && count(engine, "rr") == 2
    });
    engine.run("fine", "exit 0", policy("on-failure", 2), json!({}));
    wait_until("it has ended", || {
        engine.state("fine")["Status"] == "exited"
    });
    assert_eq!(count(engine, "fine"), 0);
}

fn stopped(engine: &mut Engine) {
    for name in ["always", "unless-stopped"] {
        engine.run(name, "sleep 300", policy(name, 0), json!({}));
        engine
            .client
            .post(&format!("/containers/{name}/stop?t=0"), &Value::Null);
        assert_eq!(engine.state(name)["Status"], "exited", "{name}");
        engine
            .client
            .post(&format!("/containers/{name}/start"), &Value::Null);
        let pid = engine.state(name)["Pid"].as_i64().unwrap();
        // Nobody asked the engine: the container was killed.
        kernel::process::kill(i32::try_from(pid).unwrap(), kernel::process::Signal::KILL).unwrap();
        wait_until("it runs again", || {
            let state = engine.state(name);
            state["Status"] == "running" && state["Pid"] != pid
        });
        engine
            .client
            .post(&format!("/containers/{name}/kill"), &Value::Null);
        wait_until("it stays ended", || {
            engine.state(name)["Status"] == "exited"
        });
    }
    // A container between two starts can be stopped too.
    engine.run("loop", "exit 1", policy("always", 0), json!({}));
    wait_until("it waits for its next start", || {
        engine.state("loop")["Status"] == "restarting" && count(engine, "loop") > 2
    });
    engine.client.post("/containers/loop/stop", &Value::Null);
    assert_eq!(engine.state("loop")["Status"], "exited");
}

fn across(engine: &mut Engine) {
    let gate = |name: &str| engine.dir.join(name).display().to_string();
    for (name, word) in [
        ("always", "always"),
        ("unless", "unless-stopped"),
        ("no", "no"),
    ] {
        engine.run(name, "sleep 300", policy(word, 0), json!({}));
    }
    engine.run(
        "stopped",
        "sleep 300",
        policy("unless-stopped", 0),
        json!({}),
    );
    engine.run(
        "stopped-always",
        "sleep 300",
        policy("always", 0),
        json!({}),
    );
    let remove = json!({ "AutoRemove": true, "Binds": [format!("{}:/gate", gate("gate"))] });
    std::fs::create_dir_all(gate("gate")).unwrap();
    let command = "until test -e /gate/open; do usleep 20000; done";
    engine.run("gone", command, remove, json!({}));
    for name in ["stopped", "stopped-always"] {
        let path = format!("/containers/{name}/stop?t=0");
        engine.client.post(&path, &Value::Null);
    }
    let pid = |name: &str| i32::try_from(engine.state(name)["Pid"].as_i64().unwrap()).unwrap();
    let (always, unless, no) = (pid("always"), pid("unless"), pid("no"));
    engine.kill();
    // While no engine runs: some are killed, one ends by itself, one goes on.
    for pid in [always, no] {
        kernel::process::kill(pid, kernel::process::Signal::KILL).unwrap();
    }
    std::fs::write(engine.dir.join("gate/open"), "").unwrap();
    wait_until("their processes are gone", || {
        [always, no]
            .iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    engine.start_again();
    wait_until("`always` runs again", || {
        engine.state("always")["Status"] == "running"
    });
    wait_until("a stopped `always` runs again", || {
        engine.state("stopped-always")["Status"] == "running"
    });
    assert_eq!(
        engine.state("unless")["Pid"],
        unless,
        "it was never stopped"
    );
    assert_eq!(engine.state("stopped")["Status"], "exited");
    let state = engine.state("no");
    assert_eq!(
        (&state["Status"], &state["ExitCode"]),
        (&json!("exited"), &json!(137))
    );
    wait_until("what had --rm is gone", || {
        engine.client.get("/containers/gone/json").status == 404
    });
}

fn changed(engine: &mut Engine) {
    engine.run("rr", "sleep 300", json!({}), json!({}));
    let wish = policy("on-failure", 1);
    assert_eq!(
        engine.client.post("/containers/rr/update", &wish).status,
        200
    );
    let pid = engine.state("rr")["Pid"].as_i64().unwrap();
    kernel::process::kill(i32::try_from(pid).unwrap(), kernel::process::Signal::KILL).unwrap();
    wait_until("the new policy starts it again", || {
        let state = engine.state("rr");
        state["Status"] == "running" && state["Pid"] != pid
    });
    engine.run("rm", "sleep 300", json!({ "AutoRemove": true }), json!({}));
    let answer = engine
        .client
        .post("/containers/rm/update", &policy("always", 0));
    let words = "Restart policy cannot be updated because AutoRemove is enabled for the container";
    assert!(answer.message().ends_with(words), "{}", answer.message());
}

fn refused(engine: &mut Engine) {
    for (name, most, words) in [
        (
            "always",
            3,
            "maximum retry count can only be used with 'on-failure'",
        ),
        ("on-failure", -1, "maximum retry count cannot be negative"),
        (
            "foo",
            0,
            "unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        ),
    ] {
        let wish = json!({ "Image": "busybox", "HostConfig": policy(name, most) });
        let answer = engine.client.post("/containers/create", &wish);
        assert_eq!(answer.status, 400);
        assert_eq!(answer.message(), format!("invalid restart policy: {words}"));
    }
}
