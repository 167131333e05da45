//! What a page of another site, or a broken client, may try.

use crate::{EXERCISE, platform};

const UPGRADE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: cXVhaSB0ZXN0cyBxdWFpIQ==",
];

#[test]
fn another_name_for_this_host_is_refused() {
    let Some(platform) = platform("another_name_for_this_host_is_refused", &[]) else {
        return;
    };
    let good = platform.get("/", &[]);
    assert_eq!(good.status, 200, "{}", good.body);
    for host in [
        "attacker.example",
        "127.0.0.1.attacker.example",
        "192.0.2.1",
        "",
    ] {
        let answer = platform.request("GET", "/", &[&format!("Host: {host}:{}", platform.port())]);
        assert!(
            (400..500).contains(&answer.status),
            "Host {host}: {}",
            answer.status
        );
        assert!(
            answer.header("set-cookie").is_none(),
            "Host {host} was given a cookie"
        );
    }
}

#[test]
fn a_socket_opened_by_another_site_is_refused() {
    let Some(platform) = platform("a_socket_opened_by_another_site_is_refused", &[]) else {
        return;
    };
    for path in ["terminal", "checks"] {
        for origin in ["http://attacker.example", "null", "http://127.0.0.1:1"] {
            let origin = format!("Origin: {origin}");
            let mut headers = UPGRADE.to_vec();
            headers.push(&origin);
            let answer = platform.get(&format!("{EXERCISE}/{path}"), &headers);
            assert!(
                (400..500).contains(&answer.status),
                "{path} with {origin}: {}",
                answer.status
            );
        }
    }
}

#[test]
fn what_does_not_exist_is_not_found() {
    let Some(platform) = platform("what_does_not_exist_is_not_found", &[]) else {
        return;
    };
    for path in [
        "/nowhere",
        "/tp/prise-en-main/no-such-exercise",
        "/cours/no-such-module",
        "/assets/../Cargo.toml",
    ] {
        let answer = platform.get(path, &[]);
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    assert_eq!(platform.get("/", &[]).status, 200, "and the server goes on");
}

#[test]
fn a_post_from_another_site_changes_nothing() {
    let Some(platform) = platform("a_post_from_another_site_changes_nothing", &[]) else {
        return;
    };
    let host = format!("Host: 127.0.0.1:{}", platform.port());
    let headers = [
        host.as_str(),
        "Origin: http://attacker.example",
        "Content-Length: 0",
    ];
    let answer = platform.request("POST", &format!("{EXERCISE}/recommencer"), &headers);
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}
