//! Clients that send nonsense, too much, too slowly, or leave in the middle: the right status, and nothing is left.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cases::Case;
use crate::client::Client;
use crate::random::Random;

pub(crate) const CASES: [Case; 7] = [
    ("malformed_bodies_are_refused", malformed),
    ("unknown_fields_are_passed_over", unknown),
    ("absurd_values_are_refused", absurd),
    ("huge_and_deep_bodies_are_refused", huge),
    ("slow_and_broken_requests_hold_up_nobody", slow),
    ("clients_that_vanish_leave_nothing", vanishing),
    ("random_bodies_and_paths_break_nothing", random),
];

fn malformed(client: &Client) {
    for (body, words) in [
        ("", "invalid JSON: got EOF while reading request body"),
        ("{", "invalid JSON: unexpected EOF"),
        ("x", "invalid JSON: "),
        ("[1]", "invalid JSON: json: cannot unmarshal"),
        (r#"{"Image":5}"#, "invalid JSON: json: cannot unmarshal"),
        (r#"{"Image":"busybox"} {}"#, "unexpected content after JSON"),
        ("{\"Image\":\"\u{0}\"}", "invalid JSON: "),
        (
            "{}",
            "config cannot be empty in order to create a container",
        ),
    ] {
        let answer = client.send(
            "POST",
            "/containers/create",
            body.as_bytes(),
            "application/json",
        );
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.message().starts_with(words),
            "{body}: {}",
            answer.message()
        );
    }
    let answer = client.send("POST", "/containers/create", b"{}", "text/plain");
    assert_eq!(
        answer.message(),
        "unsupported Content-Type header (text/plain): must be 'application/json'"
    );
    for path in [
        "/volumes/create",
        "/networks/create",
        "/containers/nobody/exec",
    ] {
        assert_eq!(
            client.send("POST", path, b"{", "application/json").status,
            400,
            "{path}"
        );
    }
    for (path, status) in [
        ("/containers/json?limit=x", 500),
        ("/containers/json?filters=[", 400),
        (
            "/containers/json?filters=%7B%22nonsense%22:%7B%22x%22:true%7D%7D",
            400,
        ),
        ("/events?since=x", 500),
        ("/events?since=10&until=5", 400),
        ("/system/df?type=nonsense", 400),
        ("/containers/nobody/archive", 400),
        ("/v9.9/info", 400),
        ("/v1.2/info", 400),
        ("/containers/%ff/json", 400),
    ] {
        assert_eq!(client.get(path).status, status, "{path}");
    }
    assert_eq!(
        client
            .post("/containers/nobody/wait?condition=x", &Value::Null)
            .status,
        400
    );
    assert_eq!(
        client
            .post("/containers/nobody/resize?h=x&w=1", &Value::Null)
            .status,
        400
    );
}

fn unknown(client: &Client) {
    let id = client.create(
        "unknown",
        &json!({ "Cmd": ["true"], "Later": { "a": [1] }, "HostConfig": { "Later": true } }),
    );
    client.delete(&format!("/containers/{id}"));
}

fn absurd(client: &Client) {
    for host in [
        json!({ "Memory": 1 }),
        json!({ "Memory": -1 }),
        json!({ "MemorySwap": 1 }),
        json!({ "NanoCpus": i64::MAX }),
        json!({ "NanoCpus": i64::MIN }),
        json!({ "CpuPeriod": i64::MAX }),
        json!({ "CpusetCpus": "0-4294967295" }),
        json!({ "CpusetCpus": "nonsense" }),
        json!({ "CpusetMems": "9999" }),
        json!({ "OomScoreAdj": i32::MAX }),
        json!({ "ShmSize": i64::MIN }),
        json!({ "BlkioWeight": 70000 }),
        json!({ "PidMode": "container:" }),
        json!({ "Binds": ["a:b:c:d:e"] }),
        json!({ "Binds": ["/a:relative"] }),
        json!({ "Mounts": [{ "Type": "bind", "Source": "/", "Target": "/" }] }),
        json!({ "Mounts": [{ "Type": "volume", "Source": "v1", "Target": "/x", "VolumeOptions": { "Subpath": "../.." } }] }),
        json!({ "PortBindings": { "99999/tcp": [{}] } }),
        json!({ "PortBindings": { "80/tcp": [{ "HostPort": "-1" }] } }),
        json!({ "ExtraHosts": ["nonsense"] }),
        json!({ "CapAdd": ["NONSENSE"] }),
        json!({ "SecurityOpt": ["nonsense"] }),
        json!({ "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": -1 } }),
        json!({ "Annotations": { "": "x" } }),
    ] {
        let body = json!({ "Image": "busybox", "HostConfig": host });
        let answer = client.post("/containers/create", &body);
        assert!(
            [400, 500].contains(&answer.status),
            "{host}: {}",
            answer.status
        );
        assert!(
            !answer.message().contains("failed inside"),
            "{host}: {}",
            answer.message()
        );
    }
    for name in [
        "a%2Fb",
        "..%2F..%2Fx",
        "%00%00",
        "-x",
        "a%20b",
        &"n".repeat(300),
    ] {
        let path = format!("/containers/create?name={name}");
        let answer = client.post(&path, &json!({ "Image": "busybox" }));
        assert_eq!(answer.status, 400, "{name}");
        let answer = client.post(
            "/volumes/create",
            &json!({ "Name": name.replace("%2F", "/") }),
        );
        assert_eq!(answer.status, 400, "{name}");
    }
}

fn huge(client: &Client) {
    let big = format!(r#"{{"Image":"{}"}}"#, "x".repeat(8 << 20));
    assert_eq!(
        client
            .send(
                "POST",
                "/containers/create",
                big.as_bytes(),
                "application/json"
            )
            .status,
        400
    );
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(
        client
            .send(
                "POST",
                "/containers/create",
                deep.as_bytes(),
                "application/json"
            )
            .status,
        400
    );
    let long = format!("/containers/{}/json", "x".repeat(60_000));
    assert!([404, 414, 431].contains(&client.get(&long).status));
    assert_eq!(client.get("/_ping").status, 200);
}

fn slow(client: &Client) {
    let mut waiting: Vec<UnixStream> = Vec::new();
    for text in [
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Im",
        "POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx",
        "GET /inf",
    ] {
        for _ in 0..8 {
            let mut stream = client.connect();
            stream.write_all(text.as_bytes()).unwrap();
            waiting.push(stream);
        }
    }
    for nonsense in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = client.connect();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Closed, or refused and closed: either will do.
        let _ = stream.read_to_end(&mut answer);
    }
    assert_eq!(client.get("/_ping").status, 200);
    drop(waiting);
    assert_eq!(client.get("/containers/json").status, 200);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// This process is the engine too: what a client leaves behind is an open descriptor of it.
fn vanishing(client: &Client) {
    let id = client.create(
        "quiet",
        &json!({ "Cmd": ["sleep", "600"], "OpenStdin": true, "Tty": true }),
    );
    assert_eq!(
        client
            .post(&format!("/containers/{id}/start"), &Value::Null)
            .status,
        204
    );
    client.get("/_ping");
    let before = descriptors();
    let attach = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(client.hijack(&attach));
        let exec = client.post(
            &format!("/containers/{id}/exec"),
            &json!({ "Cmd": ["cat"], "AttachStdin": true, "AttachStdout": true }),
        );
        let exec = exec.json()["Id"].as_str().unwrap().to_owned();
        streams.push(client.hijack(&format!("/exec/{exec}/start")));
        for path in [
            format!("GET /containers/{id}/logs?follow=1&stdout=1"),
            format!("POST /containers/{id}/wait"),
            format!("GET /containers/{id}/stats"),
            "GET /events".to_owned(),
        ] {
            let mut stream = client.connect();
            write!(stream, "{path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200", "{path}");
            streams.push(stream);
        }
    }
    assert!(descriptors() > before + 30);
    drop(streams);
    let until = Instant::now() + Duration::from_secs(30);
    while descriptors() > before + 2 {
        assert!(
            Instant::now() < until,
            "{} descriptors were {before}; execs that still run: {}",
            descriptors(),
            client.get(&format!("/containers/{id}/json")).json()["ExecIDs"]
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    client.delete(&format!("/containers/{id}?force=1"));
}

/// A fixed seed: what fails once fails again.
fn random(client: &Client) {
    let mut random = Random::new(0x5eed);
    let bodies = [
        json!({
            "Image": "busybox", "Cmd": ["true"], "Env": ["A=b"], "Labels": { "a": "b" }, "ExposedPorts": { "80/tcp": {} },
            "HostConfig": {
                "Memory": 64 << 20, "Binds": ["data:/x:ro"], "PortBindings": { "80/tcp": [{ "HostPort": "1" }] },
                "RestartPolicy": { "Name": "no" }, "Mounts": [{ "Type": "tmpfs", "Target": "/t" }],
                "Ulimits": [{ "Name": "nofile", "Soft": 1, "Hard": 2 }], "CapAdd": ["KILL"], "Tmpfs": { "/a": "size=1m" },
            },
            "NetworkingConfig": { "EndpointsConfig": { "bridge": { "Aliases": ["x"] } } },
        }),
        json!({ "Name": "random", "Labels": { "a": "b" }, "DriverOpts": {} }),
    ];
    let paths = [
        "/containers/create",
        "/volumes/create",
        "/containers/nobody/exec",
        "/containers/nobody/update",
    ];
    for round in 0..400_usize {
        let mut bytes = bodies[round % bodies.len()].to_string().into_bytes();
        for _ in 0..=random.below(4) {
            random.mutate(&mut bytes);
        }
        let path = paths[random.below(paths.len())];
        let answer = client.send("POST", path, &bytes, "application/json");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            !text.contains("failed inside"),
            "{path} {}: {text}",
            String::from_utf8_lossy(&bytes)
        );
        if answer.status == 201 && path == "/containers/create" {
            let id = answer.json()["Id"].as_str().unwrap().to_owned();
            assert_eq!(
                client
                    .delete(&format!("/containers/{id}?force=1&v=1"))
                    .status,
                204,
                "{text}"
            );
        }
    }
    let id = client.create("paths", &json!({}));
    let parts = [
        "..", ".", "bin", "proc", "self", "root", "etc", "%00", "%2F", "a b", "\u{e9}", "x", "",
    ];
    for _ in 0..200 {
        let picked: Vec<_> = (0..random.below(7))
            .map(|_| parts[random.below(parts.len())])
            .collect();
        let path = picked.join("/").replace(' ', "%20");
        let method = ["GET", "HEAD", "PUT"][random.below(3)];
        let answer = client.send(
            method,
            &format!("/containers/{id}/archive?path=/{path}"),
            b"",
            "application/x-tar",
        );
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("failed inside"), "{method} {path}: {text}");
    }
    client.delete(&format!("/containers/{id}?force=1"));
    for volume in client.get("/volumes").json()["Volumes"]
        .as_array()
        .into_iter()
        .flatten()
    {
        client.delete(&format!("/volumes/{}", volume["Name"].as_str().unwrap()));
    }
    assert_eq!(client.get("/_ping").status, 200);
}
