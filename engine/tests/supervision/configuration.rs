//! `daemon.json`: defaults for containers, reload, metrics, the end of the engine.

use std::io::{Read, Write};
use std::net::TcpStream;

use kernel::process::Signal;
use serde_json::json;

use crate::engine_process::Engine;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("containers_get_what_the_configuration_says", defaults),
    ("a_hangup_reads_the_file_again", reload),
    (
        "containers_end_with_an_engine_that_says_so",
        without_live_restore,
    ),
    ("prometheus_finds_counters", metrics),
];

fn ended(engine: &Engine, name: &str) {
    wait_until("the container ends", || {
        engine.state(name)["Status"] == "exited"
    });
}

fn defaults(_: &mut Engine) {
    let config = json!({
        "log-driver": "local", "log-opts": { "max-size": "1m" }, "init": true, "no-new-privileges": true,
        "default-shm-size": "8m", "default-ulimits": { "nofile": { "Name": "nofile", "Soft": 99, "Hard": 100 } },
    });
    let engine = Engine::start(&config.to_string());
    let command = "ulimit -n; cat /proc/1/comm; while read line; do case $line in NoNewPrivs*) echo $line;; esac; done \
                   </proc/self/status";
    engine.run("one", command, json!({}), json!({}));
    ended(&engine, "one");
    let path = "/containers/one/logs?stdout=1";
    let text = engine.client.get(path).output().0;
    let lines: Vec<_> = text.split_whitespace().collect();
    assert_eq!(lines[0], "99", "{text}");
    assert_ne!(lines[1], "sh", "an init is PID 1: {text}");
    assert_eq!(lines[2..], ["NoNewPrivs:", "1"], "{text}");
    let host = engine.client.get("/containers/one/json").json()["HostConfig"].clone();
    assert_eq!(
        host["LogConfig"],
        json!({ "Type": "local", "Config": { "max-size": "1m" } })
    );
    assert_eq!(host["ShmSize"], 8 << 20);
    let own = json!({ "LogConfig": { "Type": "json-file" }, "ShmSize": 4096 });
    engine.run("own", "true", own, json!({}));
    let host = engine.client.get("/containers/own/json").json()["HostConfig"].clone();
    assert_eq!(
        (&host["LogConfig"]["Config"], &host["ShmSize"]),
        (&json!({}), &json!(4096))
    );
    engine.client.remove_all();
}

fn reload(engine: &mut Engine) {
    let labels = |engine: &Engine| engine.client.get("/info").json()["Labels"].clone();
    assert_eq!(labels(engine), json!([]));
    std::fs::write(engine.dir.join("daemon.json"), r#"{"labels":["a=b"]}"#).unwrap();
    engine.signal(Signal::HUP);
    wait_until("the label is told", || labels(engine) == json!(["a=b"]));
    std::fs::write(engine.dir.join("daemon.json"), r#"{"nonsense":1}"#).unwrap();
    engine.signal(Signal::HUP);
    // A bad file changes nothing; the engine goes on.
    wait_until("the file is refused", || {
        engine.client.get("/_ping").status == 200
    });
    assert_eq!(labels(engine), json!(["a=b"]));
    std::fs::write(engine.dir.join("daemon.json"), "{}").unwrap();
    engine.signal(Signal::HUP);
    wait_until("the label is gone", || labels(engine) == json!([]));
}

fn without_live_restore(_: &mut Engine) {
    let mut engine = Engine::start(r#"{"live-restore":false,"shutdown-timeout":20}"#);
    let command = "trap 'exit 7' TERM; while true; do usleep 20000; done";
    let policy = json!({ "RestartPolicy": { "Name": "unless-stopped" } });
    engine.run("again", command, policy, json!({}));
    engine.run("once", command, json!({}), json!({}));
    let pid = engine.state("again")["Pid"].clone();
    assert_eq!(
        engine.client.get("/info").json()["LiveRestoreEnabled"],
        false
    );
    engine.end();
    assert!(
        !std::path::Path::new(&format!("/proc/{pid}")).exists(),
        "it ended with the engine"
    );
    engine.start_again();
    wait_until("it runs again", || {
        engine.state("again")["Status"] == "running"
    });
    assert_ne!(engine.state("again")["Pid"], pid);
    let state = engine.state("once");
    assert_eq!(
        (&state["Status"], &state["ExitCode"]),
        (&json!("exited"), &json!(7))
    );
    engine.client.remove_all();
}

fn metrics(_: &mut Engine) {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let engine = Engine::start(&json!({ "metrics-addr": format!("127.0.0.1:{port}") }).to_string());
    let check = json!({ "Healthcheck": { "Test": ["CMD", "false"], "Interval": 50_000_000 } });
    engine.run("live", "sleep 300", json!({}), check);
    engine.run("dead", "true", json!({}), json!({}));
    ended(&engine, "dead");
    let scrape = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let value = |text: &str, name: &str| -> Option<f64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    };
    wait_until("health tests are counted", || {
        value(&scrape(), "engine_daemon_health_checks_failed_total")
            .is_some_and(|count| count >= 2.0)
    });
    let text = scrape();
    assert!(text.contains("text/plain; version=0.0.4"), "{text}");
    let state = |word: &str| {
        let name = format!("engine_daemon_container_states_containers{{state=\"{word}\"}}");
        value(&text, &name)
    };
    assert_eq!((state("running"), state("stopped")), (Some(1.0), Some(1.0)));
    let action = |word: &str| {
        let name = format!("engine_daemon_container_actions_seconds_count{{action=\"{word}\"}}");
        value(&text, &name)
    };
    assert_eq!((action("create"), action("start")), (Some(2.0), Some(2.0)));
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    check_format(body);
    let other = TcpStream::connect(("127.0.0.1", port)).map(|mut stream| {
        write!(
            stream,
            "GET /containers/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    assert!(
        other.unwrap().starts_with("HTTP/1.1 404"),
        "metrics are all there is"
    );
    engine.client.remove_all();
}

/// The text format: each family has its help and type before its samples, and each sample is a number.
#[track_caller]
fn check_format(text: &str) {
    let mut family = String::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            assert!(line.starts_with(&family), "{line} is not of {family}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} samples");
}
