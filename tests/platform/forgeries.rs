//! What a learner may fake in their machine without a verdict believing it.

use std::time::Duration;

use tests::checks::Checks;
use tests::terminal::Terminal;

use crate::{EXERCISE, platform};

/// Each lies to the tools of the machine about containers and processes.
const LIES: [&str; 6] = [
    "d=$(command -v docker); mv $d /root/docker; \
     printf '#!/bin/sh\\necho hello-world Exited 0\\n' >$d; chmod +x $d",
    "p=$(command -v ps); cp $p /root/ps; printf '#!/bin/sh\\necho 1 hello-world\\n' >$p",
    "echo /root/nothing.so >/etc/ld.so.preload; export LD_PRELOAD=/root/nothing.so",
    "mv /run/docker.sock /run/true.sock; ln -s /dev/null /run/docker.sock",
    "mount -t tmpfs fake /proc; mkdir /proc/1; echo hello-world >/proc/1/comm",
    "kill -9 -1; true",
];

/// Takes all of it back.
const TRUTH: &str = "unset LD_PRELOAD; : >/etc/ld.so.preload; umount /proc; \
     rm /run/docker.sock; mv /run/true.sock /run/docker.sock; \
     mv -f /root/docker $d; mv -f /root/ps $p";

#[test]
fn no_lie_told_in_the_machine_turns_a_verdict_green() {
    let Some(platform) = platform("no_lie_told_in_the_machine_turns_a_verdict_green", &[]) else {
        return;
    };
    let cookie = platform.learner();
    let mut shell = Terminal::open(&platform, &cookie, EXERCISE, "1").expect("a terminal");
    shell.run("true");
    let mut checks = Checks::open(&platform, &cookie, EXERCISE).expect("a check list");
    checks.wait_for("termine", "fail").expect("it is watched");
    for lie in LIES {
        let (output, code) = shell.run(lie);
        assert_eq!(code, 0, "{lie}: {output}");
    }
    let (output, _) = shell.run("docker ps -a");
    assert!(output.contains("Exited 0"), "the lie is told: {output}");
    checks.verify().expect("the button works");
    let states = checks.after(Duration::from_secs(3)).expect("it goes on");
    assert!(
        states.contains_key("termine") && states.values().all(|state| state != "pass"),
        "{states:?}"
    );

    let (output, code) = shell.run(TRUTH);
    assert_eq!(code, 0, "{output}");
    let (output, code) = shell.run("docker run hello-world");
    assert_eq!(code, 0, "{output}");
    checks.wait_for("termine", "pass").expect("honest work");
}
