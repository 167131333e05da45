//! The learner's machine, from the keyboard.

use std::fs;

use tests::platform::Platform;
use tests::terminal::Terminal;

use crate::{EXERCISE, platform};

fn terminal(platform: &Platform, cookie: &str) -> Terminal {
    Terminal::open(platform, cookie, EXERCISE, "1")
        .unwrap_or_else(|error| panic!("{error:#}\n{}", platform.log()))
}

#[test]
fn the_shell_is_root_of_ids_that_are_nobodys_else() {
    let Some(platform) = platform("the_shell_is_root_of_ids_that_are_nobodys_else", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    assert_eq!(shell.run("id -u"), ("0".to_owned(), 0));
    let (capabilities, _) = shell.run("grep CapEff /proc/self/status");
    assert!(
        !capabilities.ends_with("0000000000000000"),
        "{capabilities}"
    );

    // The same process, as this host sees it.
    shell.run("(exec -a trouve-moi sleep 600 &)");
    let uid = uid_of("trouve-moi");
    assert!(uid >= 65536, "root of the machine is uid {uid} of the host");
}

#[test]
fn a_first_docker_run_pulls_and_speaks() {
    let Some(platform) = platform("a_first_docker_run_pulls_and_speaks", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    assert_eq!(shell.run("docker images -q"), (String::new(), 0));
    let (output, code) = shell.run("docker run hello-world");
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("Bonjour de Quai"), "{output}");
    let (output, code) = shell.run("docker ps -a --format '{{.Image}} {{.Status}}'");
    assert_eq!(code, 0, "{output}");
    assert!(output.starts_with("hello-world Exited (0)"), "{output}");
}

#[test]
fn two_machines_of_one_exercise_do_not_meet() {
    let test = "two_machines_of_one_exercise_do_not_meet";
    // Local mode has one learner: the second machine is another server's, and has the same name.
    let Some(first) = platform(test, &[]) else {
        return;
    };
    let Some(second) = platform(test, &[]) else {
        return;
    };
    let mut one = terminal(&first, &first.learner());
    let mut two = terminal(&second, &second.learner());
    one.run("touch /tmp/a-moi; (exec -a phare sleep 600 &)");
    let uid = uid_of("phare");
    assert_eq!(one.run("pgrep -fc '^phare'").0, "1");
    assert_eq!(two.run("pgrep -fc '^phare'").0, "0");
    assert_eq!(two.run("test -e /tmp/a-moi").1, 1);
    for kind in ["user", "net", "pid", "mnt", "cgroup"] {
        let link = format!("readlink /proc/self/ns/{kind}");
        assert_ne!(one.run(&link), two.run(&link), "{kind}");
    }
    two.run("(exec -a ponton sleep 600 &)");
    assert_ne!(uid, uid_of("ponton"), "one range of ids for two machines");
}

#[test]
fn the_same_shell_is_found_after_the_servers_death() {
    let Some(mut platform) = platform("the_same_shell_is_found_after_the_servers_death", &[])
    else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    shell.run("marque=avant; echo visible-$((6*7))");
    let (pid, _) = shell.run("echo $$");
    drop(shell);
    platform.crash_and_restart().expect("the server comes back");
    let mut shell = terminal(&platform, &cookie);
    shell
        .wait_for("visible-42")
        .expect("the screen is drawn again");
    assert_eq!(shell.run("echo $marque:$$"), (format!("avant:{pid}"), 0));
}

#[test]
fn killing_everything_gives_a_new_prompt() {
    let Some(platform) = platform("killing_everything_gives_a_new_prompt", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    shell.run("true");
    // kill(2) with -1 spares who calls it: the second terminal kills the first one's shell.
    let mut killer = Terminal::open(&platform, &cookie, EXERCISE, "2").expect("a second terminal");
    killer.run("kill -9 -1");
    shell.wait_for_notice("restarted").expect("a new shell");
    assert_eq!(
        shell.run("echo encore-$((1+1))"),
        ("encore-2".to_owned(), 0)
    );
    assert_eq!(killer.run("echo ici-$((1+1))"), ("ici-2".to_owned(), 0));
}

#[test]
fn nothing_leaves_the_machine() {
    let Some(platform) = platform("nothing_leaves_the_machine", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = terminal(&platform, &cookie);
    // A loopback port of the host is not one of the machine.
    let (_, code) = shell.run(&format!(
        "curl -sS -m 2 http://127.0.0.1:{}/",
        platform.port()
    ));
    assert_ne!(code, 0, "the machine reached the server that serves it");
    assert_ne!(shell.run("echo 5 >/proc/sys/kernel/panic").1, 0);
    assert_ne!(
        shell.run("mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk").1,
        0
    );
    assert_ne!(shell.run("ls /store /disk /machine").1, 0);
}

/// The user of a machine's process that calls itself `name`, as this host knows it.
#[track_caller]
fn uid_of(name: &str) -> u32 {
    let pid = find_process(name).expect("the machine's processes are visible from the host");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let ids = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .expect("a field of status");
    ids.split_whitespace()
        .next()
        .expect("four ids")
        .parse()
        .expect("a number")
}

/// The host's pid of the process that calls itself `name`.
fn find_process(name: &str) -> Option<u32> {
    for _ in 0..50 {
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if command.split(|byte| *byte == 0).next() == Some(name.as_bytes()) {
                return entry.file_name().to_str()?.parse().ok();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    None
}
