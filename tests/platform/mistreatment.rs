//! What a learner does to their machine, by mistake or to see: it ends in a prompt that works, or in an
//! explained way back. Beside it a second machine never notices.

use tests::platform::Platform;
use tests::terminal::Terminal;

use crate::{EXERCISE, platform};

/// The exercise of the machine that must not notice.
const WITNESS: &str = "/tp/prise-en-main/cycle-de-vie";

fn terminal(platform: &Platform, cookie: &str, exercise: &str, name: &str) -> Terminal {
    Terminal::open(platform, cookie, exercise, name)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", platform.log()))
}

/// A terminal of a machine that may be about to end: the page tries until one opens, and so does this.
#[track_caller]
fn open_again(platform: &Platform, cookie: &str) -> Terminal {
    for _ in 0..20 {
        let mut shell = terminal(platform, cookie, EXERCISE, "1");
        if shell.try_run("true").is_ok() {
            return shell;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    panic!("no terminal opens: {}", platform.log());
}

/// What the button "Recommencer" sends.
#[track_caller]
fn begin_again(platform: &Platform, cookie: &str) {
    let host = format!("Host: 127.0.0.1:{}", platform.port());
    let origin = format!("Origin: http://127.0.0.1:{}", platform.port());
    let cookie = format!("Cookie: {cookie}");
    let headers = [&*host, &*origin, &*cookie, "Content-Length: 0"];
    let answer = platform.request("POST", &format!("{EXERCISE}/recommencer"), &headers);
    assert_eq!(answer.status, 204, "{}", answer.body);
}

#[track_caller]
fn works(shell: &mut Terminal) {
    assert_eq!(
        shell.run("echo encore-$((1+1))"),
        ("encore-2".to_owned(), 0)
    );
}

#[test]
fn a_machine_that_is_switched_off_says_so_and_comes_back() {
    let test = "a_machine_that_is_switched_off_says_so_and_comes_back";
    let Some(platform) = platform(test, &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    assert_eq!(
        shell
            .run("echo kept >/root/note; (exec -a phare sleep 600 &)")
            .1,
        0
    );
    shell.input("poweroff\n").expect("it is open");
    shell
        .wait_for("machine s'")
        .expect("the command explains itself");
    shell
        .wait_for_notice(r#""machine":"stopped""#)
        .expect("the page is told");
    shell
        .wait_for_the_end()
        .expect("nothing is behind this terminal");

    // The machine starts again with the files it had.
    let mut shell = open_again(&platform, &cookie);
    assert_eq!(shell.run("cat /root/note"), ("kept".to_owned(), 0));
    assert_eq!(shell.run("pgrep -fc '^phare'").0, "0");

    // A machine that starts again by itself keeps its terminals open.
    let (former, _) = shell.run("(exec -a ponton sleep 600 &); readlink /proc/self/ns/pid");
    shell.input("reboot\n").expect("it is open");
    shell
        .wait_for("machine red")
        .expect("the command explains itself");
    shell.wait_for_notice("restarted").expect("a new shell");
    let (now, code) = shell.run("readlink /proc/self/ns/pid");
    assert!(code == 0 && now != former, "{former} {now}");
    assert_eq!(shell.run("pgrep -fc '^ponton'").0, "0");
    assert_eq!(shell.run("cat /root/note"), ("kept".to_owned(), 0));
    assert_eq!(shell.run("docker run --rm hello-world >/dev/null").1, 0);
}

#[test]
fn a_shell_that_ends_for_whatever_reason_is_followed_by_another() {
    let test = "a_shell_that_ends_for_whatever_reason_is_followed_by_another";
    let Some(platform) = platform(test, &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut witness = terminal(&platform, &cookie, WITNESS, "1");
    let (before, _) = witness.run("echo $$");
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    works(&mut shell);

    shell.input("exit\n").expect("it is open");
    shell.wait_for_notice("restarted").expect("a new shell");
    works(&mut shell);

    // A program, and then the shell itself, takes more memory than the machine has.
    assert_eq!(shell.run("tail /dev/zero").1, 137);
    shell
        .input("printf -v trop '%1500000000s' x\n")
        .expect("it is open");
    shell.wait_for_notice("restarted").expect("a new shell");
    works(&mut shell);
    assert_eq!(shell.run("docker run --rm hello-world >/dev/null").1, 0);

    assert_eq!(
        witness.run("echo $$"),
        (before, 0),
        "another machine has the same shell"
    );
}

#[test]
fn a_fork_bomb_is_alone_in_its_machine() {
    let Some(platform) = platform("a_fork_bomb_is_alone_in_its_machine", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut witness = terminal(&platform, &cookie, WITNESS, "1");
    works(&mut witness);
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    works(&mut shell);
    shell.input("b() { b | b & }; b\n").expect("it is open");
    shell.wait_for("fork: ").expect("the machine is full");

    works(&mut witness);
    assert_eq!(witness.run("docker run --rm hello-world >/dev/null").1, 0);
    assert_eq!(platform.get(EXERCISE, &[]).status, 200);

    begin_again(&platform, &cookie);
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    works(&mut shell);
    assert_eq!(shell.run("test $(ps -e | wc -l) -lt 20").1, 0);
    works(&mut witness);
}

#[test]
fn a_removed_root_is_explained_and_begins_again() {
    let Some(platform) = platform("a_removed_root_is_explained_and_begins_again", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut witness = terminal(&platform, &cookie, WITNESS, "1");
    works(&mut witness);
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    works(&mut shell);
    shell.run("rm -rf --no-preserve-root / 2>/dev/null");
    // The shell that is in memory goes on with what it has built in; there is no other.
    works(&mut shell);
    shell.input("exit\n").expect("it is open");
    let notice = shell
        .wait_for_notice("impossible")
        .expect("the page is told");
    assert!(notice.contains("/bin/bash ni /bin/sh"), "{notice}");

    begin_again(&platform, &cookie);
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    for machine in [&mut shell, &mut witness] {
        assert_eq!(machine.run("test -x /bin/ls").1, 0);
    }
}

#[test]
fn a_full_disk_is_one_machines_own() {
    let Some(platform) = platform("a_full_disk_is_one_machines_own", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut witness = terminal(&platform, &cookie, WITNESS, "1");
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    // Most of it is reserved, not written: this host's disk is everybody's.
    let room = "$(($(df --output=avail -k / | tail -n 1) - 100000))";
    assert_eq!(shell.run(&format!("fallocate -l {room}K /gros")).1, 0);
    let (output, code) = shell.run("dd if=/dev/zero of=/reste bs=1M");
    assert!(code != 0 && output.contains("No space left"), "{output}");
    let write = "dd if=/dev/zero of=/un bs=1M count=16 conv=fsync status=none";
    assert_ne!(shell.run(write).1, 0, "it is full");
    assert_eq!(witness.run(write), (String::new(), 0));

    // Full, the machine can still be tidied up by hand.
    assert_eq!(shell.run("rm /gros /reste").1, 0);
    assert_eq!(shell.run(write), (String::new(), 0));
}

#[test]
fn a_flood_that_nobody_draws_stops_and_ctrl_c_arrives() {
    let test = "a_flood_that_nobody_draws_stops_and_ctrl_c_arrives";
    let Some(platform) = platform(test, &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie, EXERCISE, "1");
    works(&mut shell);
    let before = resident(platform.id());
    for flood in ["yes inonde", "cat /dev/urandom"] {
        shell.input(&format!("{flood}\n")).expect("it is open");
        let taken = shell.stall().expect("it stops");
        assert!(taken > 64 << 10, "{flood}: only {taken} bytes came");
        assert!(
            taken < 1 << 20,
            "{flood}: {taken} bytes wait in a page that draws none"
        );
        shell.input("\x03").expect("it is open");
        shell.resume().expect("it is open");
        // What random bytes did to the terminal is undone before it is asked for anything.
        shell
            .input("\nstty sane; printf '\\033c'\n")
            .expect("it is open");
        works(&mut shell);
    }
    let after = resident(platform.id());
    assert!(
        after < before + (32 << 10),
        "the server grew from {before} to {after} KiB"
    );
}

/// The memory a process holds, in KiB.
fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server lives");
    text.lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("a number of KiB")
}
