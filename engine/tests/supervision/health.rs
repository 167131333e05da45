//! Health tests.

use serde_json::{Value, json};

use crate::engine_process::Engine;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("health_follows_the_test_and_tells_each_change", follows),
    ("a_test_that_takes_too_long_is_ended", too_long),
    ("health_goes_on_after_the_death_of_the_engine", survives),
    ("absurd_health_tests_are_refused", absurd),
];

fn health(engine: &Engine, name: &str) -> Value {
    engine.state(name)["Health"].clone()
}

fn follows(engine: &mut Engine) {
    let check = json!({ "Healthcheck": {
        "Test": ["CMD-SHELL", "echo said; test -e /fine"],
        "Interval": 100_000_000, "Retries": 2,
    } });
    engine.run("hh", "sleep 300", json!({}), check);
    assert_eq!(health(engine, "hh")["Status"], "starting");
    wait_until("it is unhealthy", || {
        health(engine, "hh")["Status"] == "unhealthy"
    });
    let known = health(engine, "hh");
    assert_eq!(known["Log"][0]["Output"], "said\n");
    assert_eq!(known["Log"][0]["ExitCode"], 1);
    let listed = |filter: &str| {
        let filters = format!("%7B%22health%22%3A%5B%22{filter}%22%5D%7D");
        let list = engine
            .client
            .get(&format!("/containers/json?filters={filters}"));
        list.json().as_array().unwrap().clone()
    };
    assert_eq!(listed("unhealthy").len(), 1);
    assert_eq!(listed("none").len(), 0);
    let touch = json!({ "Cmd": ["touch", "/fine"] });
    let exec = engine.client.post("/containers/hh/exec", &touch).json();
    let path = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    engine.client.post(&path, &json!({ "Detach": true }));
    wait_until("it is healthy", || {
        health(engine, "hh")["Status"] == "healthy"
    });
    assert_eq!(health(engine, "hh")["FailingStreak"], 0);
    let status = listed("healthy")[0]["Status"].as_str().unwrap().to_owned();
    assert!(status.ends_with("(healthy)"), "{status}");
    wait_until("five results are kept", || {
        health(engine, "hh")["Log"].as_array().unwrap().len() == 5
    });
    engine.client.post("/containers/hh/stop?t=0", &Value::Null);
    assert_eq!(health(engine, "hh")["Status"], "unhealthy");
    let actions = engine.actions("hh");
    let words: Vec<_> = actions
        .iter()
        .filter(|action| action.starts_with("health_status"))
        .collect();
    assert_eq!(
        words,
        ["health_status: unhealthy", "health_status: healthy"]
    );
    let test = "exec_create: /bin/sh -c echo said; test -e /fine";
    assert!(actions.iter().any(|action| action == test), "{actions:?}");
}

fn too_long(engine: &mut Engine) {
    let check = json!({ "Healthcheck": {
        "Test": ["CMD", "sh", "-c", "echo begun; sleep 301"],
        "Interval": 50_000_000, "Timeout": 300_000_000, "Retries": 1,
    } });
    engine.run("hh", "sleep 300", json!({}), check);
    wait_until("it is unhealthy", || {
        health(engine, "hh")["Status"] == "unhealthy"
    });
    let result = health(engine, "hh")["Log"][0].clone();
    assert_eq!(result["ExitCode"], -1);
    let text = result["Output"].as_str().unwrap();
    assert!(
        text.starts_with("Health check exceeded timeout (300ms)"),
        "{text}"
    );
    let check = json!({ "Healthcheck": { "Test": ["CMD", "/nowhere"], "Interval": 50_000_000 } });
    engine.run("missing", "sleep 300", json!({}), check);
    wait_until("the missing program is told", || {
        let log = health(engine, "missing")["Log"].clone();
        log[0]["Output"]
            .as_str()
            .is_some_and(|text| text.contains("/nowhere"))
    });
    assert_eq!(health(engine, "missing")["Log"][0]["ExitCode"], -1);
}

fn survives(engine: &mut Engine) {
    let check = json!({ "Healthcheck": {
        "Test": ["CMD", "true"], "Interval": 50_000_000,
    } });
    engine.run("hh", "sleep 300", json!({}), check);
    wait_until("it is healthy", || {
        health(engine, "hh")["Status"] == "healthy"
    });
    engine.kill();
    engine.start_again();
    let before = health(engine, "hh")["Log"].clone();
    wait_until("new results come", || health(engine, "hh")["Log"] != before);
    assert_eq!(health(engine, "hh")["Status"], "healthy");
}

fn absurd(engine: &mut Engine) {
    for (field, value, words) in [
        (
            "Interval",
            10,
            "Interval in Healthcheck cannot be less than 1ms",
        ),
        (
            "StartPeriod",
            10,
            "StartPeriod in Healthcheck cannot be less than 1ms",
        ),
        ("Retries", -1, "Retries in Healthcheck cannot be negative"),
    ] {
        let mut check = json!({ "Test": ["CMD", "true"] });
        check[field] = value.into();
        let wish = json!({ "Image": "busybox", "Healthcheck": check });
        let answer = engine.client.post("/containers/create", &wish);
        assert_eq!((answer.status, answer.message().as_str()), (400, words));
    }
}
