//! Log drivers, each with a real receiver.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine_process::Engine;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[
    ("json_files_carry_attributes_and_are_rotated", json_file),
    ("the_local_driver_is_read_and_followed", local),
    ("a_log_that_cannot_be_read_says_so", unreadable),
    (
        "syslog_gets_messages_over_udp_tcp_and_a_socket_file",
        syslog,
    ),
    ("gelf_datagrams_are_packed_and_cut", gelf_udp),
    ("a_slow_collector_holds_up_only_who_wants_it", slow),
    ("the_journal_gets_fields", journal),
    ("logs_go_on_after_the_death_of_the_engine", without_engine),
    ("a_flood_is_bounded", flood),
    ("bad_log_options_are_refused", refused),
];

fn log(driver: &str, options: Value) -> Value {
    json!({ "LogConfig": { "Type": driver, "Config": options } })
}

fn ended(engine: &Engine, name: &str) {
    wait_until("the container ends", || {
        engine.state(name)["Status"] == "exited"
    });
}

fn printed(engine: &Engine, name: &str) -> String {
    let path = format!("/containers/{name}/logs?stdout=1&stderr=1");
    engine.client.get(&path).output().0
}

fn json_file(engine: &mut Engine) {
    let options = json!({ "labels": "color", "env-regex": "^KIN", "tag": "{{.Name}}/{{.ID}}" });
    let more = json!({ "Labels": { "color": "blue", "other": "x" }, "Env": ["KIND=web", "B=c"] });
    let id = engine.run("attrs", "echo '<é>'", log("json-file", options), more);
    ended(engine, "attrs");
    let file = engine
        .dir
        .join(format!("data/containers/{id}/{id}-json.log"));
    let text = std::fs::read_to_string(&file).unwrap();
    let entry: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let tag = format!("attrs/{}", &id[..12]);
    assert_eq!(
        entry["attrs"],
        json!({ "KIND": "web", "color": "blue", "tag": tag })
    );
    assert_eq!(
        (&entry["log"], &entry["stream"]),
        (&json!("<é>\n"), &json!("stdout"))
    );
    let details = engine
        .client
        .get("/containers/attrs/logs?stdout=1&details=1");
    assert_eq!(
        details.output().0,
        format!("KIND=web,color=blue,tag={tag} <é>\n")
    );
    let options = json!({ "max-size": "2k", "max-file": "3", "compress": "true" });
    let id = engine.run(
        "turned",
        "seq 1000 1099",
        log("json-file", options),
        json!({}),
    );
    ended(engine, "turned");
    let folder = engine.dir.join(format!("data/containers/{id}"));
    for name in ["json.log", "json.log.1.gz", "json.log.2.gz"] {
        assert!(folder.join(format!("{id}-{name}")).exists(), "{name}");
    }
    assert!(!folder.join(format!("{id}-json.log.3.gz")).exists());
    let lines = printed(engine, "turned");
    let numbers: Vec<u32> = lines.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.last(), Some(&1099));
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    assert!(numbers.len() < 100);
}

fn local(engine: &mut Engine) {
    let options = json!({ "max-size": "4k", "max-file": "2" });
    let command = "echo first; echo error >&2; sleep 1; seq 1000 1999; printf end";
    engine.run("local", command, log("local", options), json!({}));
    // The connection is kept until the container has ended, over every turn of the file.
    let followed = engine
        .client
        .get("/containers/local/logs?stdout=1&stderr=1&follow=1")
        .output();
    assert_eq!(followed.1, "error\n");
    assert!(
        followed.0.starts_with("first\n1000\n"),
        "{:.40}",
        followed.0
    );
    assert!(followed.0.ends_with("1999\nend"));
    ended(engine, "local");
    let kept = printed(engine, "local");
    assert!(
        kept.len() < 6000 && kept.ends_with("1999\nend"),
        "{} bytes",
        kept.len()
    );
    assert_eq!(
        engine.client.get("/containers/local/json").json()["LogPath"],
        ""
    );
}

fn unreadable(engine: &mut Engine) {
    engine.run("none", "echo hi", log("none", json!({})), json!({}));
    let answer = engine.client.get("/containers/none/logs?stdout=1");
    let words = "configured logging driver does not support reading";
    assert_eq!((answer.status, answer.message().as_str()), (501, words));
}

fn udp() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let count = socket.recv(&mut buffer).expect("a datagram comes");
    buffer.truncate(count);
    buffer
}

fn syslog(engine: &mut Engine) {
    let (socket, port) = udp();
    let options = json!({
        "syslog-address": format!("udp://127.0.0.1:{port}"), "syslog-facility": "local3",
        "syslog-format": "rfc5424", "tag": "app-{{.Name}}",
    });
    engine.run("udp", "echo over udp", log("syslog", options), json!({}));
    let text = String::from_utf8(received(&socket)).unwrap();
    // local3 is 19, and informational is 6.
    assert!(text.starts_with("<158>1 20"), "{text}");
    assert!(
        text.contains(" app-udp ") && text.ends_with(" - over udp\n"),
        "{text}"
    );
    ended(engine, "udp");
    assert_eq!(
        printed(engine, "udp"),
        "over udp\n",
        "a copy is kept for `logs`"
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = json!({
        "syslog-address": format!("tcp://localhost:{port}"), "syslog-format": "rfc3164",
        "cache-disabled": "true",
    });
    engine.run(
        "tcp",
        "echo one; echo two >&2",
        log("syslog", options),
        json!({}),
    );
    let text = read_to_end(&listener.accept().unwrap().0);
    let text = String::from_utf8(text).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert!(
        lines[0].starts_with("<27>") && lines[0].ends_with("]: two"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("<30>") && lines[1].ends_with("]: one"),
        "{text}"
    );
    assert_eq!(
        engine.client.get("/containers/tcp/logs?stdout=1").status,
        501
    );

    let path = engine.dir.join("log.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let options = json!({ "syslog-address": format!("unixgram://{}", path.display()) });
    engine.run("file", "echo here", log("syslog", options), json!({}));
    let mut buffer = [0; 1000];
    let count = socket.recv(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..count]);
    assert!(
        text.starts_with("<30>") && text.ends_with("]: here\n"),
        "{text}"
    );
}

fn read_to_end(stream: &TcpStream) -> Vec<u8> {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut all = Vec::new();
    let mut stream = stream;
    stream
        .read_to_end(&mut all)
        .expect("the shim closes at the end");
    all
}

fn gelf_udp(engine: &mut Engine) {
    let (socket, port) = udp();
    let options = json!({
        "gelf-address": format!("udp://127.0.0.1:{port}"), "labels": "color", "tag": "t",
    });
    let more = json!({ "Labels": { "color": "blue" } });
    // A line that gzip cannot make small enough for one datagram.
    let command =
        "echo short; x=; for i in $(seq 1 2000); do x=$x$((i * 7919 % 10007)); done; echo $x >&2";
    let id = engine.run("gelf", command, log("gelf", options), more);
    let first = received(&socket);
    assert_eq!(first[..2], [0x1f, 0x8b], "gzip");
    let unpack = |bytes: &[u8]| -> Value {
        serde_json::from_reader(flate2::read::GzDecoder::new(bytes)).unwrap()
    };
    let message = unpack(&first);
    assert_eq!(message["version"], "1.1");
    assert_eq!(
        (&message["short_message"], &message["level"]),
        (&json!("short"), &json!(6))
    );
    assert_eq!(
        (&message["_container_id"], &message["_color"]),
        (&json!(id), &json!("blue"))
    );
    assert_eq!(
        (&message["_container_name"], &message["_tag"]),
        (&json!("gelf"), &json!("t"))
    );
    let mut chunk = received(&socket);
    assert_eq!(chunk[..2], [0x1e, 0x0f], "chunked");
    let count = usize::from(chunk[11]);
    assert!(count > 1);
    let mut chunks = vec![Vec::new(); count];
    loop {
        chunks[usize::from(chunk[10])] = chunk[12..].to_vec();
        if chunks.iter().all(|chunk| !chunk.is_empty()) {
            break;
        }
        chunk = received(&socket);
    }
    let message = unpack(&chunks.concat());
    assert_eq!(message["level"], 3);
    let text = message["short_message"].as_str().unwrap();
    assert!(
        text.starts_with("79195831") && text.len() > 6000,
        "{} bytes",
        text.len()
    );
}

fn slow(engine: &mut Engine) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    // More than every buffer on the way can hold.
    let command = "yes 123456789012345678901234567890123456789 | head -n 200000";
    let options = json!({
        "gelf-address": address, "mode": "non-blocking", "max-buffer-size": "64k",
        "cache-disabled": "true",
    });
    engine.run("lossy", command, log("gelf", options), json!({}));
    let (lossy, _) = listener.accept().unwrap();
    ended(engine, "lossy");
    let options = json!({ "gelf-address": address, "cache-disabled": "true" });
    engine.run("patient", command, log("gelf", options), json!({}));
    let (patient, _) = listener.accept().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(engine.state("patient")["Status"], "running", "it waits");
    // Whoever waits for its collector is still at hand.
    let exec = engine
        .client
        .post("/containers/patient/exec", &json!({ "Cmd": ["true"] }));
    assert_eq!(exec.status, 201);
    let count = |bytes: &[u8]| bytes.split(|byte| *byte == 0).count() - 1;
    assert_eq!(count(&read_to_end(&patient)), 200_000, "nothing is lost");
    ended(engine, "patient");
    assert!(count(&read_to_end(&lossy)) < 200_000, "something is lost");
    let absent = json!({ "gelf-address": "tcp://127.0.0.1:1" });
    let wish = json!({ "Cmd": ["true"], "HostConfig": log("gelf", absent) });
    let id = engine.client.create("absent", &wish);
    let answer = engine
        .client
        .post(&format!("/containers/{id}/start"), &Value::Null);
    let words = "failed to create task for container: failed to initialize logging driver: gelf: \
                 cannot connect to GELF endpoint: 127.0.0.1:1 dial tcp 127.0.0.1:1: connect: \
                 connection refused";
    assert_eq!((answer.status, answer.message().as_str()), (500, words));
}

fn journal(engine: &mut Engine) {
    let wish = json!({ "Cmd": ["true"], "HostConfig": log("journald", json!({})) });
    let id = engine.client.create("absent", &wish);
    let answer = engine
        .client
        .post(&format!("/containers/{id}/start"), &Value::Null);
    let words = "failed to create task for container: failed to initialize logging driver: \
                 journald is not enabled on this host";
    assert_eq!((answer.status, answer.message().as_str()), (500, words));
    // `/run` is this test's own.
    std::fs::create_dir_all("/run/systemd/journal").unwrap();
    let socket = UnixDatagram::bind("/run/systemd/journal/socket").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let options = json!({ "labels": "com.example/color" });
    let more = json!({ "Labels": { "com.example/color": "blue" } });
    let id = engine.run("journal", "echo hello >&2", log("journald", options), more);
    let mut buffer = [0; 10_000];
    let count = socket.recv(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    let lines: Vec<_> = text.lines().collect();
    for line in [
        "MESSAGE=hello",
        "PRIORITY=3",
        "CONTAINER_NAME=journal",
        "COM_EXAMPLE_COLOR=blue",
        &format!("CONTAINER_ID_FULL={id}"),
        &format!("SYSLOG_IDENTIFIER={}", &id[..12]),
    ] {
        assert!(lines.contains(&line), "{line} is missing in {text}");
    }
    std::fs::remove_file("/run/systemd/journal/socket").unwrap();
}

fn without_engine(engine: &mut Engine) {
    let (socket, port) = udp();
    let options = json!({ "syslog-address": format!("udp://127.0.0.1:{port}") });
    let command = "n=0; while true; do n=$((n + 1)); echo line $n; usleep 50000; done";
    engine.run("on", command, log("syslog", options), json!({}));
    received(&socket);
    engine.kill();
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 1000];
    while socket.recv(&mut buffer).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    for _ in 0..3 {
        received(&socket);
    }
    engine.start_again();
    engine.client.post("/containers/on/stop?t=0", &Value::Null);
    let kept = printed(engine, "on");
    let numbers: Vec<u32> = kept
        .lines()
        .map(|line| line.strip_prefix("line ").unwrap().parse().unwrap())
        .collect();
    let expected: Vec<u32> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "no line is missing");
}

fn flood(engine: &mut Engine) {
    let options = json!({ "max-size": "100k", "max-file": "2" });
    // Hundreds of turns of the file, then one line that is longer than any buffer.
    let command = "yes | head -c 1000000; dd if=/dev/zero bs=1M count=48 2>/dev/null; echo; echo the end; sleep 300";
    let id = engine.run("flood", command, log("json-file", options), json!({}));
    wait_until("all is printed", || {
        let path = "/containers/flood/logs?stdout=1&tail=1";
        engine.client.get(path).output().0.contains("the end")
    });
    let folder = engine.dir.join(format!("data/containers/{id}"));
    let logs = std::fs::read_dir(folder).unwrap().flatten();
    let size: u64 = logs
        .filter(|entry| entry.file_name().to_string_lossy().contains("json.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!(size < 1_500_000, "the files hold {size} bytes");
    let peak = shim_peak(&id);
    assert!(peak < 40_000, "the shim has used {peak} kB");
}

/// The most memory the shim of a container has ever used, kB.
fn shim_peak(id: &str) -> u64 {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if words.contains("shim") && words.contains(id) {
            let status = std::fs::read_to_string(entry.path().join("status")).unwrap();
            let line = status
                .lines()
                .find(|line| line.starts_with("VmHWM:"))
                .unwrap();
            return line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
    }
    panic!("no process is the shim of {id}: {:?}", ErrorKind::NotFound);
}

fn refused(engine: &mut Engine) {
    for (driver, options, words) in [
        (
            "json-file",
            json!({ "foo": "b" }),
            "unknown log opt 'foo' for json-file log driver",
        ),
        (
            "nosuch",
            json!({}),
            "error looking up logging plugin nosuch: plugin \"nosuch\" not found",
        ),
        ("gelf", json!({}), "gelf-address is a required parameter"),
    ] {
        let wish = json!({ "Image": "busybox", "HostConfig": log(driver, options) });
        let answer = engine.client.post("/containers/create", &wish);
        assert_eq!((answer.status, answer.message().as_str()), (400, words));
    }
    let start = "failed to create task for container: failed to initialize logging driver: ";
    for (driver, options, words) in [
        ("json-file", json!({ "max-size": "x" }), "invalid size: 'x'"),
        (
            "json-file",
            json!({ "max-file": "0" }),
            "max-file cannot be less than 1",
        ),
        (
            "json-file",
            json!({ "compress": "true" }),
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        (
            "json-file",
            json!({ "tag": "{{.Foo}}" }),
            "template: log-tag:1:2: executing \"log-tag\" at <.Foo>: can't evaluate field Foo in type *logger.Info",
        ),
        (
            "local",
            json!({ "max-file": "0" }),
            "compression cannot be enabled when max file count is 1",
        ),
        (
            "syslog",
            json!({ "syslog-address": "tcp://127.0.0.1:1" }),
            "dial tcp 127.0.0.1:1: connect: connection refused",
        ),
    ] {
        let wish = json!({ "HostConfig": log(driver, options) });
        let id = engine.client.create("refused", &wish);
        let answer = engine
            .client
            .post(&format!("/containers/{id}/start"), &Value::Null);
        assert_eq!(
            (answer.status, answer.message()),
            (500, format!("{start}{words}"))
        );
        engine.client.delete("/containers/refused");
    }
}
