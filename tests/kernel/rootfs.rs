//! The root of a container: shared layers below, its own writes above, the host nowhere.

use std::fs;

use crate::{engine, sleeper};

/// The fields of the mount on `/` of a process: (type, super options).
fn root_mount(pid: u32) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("the process lives");
    let line = text
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"))
        .expect("a process has a root");
    let (_, after) = line.split_once(" - ").expect("the separator of mountinfo");
    let mut fields = after.split(' ');
    let kind = fields.next().unwrap_or_default().to_owned();
    (kind, fields.nth(1).unwrap_or_default().to_owned())
}

#[test]
fn two_containers_share_their_layers_and_not_their_writes() {
    let Some(engine) = engine("two_containers_share_their_layers_and_not_their_writes") else {
        return;
    };
    let first = sleeper(&engine, "first", &[]);
    let second = sleeper(&engine, "second", &[]);
    let option = |pid, name: &str| {
        let (kind, options) = root_mount(pid);
        assert_eq!(kind, "overlay");
        let found = options.split(',').find_map(|option| {
            option
                .strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("no {name} in {options}"))
    };
    assert_ne!(option(first, "upperdir"), option(second, "upperdir"));
    engine.stdout(&["exec", "first", "sh", "-c", "echo mine >/etc/passwd"]);
    assert_eq!(
        engine.stdout(&["exec", "first", "cat", "/etc/passwd"]),
        "mine"
    );
    assert!(
        engine
            .stdout(&["exec", "second", "cat", "/etc/passwd"])
            .starts_with("root:")
    );
}

#[test]
fn nothing_of_the_host_is_mounted_inside() {
    let Some(engine) = engine("nothing_of_the_host_is_mounted_inside") else {
        return;
    };
    let pid = sleeper(&engine, "closed", &[]);
    let mountinfo =
        fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("the process lives");
    let host_root = fs::read_to_string("/proc/self/mountinfo").expect("we live");
    let host_device = host_root
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"))
        .and_then(|line| line.split(' ').nth(2))
        .expect("the host has a root");
    for line in mountinfo.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        // /etc/{hosts,hostname,resolv.conf} are files of the engine's, bound one by one.
        assert!(
            fields[2] != host_device || fields[4].starts_with("/etc/"),
            "a directory of the host's disk is mounted inside: {line}"
        );
    }
}

#[test]
fn a_removed_container_leaves_no_mount_and_no_directory() {
    let Some(engine) = engine("a_removed_container_leaves_no_mount_and_no_directory") else {
        return;
    };
    let mounts = || {
        fs::read_to_string("/proc/self/mountinfo")
            .expect("we live")
            .lines()
            .count()
    };
    let before = mounts();
    let id = engine.stdout(&["run", "-d", "busybox", "sleep", "300"]);
    engine.stdout(&["rm", "-f", &id]);
    assert_eq!(mounts(), before, "a mount stays in the host's namespace");
    let mut left = Vec::new();
    find(&engine.data_root(), &id, &mut left);
    assert!(left.is_empty(), "{left:?}");
}

/// The paths below `folder` whose name holds `part`.
fn find(folder: &std::path::Path, part: &str, found: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().contains(part) {
            found.push(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find(&entry.path(), part, found);
        }
    }
}
