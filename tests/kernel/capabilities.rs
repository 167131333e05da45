//! What a container may do: capabilities, system calls, new privileges.

use crate::{engine, sleeper, status};

#[test]
fn a_container_has_the_fourteen_usual_capabilities() {
    let Some(engine) = engine("a_container_has_the_fourteen_usual_capabilities") else {
        return;
    };
    let pid = sleeper(&engine, "usual", &[]);
    // chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod
    // audit_write setfcap
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(pid, set), "00000000a80425fb", "{set}");
    }
    assert_eq!(status(pid, "CapInh"), "0000000000000000");
}

#[test]
fn dropping_all_and_adding_one_leaves_one() {
    let Some(engine) = engine("dropping_all_and_adding_one_leaves_one") else {
        return;
    };
    let pid = sleeper(
        &engine,
        "one",
        &["--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE"],
    );
    assert_eq!(status(pid, "CapBnd"), "0000000000000400");
    assert_eq!(status(pid, "CapEff"), "0000000000000400");
}

#[test]
fn a_filter_of_system_calls_is_loaded() {
    let Some(engine) = engine("a_filter_of_system_calls_is_loaded") else {
        return;
    };
    let pid = sleeper(&engine, "filtered", &[]);
    assert_eq!(status(pid, "Seccomp"), "2", "2 is filter mode");
    let refused = engine.run(&[
        "run", "--rm", "busybox", "mount", "-t", "tmpfs", "none", "/tmp",
    ]);
    assert!(
        !refused.status.success(),
        "a container without CAP_SYS_ADMIN mounted a tmpfs"
    );
}

#[test]
fn an_ordinary_user_in_a_container_has_no_effective_capability() {
    let Some(engine) = engine("an_ordinary_user_in_a_container_has_no_effective_capability") else {
        return;
    };
    let pid = sleeper(&engine, "ordinary", &["--user", "1000:1000"]);
    assert_eq!(status(pid, "CapEff"), "0000000000000000");
    assert!(status(pid, "Uid").starts_with("1000\t1000"));
}
