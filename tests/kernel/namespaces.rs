//! Which namespaces a container shares with the host and which are its own.

use std::fs::read_link;

use crate::{engine, sleeper, status};

fn namespace(pid: &str, kind: &str) -> String {
    let link =
        read_link(format!("/proc/{pid}/ns/{kind}")).expect("the process lives and we are root");
    link.to_string_lossy().into_owned()
}

#[test]
fn a_container_has_its_own_namespaces() {
    let Some(engine) = engine("a_container_has_its_own_namespaces") else {
        return;
    };
    let pid = sleeper(&engine, "own", &[]).to_string();
    for kind in ["mnt", "pid", "net", "uts", "ipc"] {
        assert_ne!(namespace(&pid, kind), namespace("self", kind), "{kind}");
    }
}

#[test]
fn the_first_process_is_number_one_inside() {
    let Some(engine) = engine("the_first_process_is_number_one_inside") else {
        return;
    };
    let pid = sleeper(&engine, "first", &[]);
    let numbers = status(pid, "NSpid");
    assert_eq!(
        numbers.split_whitespace().last(),
        Some("1"),
        "NSpid: {numbers}"
    );
    assert_eq!(
        engine.stdout(&["exec", "first", "cat", "/proc/1/comm"]),
        "sleep"
    );
}

#[test]
fn host_network_is_the_engines_own() {
    let Some(engine) = engine("host_network_is_the_engines_own") else {
        return;
    };
    let pid = sleeper(&engine, "shared", &["--network", "host"]).to_string();
    assert_eq!(
        namespace(&pid, "net"),
        namespace(&engine.id().to_string(), "net")
    );
}

#[test]
fn exec_enters_every_namespace_of_the_container() {
    let Some(engine) = engine("exec_enters_every_namespace_of_the_container") else {
        return;
    };
    let pid = sleeper(&engine, "entered", &["--hostname", "phare"]).to_string();
    for kind in ["mnt", "pid", "net", "uts", "ipc"] {
        let inside = engine.stdout(&[
            "exec",
            "entered",
            "readlink",
            &format!("/proc/self/ns/{kind}"),
        ]);
        assert_eq!(inside, namespace(&pid, kind), "{kind}");
    }
    assert_eq!(engine.stdout(&["exec", "entered", "hostname"]), "phare");
}
