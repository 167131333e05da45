//! What a machine publishes, as its learner's browser reaches it and as others may not.
//!
//! One machine serves all of it: a machine takes seconds to start, and a request milliseconds.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use tests::platform::{Answer, Platform};
use tests::terminal::Terminal;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::{EXERCISE, platform};

/// The origin of one published port, and the cookie that opens it.
struct Origin<'a> {
    platform: &'a Platform,
    host: String,
    cookie: String,
}

/// A program for the machine: upgrades to a websocket and sends each text frame back.
const ECHO: &str = include_str!("echo.pl");

impl<'a> Origin<'a> {
    /// Follows « ouvrir » as a browser does: a ticket, then a cookie of that origin.
    #[track_caller]
    fn open(platform: &'a Platform, learner: &str, port: u16) -> Self {
        let (host, ticket) = ticket(platform, learner, port);
        let answer = get(platform, &host, &ticket, &[]);
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert_eq!(answer.header("location"), Some("/"));
        let cookie = answer.header("set-cookie").expect("a pass");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap_or_default();
        Self {
            platform,
            host,
            cookie: format!("Cookie: {cookie}"),
        }
    }

    #[track_caller]
    fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let mut all = vec![self.cookie.as_str()];
        all.extend(headers);
        get(self.platform, &self.host, path, &all)
    }

    /// Asks until the answer has this status: a server in a container takes its time to listen.
    #[track_caller]
    fn get_until(&self, path: &str, status: u16) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.get(path, &[]);
            if answer.status == status || Instant::now() > deadline {
                assert_eq!(answer.status, status, "{path}: {}", answer.body);
                return answer;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends exactly these bytes and gives all that comes back until the end, or for a while.
    fn raw(&self, request: &str) -> String {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.platform.port())).expect("it listens");
        let patience = Some(Duration::from_secs(3));
        stream.set_read_timeout(patience).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("it reads");
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

#[track_caller]
fn get(platform: &Platform, host: &str, path: &str, headers: &[&str]) -> Answer {
    let host = format!("Host: {host}");
    let mut all = vec![host.as_str()];
    all.extend(headers);
    platform.request("GET", path, &all)
}

/// The host and the path that the TP's page leads to.
#[track_caller]
fn ticket(platform: &Platform, learner: &str, port: u16) -> (String, String) {
    let cookie = format!("Cookie: {learner}");
    let path = format!("{EXERCISE}/ouvrir/{port}");
    let answer = platform.get(&path, &[&cookie, "Sec-Fetch-Site: same-origin"]);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.header("location").expect("a place to go");
    let location = location.strip_prefix("http://").expect("an origin");
    let (host, rest) = location.split_once('/').expect("a path");
    (host.to_owned(), format!("/{rest}"))
}

fn shell(platform: &Platform, learner: &str) -> Terminal {
    Terminal::open(platform, learner, EXERCISE, "1")
        .unwrap_or_else(|error| panic!("{error:#}\n{}", platform.log()))
}

#[test]
fn a_published_server_is_reached_by_its_learner_alone() {
    let test = "a_published_server_is_reached_by_its_learner_alone";
    let Some(mut platform) = platform(test, &[]) else {
        return;
    };
    let learner = platform.learner();
    let mut shell = shell(&platform, &learner);
    let mut tab = Checks::open(&platform, &learner);
    assert!(!tab.ports_until(|_| true).contains(&8000));
    // A container's port, as a learner publishes it, and two programs of the machine itself.
    let (text, code) = shell.run(
        "mkdir -p /srv/www && echo accueil >/srv/www/index.html && \
         head -c 5000000 /dev/zero >/srv/www/gros && \
         docker run -d --name web -p 8000:80 -v /srv/www:/www busybox httpd -f -h /www",
    );
    assert_eq!(code, 0, "{text}");
    tab.ports_until(|ports| ports.contains(&8000));
    // As one word, so that no shell reads into it.
    let hex: String = ECHO.bytes().map(|byte| format!("{byte:02x}")).collect();
    shell.run(&format!(
        "perl -e 'print pack \"H*\", shift' {hex} >/root/echo.pl"
    ));
    shell.run("setsid -f perl /root/echo.pl 9001 </dev/null >/dev/null 2>&1");
    tab.ports_until(|ports| ports.contains(&9001));

    let origin = Origin::open(&platform, &learner, 8000);
    assert!(origin.host.starts_with("m-") && origin.host.contains("-8000.localhost:"));
    let answer = origin.get_until("/", 200);
    assert_eq!(answer.body, "accueil\n");
    let policy = answer.header("content-security-policy");
    assert_eq!(
        policy, None,
        "the platform's rules are not the learner's page's"
    );
    let large = origin.get("/gros", &[]);
    assert_eq!(large.body.len(), 5_000_000);

    strangers(&platform, &origin, &learner);
    ambiguities(&origin);
    echo(&platform, &learner);
    nothing_else_is_reached(&platform, &learner, &mut shell);

    // The pass survives the server; the link goes with the container.
    let (host, cookie) = (origin.host, origin.cookie);
    platform.crash_and_restart().expect("the server comes back");
    let origin = Origin {
        platform: &platform,
        host,
        cookie,
    };
    let mut shell = self::shell(&platform, &learner);
    assert_eq!(origin.get_until("/", 200).body, "accueil\n");
    let mut tab = Checks::open(&platform, &learner);
    tab.ports_until(|ports| ports.contains(&8000));
    assert_eq!(shell.run("docker rm -f web").1, 0);
    tab.ports_until(|ports| !ports.contains(&8000) && ports.contains(&9001));
    let gone = origin.get("/", &[]);
    assert_eq!(gone.status, 502);
    assert!(
        gone.body.contains("lang=\"fr\"") && gone.body.contains("8000"),
        "{}",
        gone.body
    );
    // Something that is no web server.
    shell.run("setsid -f sh -c 'while :; do echo bonjour | nc -l -N 9003; done' </dev/null >/dev/null 2>&1");
    tab.ports_until(|ports| ports.contains(&9003));
    assert_eq!(
        Origin::open(&platform, &learner, 9003).get("/", &[]).status,
        502
    );
}

/// Another browser, another page, another name.
fn strangers(platform: &Platform, origin: &Origin<'_>, learner: &str) {
    // Another browser: with a session of its own, with the name of the page, and no pass.
    let other = platform.learner();
    for headers in [
        vec![],
        vec![format!("Cookie: {other}")],
        vec![format!("Cookie: {learner}")],
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = get(platform, &origin.host, "/", &headers);
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(!answer.body.contains("accueil"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    // A ticket is good once, at its own address.
    let (host, path) = ticket(platform, learner, 8000);
    let elsewhere = host.replace("-8000.", "-9001.");
    assert_eq!(get(platform, &elsewhere, &path, &[]).status, 403);
    assert_eq!(get(platform, &host, &path, &[]).status, 403);
    let (host, path) = ticket(platform, learner, 8000);
    assert_eq!(get(platform, &host, &path, &[]).status, 303);
    assert_eq!(get(platform, &host, &path, &[]).status, 403);
    // A pass opens its own port only.
    assert_eq!(
        get(platform, &elsewhere, "/", &[&origin.cookie]).status,
        403
    );
    // A name that was made to lead here, the platform's own name with the pass, a forged address.
    let evil = host.replace(".localhost", ".attacker.example");
    assert_eq!(get(platform, &evil, "/", &[&origin.cookie]).status, 403);
    let home = platform.get("/", &[&origin.cookie]);
    assert!(home.status == 200 && home.header("set-cookie").is_some());
    // Nothing of the platform is on the learner's origin, and its pages cannot ask the platform.
    assert_eq!(origin.get("/assets/style.css", &[]).status, 404);
    let asked = format!("Origin: http://{}", origin.host);
    let own = format!("Cookie: {learner}");
    let read = platform.get(EXERCISE, &[&own, &asked]);
    assert_eq!(read.header("access-control-allow-origin"), None);
    let host = format!("Host: 127.0.0.1:{}", platform.port());
    let path = format!("{EXERCISE}/recommencer");
    let lines = [host.as_str(), &own, &asked, "Content-Length: 0"];
    assert_eq!(platform.request("POST", &path, &lines).status, 403);
    for path in ["checks", "terminal/1"] {
        let headers = [UPGRADE.as_slice(), &[own.as_str(), asked.as_str()]].concat();
        let answer = platform.get(&format!("{EXERCISE}/{path}"), &headers);
        assert_eq!(answer.status, 403, "{path}");
    }
    // « Ouvrir » works from the TP's page: not from another site, nor without a session.
    let path = format!("{EXERCISE}/ouvrir/8000");
    assert_eq!(
        platform
            .get(&path, &[&own, "Sec-Fetch-Site: cross-site"])
            .status,
        403
    );
    assert_eq!(platform.get(&path, &[]).status, 403);
    // Another machine's page acts on this one, or embeds it.
    let neighbour = "Origin: http://m-000000000000-8000.localhost";
    let lines = [origin.cookie.as_str(), neighbour, "Content-Length: 0"];
    let host = format!("Host: {}", origin.host);
    let lines = [&[host.as_str()], lines.as_slice()].concat();
    assert_eq!(platform.request("POST", "/", &lines).status, 403);
    let embeds = ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"];
    assert_eq!(origin.get("/", &embeds).status, 403);
}

const UPGRADE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: cXVhaSB0ZXN0cyBxdWFpIQ==",
];

/// Requests that two servers would cut differently: no second request comes of them.
fn ambiguities(origin: &Origin<'_>) {
    let smuggled = "GET /gros HTTP/1.1\r\nHost: x\r\n\r\n";
    let bodies = [
        "Content-Length: 0\r\nContent-Length: 34\r\n",
        "Content-Length: 34\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 34\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: +34\r\n",
    ];
    for body in bodies {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\n{}\r\n{body}\r\n0\r\n\r\n{smuggled}",
            origin.host, origin.cookie
        );
        let answer = origin.raw(&request);
        // Refused, or carried with its coding alone (RFC 9112, 6.3): then the program has answered.
        let refused = answer.starts_with("HTTP/1.1 400");
        let both = body.contains("chunked\r\n") && body.contains("Content-Length");
        let carried = both && answer.starts_with("HTTP/1.1 501");
        assert!(refused || carried, "{body:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{body:?}: {answer}");
    }
    // Two hosts, a target of another host.
    let two = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nHost: 127.0.0.1\r\n{}\r\n\r\n",
        origin.host, origin.cookie
    );
    assert!(origin.raw(&two).starts_with("HTTP/1.1 4"));
    let absolute = format!(
        "GET http://127.0.0.1/ HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n",
        origin.host, origin.cookie
    );
    let answer = origin.raw(&absolute);
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let tunnel = format!(
        "CONNECT 127.0.0.1:8000 HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n",
        origin.host, origin.cookie
    );
    let answer = origin.raw(&tunnel);
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

/// A websocket to a program of the machine, and what that program sees of the request.
fn echo(platform: &Platform, learner: &str) {
    let origin = Origin::open(platform, learner, 9001);
    let seen = origin.get("/entetes", &["X-Forwarded-For: 10.9.8.7", "Cookie: a=1"]);
    let seen = seen.body.to_lowercase();
    assert!(
        !seen.contains("quai-publie") && !seen.contains("10.9.8.7"),
        "{seen}"
    );
    assert!(
        seen.contains("a=1") && seen.contains(&origin.host),
        "{seen}"
    );
    let long = "x".repeat(3_000_000);
    let answer = origin.raw(&format!(
        "POST /longueur HTTP/1.1\r\nHost: {}\r\n{}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{long}",
        origin.host,
        origin.cookie,
        long.len()
    ));
    assert!(answer.ends_with("3000000\n"), "{answer}");

    let open = |from: &str| {
        let mut request = format!("ws://{}/", origin.host)
            .into_client_request()
            .expect("a request");
        let headers = request.headers_mut();
        headers.insert("origin", from.parse().expect("an origin"));
        let cookie = origin.cookie.trim_start_matches("Cookie: ");
        headers.insert("cookie", cookie.parse().expect("a cookie"));
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, platform.port()));
        let opened = tungstenite::client(request, stream.expect("it listens"));
        opened.ok().map(|(socket, _)| socket)
    };
    let mut socket = open(&format!("http://{}", origin.host)).expect("a websocket");
    for text in ["bonjour", "encore"] {
        socket.send(Message::text(text)).expect("sent");
        assert_eq!(socket.read().expect("an echo"), Message::text(text));
    }
    drop(socket);
    // One machine takes no more than its share of connections, and has it back afterwards.
    let own = format!("http://{}", origin.host);
    let many: Vec<_> = (0..64).map_while(|_| open(&own)).collect();
    assert!(many.len() > 60, "{} sockets", many.len());
    assert!(open(&own).is_none(), "more than its share");
    assert_eq!(origin.get("/entetes", &[]).status, 503);
    drop(many);
    origin.get_until("/entetes", 200);
    let foreign = format!("http://127.0.0.1:{}", platform.port());
    assert!(open(&foreign).is_none(), "the platform's page opened it");
}

/// Only the port that is named, only at the machine's loopback: never the host's.
fn nothing_else_is_reached(platform: &Platform, learner: &str, shell: &mut Terminal) {
    // The platform itself listens on the host at this port: in the machine nobody does.
    let origin = Origin::open(platform, learner, platform.port());
    let answer = origin.get("/", &[]);
    assert_eq!(answer.status, 502, "{}", answer.body);
    // A program that listens at `::1` alone is found.
    shell.run("setsid -f sh -c 'while :; do printf \"HTTP/1.0 200 OK\\r\\n\\r\\nsix\" | nc -l -N ::1 9006; done' </dev/null >/dev/null 2>&1");
    let origin = Origin::open(platform, learner, 9006);
    // Its length is not known beforehand: it comes in pieces.
    let body = origin.get_until("/", 200).body;
    assert!(body.contains("six"), "{body}");
    for port in ["0", "65536", "-1", "80x"] {
        let cookie = format!("Cookie: {learner}");
        let path = format!("{EXERCISE}/ouvrir/{port}");
        let answer = platform.get(&path, &[&cookie, "Sec-Fetch-Site: same-origin"]);
        assert!(
            (400..500).contains(&answer.status),
            "{port}: {}",
            answer.status
        );
    }
}

/// The socket of the check list, which names the ports.
struct Checks(tungstenite::WebSocket<TcpStream>);

impl Checks {
    #[track_caller]
    fn open(platform: &Platform, learner: &str) -> Self {
        let host = format!("127.0.0.1:{}", platform.port());
        let request = format!("ws://{host}{EXERCISE}/checks").into_client_request();
        let mut request = request.expect("a request");
        let headers = request.headers_mut();
        headers.insert(
            "origin",
            format!("http://{host}").parse().expect("an origin"),
        );
        headers.insert("cookie", learner.parse().expect("a cookie"));
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, platform.port()));
        let (socket, _) =
            tungstenite::client(request, stream.expect("it listens")).expect("a websocket");
        let patience = Some(Duration::from_secs(30));
        socket
            .get_ref()
            .set_read_timeout(patience)
            .expect("a timeout");
        Self(socket)
    }

    /// Reads until the ports are as wanted.
    #[track_caller]
    fn ports_until(&mut self, wanted: impl Fn(&[u16]) -> bool) -> Vec<u16> {
        loop {
            let Message::Text(text) = self.0.read().expect("the ports are said in time") else {
                continue;
            };
            let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            if message["kind"] != "ports" {
                continue;
            }
            let ports: Vec<u16> =
                serde_json::from_value(message["ports"].clone()).expect("a list of ports");
            if wanted(&ports) {
                return ports;
            }
        }
    }
}
