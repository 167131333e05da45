//! What clients rely on, one sentence each.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::client::{Client, demultiplex};

pub(crate) type Case = (&'static str, fn(&Client));

pub(crate) const CASES: [Case; 11] = [
    ("every_supported_version_is_served", versions),
    ("a_pull_tells_its_progress", pull),
    (
        "an_unknown_image_is_refused_in_dockers_words",
        unknown_image,
    ),
    ("a_container_lives_and_its_events_are_told_in_order", life),
    (
        "an_attached_client_gets_everything_from_the_first_byte",
        attach,
    ),
    ("an_exec_has_its_own_exit_code", exec),
    ("a_client_that_reads_late_loses_no_output", late_reader),
    ("a_program_that_is_missing_is_told", missing_program),
    ("names_are_unique", names),
    ("hostile_archives_stay_in_the_container", hostile_copy),
    ("a_commit_holds_exactly_the_changes", commit),
];

fn versions(client: &Client) {
    for path in ["/_ping", "/v1.24/_ping", "/v1.45/_ping"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let old = client.get("/v1.12/info");
    assert_eq!(old.status, 400);
    assert!(
        old.message().contains("client version 1.12 is too old"),
        "{}",
        old.message()
    );
    assert_eq!(client.get("/nowhere").status, 404);
    assert_eq!(client.get("/version").json()["MinAPIVersion"], "1.24");
}

fn pull(client: &Client) {
    let first = client.post("/images/create?fromImage=busybox&tag=latest", &Value::Null);
    assert_eq!(first.status, 200);
    let lines = first.lines();
    assert_eq!(lines[0]["status"], "Pulling from library/busybox");
    let last = lines.last().unwrap()["status"].as_str().unwrap().to_owned();
    let statuses: Vec<_> = lines
        .iter()
        .filter_map(|line| line["status"].as_str())
        .collect();
    if last == "Status: Downloaded newer image for busybox:latest" {
        for status in [
            "Pulling fs layer",
            "Downloading",
            "Verifying Checksum",
            "Download complete",
            "Pull complete",
        ] {
            assert!(
                statuses.contains(&status),
                "{status} is missing in {statuses:?}"
            );
        }
    }
    let again = client
        .post("/images/create?fromImage=busybox&tag=latest", &Value::Null)
        .lines();
    assert_eq!(
        again.last().unwrap()["status"],
        "Status: Image is up to date for busybox:latest"
    );
    let images = client.get("/images/json").json();
    assert_eq!(images[0]["RepoTags"][0], "busybox:latest");
}

fn unknown_image(client: &Client) {
    let answer = client.post("/images/create?fromImage=nothing-here", &Value::Null);
    assert_eq!(answer.status, 404);
    let words = "pull access denied for nothing-here, repository does not exist or may require 'docker login'";
    assert!(answer.message().starts_with(words), "{}", answer.message());
    let answer = client.post("/containers/create", &json!({ "Image": "nothing-here" }));
    assert_eq!(
        (answer.status, answer.message()),
        (404, "No such image: nothing-here:latest".into())
    );
}

fn life(client: &Client) {
    let id = client.create(
        "life",
        &json!({ "Cmd": ["sh", "-c", "echo out; echo err >&2; exit 3"] }),
    );
    // A client waits before it starts: the head of the answer must come at once, the body at the end.
    let waiting = {
        let (client, id) = (client.clone(), id.clone());
        std::thread::spawn(move || {
            client
                .post(
                    &format!("/containers/{id}/wait?condition=next-exit"),
                    &Value::Null,
                )
                .json()
        })
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(
        client.post("/containers/life/start", &Value::Null).status,
        204
    );
    assert_eq!(waiting.join().unwrap()["StatusCode"], 3);
    let logs = client
        .get("/containers/life/logs?stdout=1&stderr=1")
        .output();
    assert_eq!(logs, ("out\n".into(), "err\n".into()));
    let state = client.get("/containers/life/json").json()["State"].clone();
    assert_eq!(
        (&state["Status"], &state["ExitCode"]),
        (&json!("exited"), &json!(3))
    );
    assert_eq!(client.delete("/containers/life").status, 204);
    assert_eq!(client.get("/containers/life/json").status, 404);
    let filter = format!("{{\"container\":[\"{id}\"]}}")
        .replace('"', "%22")
        .replace('{', "%7B")
        .replace('}', "%7D");
    // `until` is a second ago: by then all of it lies before.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let events = client
        .get(&format!("/events?since=0&until=1s&filters={filter}"))
        .lines();
    let actions: Vec<_> = events
        .iter()
        .map(|event| event["Action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["create", "start", "die", "destroy"]);
    assert_eq!(events[2]["Actor"]["Attributes"]["exitCode"], "3");
}

fn attach(client: &Client) {
    let wish = json!({ "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": true, "AttachStdin": true });
    let id = client.create("attach", &wish);
    let mut stream = client.hijack(&format!(
        "/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1"
    ));
    client.post(&format!("/containers/{id}/start"), &Value::Null);
    stream.write_all(b"through the pipe\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    assert_eq!(demultiplex(&output).0, "through the pipe\n");
    assert_eq!(
        client
            .post(&format!("/containers/{id}/wait"), &Value::Null)
            .json()["StatusCode"],
        0
    );
    client.delete("/containers/attach");
}

fn exec(client: &Client) {
    let id = client.create("exec", &json!({ "Cmd": ["sleep", "60"] }));
    client.post(&format!("/containers/{id}/start"), &Value::Null);
    let wish = json!({ "Cmd": ["sh", "-c", "echo inside; exit 4"], "AttachStdout": true });
    let exec = client.post(&format!("/containers/{id}/exec"), &wish).json()["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let output = client
        .post(&format!("/exec/{exec}/start"), &json!({}))
        .output();
    assert_eq!(output.0, "inside\n");
    let code = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        client.get(&format!("/exec/{exec}/json")).json()["ExitCode"].as_i64()
    });
    assert_eq!(code, Some(4));
    assert_eq!(
        client
            .post(&format!("/containers/{id}/stop?t=0"), &Value::Null)
            .status,
        204
    );
    assert_eq!(
        client
            .post(&format!("/containers/{id}/stop"), &Value::Null)
            .status,
        304
    );
    let refused = client.post(&format!("/containers/{id}/exec"), &wish);
    assert_eq!(
        (refused.status, refused.message()),
        (409, format!("container {id} is not running"))
    );
    client.delete("/containers/exec");
}

fn missing_program(client: &Client) {
    let id = client.create("missing", &json!({ "Cmd": ["no-such-program"] }));
    let answer = client.post(&format!("/containers/{id}/start"), &Value::Null);
    assert_eq!(answer.status, 400);
    let words = "exec: \"no-such-program\": executable file not found in $PATH";
    assert!(answer.message().contains(words), "{}", answer.message());
    let state = client.get(&format!("/containers/{id}/json")).json()["State"].clone();
    assert_eq!(
        (&state["Status"], &state["ExitCode"]),
        (&json!("created"), &json!(127))
    );
    client.delete("/containers/missing");
}

fn names(client: &Client) {
    let id = client.create("taken", &json!({}));
    let answer = client.post(
        "/containers/create?name=taken",
        &json!({ "Image": "busybox" }),
    );
    assert_eq!(answer.status, 409);
    let words =
        format!("Conflict. The container name \"/taken\" is already in use by container \"{id}\"");
    assert!(answer.message().starts_with(&words), "{}", answer.message());
    for name in ["..%2Fx", "-x", "a%0Ab"] {
        let answer = client.post(
            &format!("/containers/create?name={name}"),
            &json!({ "Image": "busybox" }),
        );
        assert_eq!(answer.status, 400, "{name}");
    }
    client.delete("/containers/taken");
}

fn hostile_copy(client: &Client) {
    let id = client.create("copy", &json!({}));
    let victim = std::path::PathBuf::from(format!("/var/tmp/victim-{}", std::process::id()));
    let mut archive = tar::Builder::new(Vec::new());
    let mut entry = |kind: tar::EntryType, name: String, link: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        archive.append(&header, content).unwrap();
    };
    entry(
        tar::EntryType::Regular,
        format!("../../../../../../..{}", victim.display()),
        "",
        b"evil",
    );
    entry(tar::EntryType::Symlink, "out".into(), "/var/tmp", b"");
    entry(
        tar::EntryType::Regular,
        format!("out/victim-{}", std::process::id()),
        "",
        b"evil",
    );
    entry(tar::EntryType::Regular, "fine".into(), "", b"kept");
    let archive = archive.into_inner().unwrap();
    client.put(&format!("/containers/{id}/archive?path=/"), &archive);
    assert!(!victim.exists());
    let copied = client.get(&format!("/containers/{id}/archive?path=/bin/echo"));
    assert_eq!(copied.status, 200);
    let outside = client.get(&format!(
        "/containers/{id}/archive?path=/../../../../etc/shadow"
    ));
    assert_eq!(outside.status, 404, "the image has no such file");
    client.delete("/containers/copy");
}

fn commit(client: &Client) {
    let id = client.create("commit", &json!({ "Cmd": ["touch", "/added"] }));
    client.post(&format!("/containers/{id}/start"), &Value::Null);
    client.post(&format!("/containers/{id}/wait"), &Value::Null);
    let changes = client.get(&format!("/containers/{id}/changes")).json();
    assert_eq!(changes, json!([{ "Path": "/added", "Kind": 1 }]));
    let answer = client.post(
        &format!("/commit?container={id}&repo=made&tag=1"),
        &json!({}),
    );
    assert_eq!(answer.status, 201);
    let base = client.get("/images/busybox/json").json()["RootFS"]["Layers"].clone();
    let made = client.get("/images/made:1/json").json()["RootFS"]["Layers"].clone();
    assert_eq!(
        made.as_array().unwrap()[..1],
        base.as_array().unwrap()[..],
        "the layer below is shared"
    );
    assert_eq!(made.as_array().unwrap().len(), 2);
    let history = client.get("/images/made:1/history").json();
    assert_eq!(history[0]["CreatedBy"], "touch /added");
    assert_eq!(client.delete("/images/made:1").status, 200);
    client.delete("/containers/commit");
}

/// A client that reads through a buffer, as Python's do, and loses what comes along with the head.
fn late_reader(client: &Client) {
    let id = client.create("late", &json!({ "Cmd": ["sleep", "60"] }));
    client.post(&format!("/containers/{id}/start"), &Value::Null);
    let wish = json!({ "Cmd": ["echo", "first"], "AttachStdout": true, "Tty": true });
    // A machine under load may make this client slower than the engine is patient: once is enough.
    let whole = (0..5).any(|_| {
        let exec = client.post(&format!("/containers/{id}/exec"), &wish).json();
        let exec = exec["Id"].as_str().unwrap().to_owned();
        let mut stream = client.connect();
        let body = r#"{"Tty":true}"#;
        write!(
            stream,
            "POST /exec/{exec}/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        // Long enough for a process to start and print, were it not held back.
        std::thread::sleep(std::time::Duration::from_millis(60));
        let mut head = [0; 8192];
        let count = stream.read(&mut head).unwrap();
        let mut output = String::new();
        stream.read_to_string(&mut output).unwrap();
        head[..count].ends_with(b"\r\n\r\n") && output == "first\r\n"
    });
    assert!(whole, "the output never came after the head alone");
    client.delete("/containers/late?force=1");
}
