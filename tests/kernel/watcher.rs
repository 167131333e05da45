//! The watcher on real namespaces: what is true turns green, what is pretended does not.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tests::executable;
use tests::host::{self, Need};
use tests::liar;
use tests::scratch::Scratch;

/// Two stages as small as they can be: a pid namespace for the watcher, and in it a machine whose
/// shell reads its commands from `$COMMANDS`. The watcher speaks on the standard input.
const STAGES: &str = r#"
mount -t proc proc /proc
unshare --user --map-root-user --pid --fork --kill-child --mount --uts --ipc --net --cgroup \
    sh -c 'mount -t proc proc /proc; hostname machine; sh <"$COMMANDS" & exec sleep 300' </dev/null &
init=
while [ -z "$init" ]; do
    for status in /proc/[0-9]*/status; do
        pids=$(sed -n 's/^NSpid:[^0-9]*//p' "$status" 2>/dev/null) || continue
        set -- $pids
        if [ "$#" = 2 ] && [ "$2" = 1 ] && [ "$(cat "${status%status}comm")" = sleep ]; then init=$1; fi
    done
done
exec "$QUAI" watcher --stage-pid "$init" --engine /nonexistent/engine.sock
"#;

/// A machine with a watcher.
struct Watched {
    stages: Child,
    commands: File,
    reports: BufReader<UnixStream>,
    _scratch: Scratch,
}

impl Watched {
    fn start(exercise: &Value) -> Self {
        let scratch = Scratch::create("watcher").unwrap();
        let fifo = scratch.join("commands");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let stages = Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "sh",
                "-c",
                STAGES,
            ])
            .env("QUAI", executable::path().unwrap())
            .env("COMMANDS", &fifo)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let opening = json!({ "open": "watch", "exercise": exercise, "vars": { "nom": "phare" } });
        writeln!(ours, "{opening}").unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        // Opening a pipe for writing waits for its reader: the machine's shell.
        let commands = File::options().write(true).open(&fifo).unwrap();
        Self {
            stages,
            commands,
            reports: BufReader::new(ours),
            _scratch: scratch,
        }
    }

    /// Types into the machine's shell.
    fn type_in(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The next report about a check.
    fn next(&mut self, check: &str) -> Value {
        loop {
            let mut line = String::new();
            self.reports.read_line(&mut line).expect("a report in time");
            let report: Value = serde_json::from_str(&line).expect("reports are JSON");
            if report["check"] == check {
                return report;
            }
        }
    }

    /// Asks for everything again, after what was typed has had its time.
    fn now(&mut self, check: &str) -> Value {
        std::thread::sleep(Duration::from_millis(1500));
        let verify = self.reports.get_mut().write_all(b"{\"verify\":true}\n");
        verify.unwrap();
        self.next(check)
    }
}

impl Watched {
    /// Asks again until the check has passed: a loaded host takes its time.
    #[track_caller]
    fn passes(&mut self, check: &str) {
        let mut report = self.now(check);
        for _ in 0..20 {
            if report["verdict"]["status"] == "pass" {
                return;
            }
            report = self.now(check);
        }
        panic!("{check} has not passed: {report:#}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // `--kill-child` takes the stages with it; a stage that has ended already is as good.
        let _ = self.stages.kill();
        let _ = self.stages.wait();
    }
}

fn exercise(bind: &Value, checks: &Value) -> Value {
    json!({
        "schema": 1, "id": "a/b", "title": "t", "duration": "5m", "solve": "s",
        "counterexamples": [], "vars": { "nom": { "pick": ["phare"] } },
        "bind": bind, "checks": checks,
    })
}

#[test]
fn a_check_follows_the_kernel_and_not_what_the_machine_pretends() {
    let test = "a_check_follows_the_kernel_and_not_what_the_machine_pretends";
    if host::lacks(test, &[Need::Root]) {
        return;
    }
    let mut machine = Watched::start(&exercise(
        &json!({ "p": { "process": { "ns.private": { "contains": "uts" } } } }),
        &json!([{
            "id": "isole", "text": "x",
            "assert": { "p.hostname": "$nom", "machine.hostname": { "ne": "$nom" } },
        }]),
    ));
    let first = machine.next("isole");
    assert_eq!(first["verdict"]["reasons"][0]["kind"], "unbound", "{first}");

    // Pretended: a made-up /proc with a made-up process, and programs that lie.
    machine.type_in("mount -t tmpfs none /proc; mkdir -p /proc/4242/ns");
    machine.type_in("ln -s 'uts:[4026539999]' /proc/4242/ns/uts; echo phare >/proc/4242/hostname");
    machine.type_in("mount -t tmpfs none /usr/local/bin; printf '#!/bin/sh\\necho phare\\n' >/usr/local/bin/hostname");
    machine.type_in("chmod +x /usr/local/bin/hostname; export PATH=/usr/local/bin:$PATH");
    machine.type_in("(exec -a 'phare' sleep 200) 2>/dev/null &");
    let pretended = machine.now("isole");
    assert_eq!(pretended["verdict"]["status"], "fail", "{pretended}");

    // True, and seen although the machine's own /proc shows nothing of it.
    machine.type_in("unshare --uts sh -c '/bin/hostname phare; exec sleep 201' & real=$!");
    let real = machine.next("isole");
    assert_eq!(real["verdict"]["status"], "pass", "{real}");
    assert_eq!(real["facts"]["machine.hostname"], "machine", "{real}");

    // No longer true.
    machine.type_in("kill $real");
    let gone = machine.next("isole");
    assert_eq!(gone["verdict"]["status"], "fail", "{gone}");
}

#[test]
fn a_preloaded_library_deceives_the_machine_and_no_check() {
    let test = "a_preloaded_library_deceives_the_machine_and_no_check";
    if host::lacks(test, &[Need::Root]) {
        return;
    }
    let scratch = Scratch::create("liar").unwrap();
    let folder = scratch.path().display().to_string();
    let library = scratch.join("liar.so");
    if liar::library(test, &library, &folder).is_none() {
        return;
    }
    let invented = scratch.join("proc/4242/ns");
    std::fs::create_dir_all(&invented).unwrap();
    std::os::unix::fs::symlink("uts:[4026539999]", invented.join("uts")).unwrap();
    std::fs::write(scratch.join("proc/4242/comm"), "invented\n").unwrap();
    std::fs::write(scratch.join("hostname"), "phare\n").unwrap();

    let mut machine = Watched::start(&exercise(
        &json!({ "p": { "process": { "ns.private": { "contains": "uts" } } } }),
        &json!([
            { "id": "isole", "text": "x", "assert": { "p.hostname": "$nom" } },
            { "id": "nom", "text": "x", "assert": { "machine.hostname": "$nom" } },
        ]),
    ));
    assert_eq!(machine.next("isole")["verdict"]["status"], "fail");
    machine.type_in(&format!("export LD_PRELOAD={}", library.display()));
    machine.type_in(&format!(
        "(ls /proc; cat /proc/4242/comm; readlink /proc/4242/ns/uts; hostname) >{folder}/part; \
         mv {folder}/part {folder}/seen"
    ));
    let seen = scratch.join("seen");
    for _ in 0..300 {
        if seen.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let seen = std::fs::read_to_string(seen).expect("the machine has looked");
    assert_eq!(
        seen, "4242\ninvented\nuts:[4026539999]\nphare\n",
        "the lie is told"
    );
    for check in ["isole", "nom"] {
        let report = machine.now(check);
        assert_eq!(report["verdict"]["status"], "fail", "{report}");
    }
    machine.type_in("unset LD_PRELOAD; hostname phare");
    machine.passes("nom");
}

#[test]
fn what_must_be_gone_was_there_before() {
    let test = "what_must_be_gone_was_there_before";
    if host::lacks(test, &[Need::Root]) {
        return;
    }
    let mut machine = Watched::start(&exercise(
        &json!({ "p": { "process": { "argv": ["sleep", "212"] }, "keep": true } }),
        &json!([{
            "id": "mort", "text": "x", "mode": "edge",
            "baseline": { "p.alive": true }, "assert": { "p.alive": false },
        }]),
    ));
    // Absent from the start is not gone.
    let absent = machine.next("mort");
    assert_eq!(
        absent["verdict"]["reasons"][0]["kind"], "baseline",
        "{absent}"
    );
    machine.type_in("sleep 212 & victim=$!");
    let there = machine.next("mort");
    assert_eq!(there["verdict"]["reasons"][0]["kind"], "fact", "{there}");
    machine.type_in("kill $victim");
    let gone = machine.next("mort");
    assert_eq!(gone["verdict"]["status"], "pass", "{gone}");
    // And stays so: another one does not bring it back.
    machine.type_in("sleep 212 &");
    assert_eq!(machine.now("mort")["verdict"]["status"], "pass");
}

#[test]
fn facts_of_a_process_are_those_of_its_namespaces() {
    let test = "facts_of_a_process_are_those_of_its_namespaces";
    if host::lacks(test, &[Need::Root]) {
        return;
    }
    let mut machine = Watched::start(&exercise(
        &json!({
            "un": { "process": { "pid_inside": 1, "ns.private": { "contains": "pid" } } },
            "ipc": { "process": { "ns.private": ["ipc"] } },
        }),
        &json!([
            {
                "id": "pid", "text": "x",
                "assert": {
                    "un.nspid": { "count": 2 }, "un.proc_ns": "$un.ns.pid",
                    "un.mounts[/proc].fstype": "proc", "un.mounts[/proc].propagation": "private",
                    "un.old_root": "/", "un.comm": "sleep", "un.argv": ["sleep", "222"],
                    "machine.proc_ns": { "ne": "$un.ns.pid" },
                },
            },
            {
                "id": "segment", "text": "x",
                "assert": {
                    "ipc.ipc.shm.sizes": [4096], "ipc.ipc.msg.count": 1,
                    "machine.ipc.shm.count": 0,
                },
            },
        ]),
    ));
    machine.type_in("unshare --pid --fork --mount-proc sleep 222 &");
    machine.type_in("unshare --ipc sh -c 'ipcmk -M 4096; ipcmk -Q; exec sleep 223' >/dev/null &");
    for check in ["pid", "segment"] {
        machine.passes(check);
    }
}
