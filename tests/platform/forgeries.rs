//! What a learner may fake in their machine without a verdict believing it.
//!
//! Each lie is first seen to deceive the learner's own tools; only then is it a proof that no verdict changes.

use std::time::Duration;

use tests::checks::Checks;
use tests::liar;
use tests::platform::Platform;
use tests::scratch::Scratch;
use tests::terminal::Terminal;

use crate::platform;

/// An exercise, and what doing it honestly is.
struct Subject {
    path: &'static str,
    /// The check that everything else waits for.
    first: &'static str,
    /// Another one, green after the solution.
    last: &'static str,
    solution: &'static str,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        path: crate::EXERCISE,
        first: "termine",
        last: "seconde",
        solution: "docker run hello-world && docker run hello-world",
    },
    Subject {
        path: "/tp/namespaces/entrer-par-nsenter",
        first: "cible",
        last: "fichiers",
        solution: "docker run -d --name cible busybox sleep 3600 && \
             p=$(docker inspect --format '{{.State.Pid}}' cible) && \
             setsid -f nsenter --target $p --net --pid sleep 4000 </dev/null >/dev/null 2>&1",
    },
];

/// Tells a lie, lets the learner's own tools be deceived, takes it back.
struct Lie {
    tell: &'static str,
    /// What a learner would look with.
    look: &'static str,
    /// What is then seen and is not so.
    seen: &'static [&'static str],
    undo: &'static str,
}

/// A made-up process, as files: `busybox sleep 4000`, in made-up namespaces.
const INVENTED: &str = "mkdir -p /liar/proc/4242/ns && cp /proc/$$/status /liar/proc/4242/ && \
     sed 's/^[0-9]* ([^)]*)/4242 (hello-world)/' /proc/$$/stat >/liar/proc/4242/stat && \
     echo hello-world >/liar/proc/4242/comm && printf 'sleep\\0004000\\0' >/liar/proc/4242/cmdline && \
     ln -s 'net:[4026539999]' /liar/proc/4242/ns/net && echo cible >/liar/hostname";

const LIES: [Lie; 5] = [
    // A program of the learner's in the place of `docker`.
    Lie {
        tell: "d=$(command -v docker) && mv $d /root/docker && printf '#!/bin/sh\\n\
             echo premier hello-world Exited \"(0)\"; echo cible busybox Up\\n' >$d && chmod +x $d",
        look: "docker ps -a",
        seen: &["premier hello-world Exited (0)", "cible busybox Up"],
        undo: "mv -f /root/docker $d",
    },
    // The same for `ps`.
    Lie {
        tell: "p=$(command -v ps) && mv $p /root/ps && \
             printf '#!/bin/sh\\necho 4242 hello-world; echo 4243 sleep 4000\\n' >$p && chmod +x $p",
        look: "ps -e",
        seen: &["4242 hello-world", "4243 sleep 4000"],
        undo: "mv -f /root/ps $p",
    },
    // A library that answers for the kernel.
    Lie {
        tell: "echo /liar/liar.so >/etc/ld.so.preload",
        look: "ps -e -o pid,comm; cat /proc/4242/cmdline | tr '\\0' ' '; readlink /proc/4242/ns/net; hostname",
        // ps has nothing but the invention: its own line is missing.
        seen: &["hello-world", "sleep 4000", "net:[4026539999]", "cible"],
        undo: "rm /etc/ld.so.preload",
    },
    // Another server at the address of the engine.
    Lie {
        tell: "mv /run/docker.sock /run/true.sock && perl /liar/server.pl /run/docker.sock",
        look: "docker ps -a --format '{{.Names}} {{.Image}} {{.Status}}'; \
             docker inspect --format '{{.State.Pid}}' cible",
        seen: &["premier hello-world Exited (0)", "cible busybox Up", "4242"],
        undo: "pkill -f /liar/server.pl; mv -f /run/true.sock /run/docker.sock",
    },
    // Mounts over /proc and over a file in it.
    Lie {
        tell: "mount --bind /liar/hostname /proc/version && mkdir -p /liar/over && \
             mount -t tmpfs fake /liar/over && cp -a /liar/proc/4242 /liar/over/ && mount --move /liar/over /proc",
        look: "cat /proc/4242/comm; readlink /proc/4242/ns/net; ls /proc",
        seen: &["hello-world", "net:[4026539999]", "4242"],
        undo: "umount /proc; umount /proc/version",
    },
];

#[test]
fn no_lie_told_in_the_machine_turns_a_verdict_green() {
    let test = "no_lie_told_in_the_machine_turns_a_verdict_green";
    let scratch = Scratch::create("liar").expect("/var/tmp can be written");
    let Some(library) = liar::library(test, &scratch.join("liar.so"), "/liar") else {
        return;
    };
    let Some(platform) = platform(test, &[]) else {
        return;
    };
    for subject in &SUBJECTS {
        prove(&platform, subject, &library);
    }
}

fn prove(platform: &Platform, subject: &Subject, library: &[u8]) {
    let cookie = platform.learner();
    let mut shell = Terminal::open(platform, &cookie, subject.path, "1").expect("a terminal");
    let mut checks = Checks::open(platform, &cookie, subject.path).expect("a check list");
    let files = [("liar.so", library), ("server.pl", liar::SERVER.as_bytes())];
    let making = files.map(|(name, bytes)| {
        liar::making(&format!("/liar/{name}"), bytes).expect("gzip packs what it is given")
    });
    for step in ["mkdir /liar", &making[0], &making[1], INVENTED] {
        must(&mut shell, step);
    }
    checks
        .wait_for(subject.first, "fail")
        .expect("it is watched");
    for lie in &LIES {
        must(&mut shell, lie.tell);
        let (output, _) = shell.run(lie.look);
        for sight in lie.seen {
            assert!(
                output.contains(sight),
                "{} deceives nobody: {output}",
                lie.tell
            );
        }
        checks.verify().expect("the button works");
        let states = checks
            .after(Duration::from_millis(1500))
            .expect("it goes on");
        assert_eq!(states[subject.first], "fail", "{}: {states:?}", lie.tell);
        assert!(
            states.values().all(|state| state != "pass"),
            "{} is believed: {states:?}",
            lie.tell
        );
        must(&mut shell, lie.undo);
    }
    // Looked at by the same watcher, honest work is green.
    must(&mut shell, subject.solution);
    for id in [subject.first, subject.last] {
        checks.wait_for(id, "pass").expect("honest work");
    }
}

#[track_caller]
fn must(shell: &mut Terminal, command: &str) {
    let (output, code) = shell.run(command);
    assert_eq!(code, 0, "{command}: {output}");
}
