//! Wrong settings, broken content, sudden death.

use std::fs;

use tests::executable;
use tests::scratch::Scratch;

use crate::platform;

/// One field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the server lives");
    text.lines()
        .find_map(|line| line.strip_prefix(field))
        .expect("the field exists")
        .trim()
        .to_owned()
}

#[test]
fn the_process_that_serves_pages_has_no_privilege() {
    let Some(platform) = platform("the_process_that_serves_pages_has_no_privilege", &[]) else {
        return;
    };
    let uids = status(platform.id(), "Uid:");
    assert!(uids.split_whitespace().all(|uid| uid != "0"), "Uid: {uids}");
    assert_eq!(status(platform.id(), "CapEff:"), "0000000000000000");
    assert_eq!(status(platform.id(), "CapPrm:"), "0000000000000000");
    assert_eq!(status(platform.id(), "NoNewPrivs:"), "1");
}

#[test]
fn a_taken_port_is_said_with_the_way_out() {
    let Some(platform) = platform("a_taken_port_is_said_with_the_way_out", &[]) else {
        return;
    };
    let data = Scratch::create("second").expect("/var/tmp can be written");
    std::os::unix::fs::symlink(platform.data().join("store"), data.join("store"))
        .expect("a fresh directory");
    let output = executable::run([
        "local".as_ref(),
        "--no-open".as_ref(),
        "--port".as_ref(),
        platform.port().to_string().as_ref(),
        "--data".as_ref(),
        data.path().as_os_str(),
    ])
    .expect("quai can be executed");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&platform.port().to_string()), "{message}");
    assert!(
        message.contains("--port"),
        "the remedy is missing: {message}"
    );
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let Some(platform) = platform("a_second_server_on_the_same_data_is_refused", &[]) else {
        return;
    };
    let port = tests::platform::free_port()
        .expect("a port is free")
        .to_string();
    let arguments = [
        "local".as_ref(),
        "--no-open".as_ref(),
        "--port".as_ref(),
        port.as_ref(),
        "--data".as_ref(),
    ];
    let output = executable::run(arguments.into_iter().chain([platform.data().as_os_str()]))
        .expect("quai can be executed");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
    assert_eq!(platform.get("/", &[]).status, 200, "the first one goes on");
}

#[test]
fn a_broken_exercise_is_named_and_the_rest_is_served() {
    let content = Scratch::create("content").expect("/var/tmp can be written");
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../content/fr");
    let copied = std::process::Command::new("cp")
        .args(["-a", top])
        .arg(content.join("fr"))
        .status();
    assert!(copied.expect("cp is there").success());
    let broken = "00-prise-en-main/12-cycle-de-vie/tp.md";
    let file = content.join("fr").join(broken);
    let text = fs::read_to_string(&file).expect("the course has this exercise");
    fs::write(&file, text.replacen("\nschema: 1", "\nschemma: 1", 1)).expect("a copy of ours");

    let folder = content.join("fr").display().to_string();
    let test = "a_broken_exercise_is_named_and_the_rest_is_served";
    let Some(platform) = platform(test, &["--content", &folder]) else {
        return;
    };
    let log = platform.log();
    assert!(
        log.contains("12-cycle-de-vie/tp.md:"),
        "neither file nor line: {log}"
    );
    assert_eq!(platform.get(crate::EXERCISE, &[]).status, 200);
    assert_eq!(platform.get("/", &[]).status, 200);
}

#[test]
fn the_server_comes_back_after_a_sudden_death() {
    let Some(mut platform) = platform("the_server_comes_back_after_a_sudden_death", &[]) else {
        return;
    };
    let mounts = || {
        fs::read_to_string("/proc/self/mountinfo")
            .expect("we live")
            .lines()
            .count()
    };
    let before = mounts();
    for _ in 0..3 {
        platform
            .crash_and_restart()
            .expect("the same data and port serve again");
        assert_eq!(platform.get("/", &[]).status, 200);
    }
    assert_eq!(mounts(), before, "a mount stays in the host's namespace");
}
