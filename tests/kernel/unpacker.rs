//! The process that unpacks layers: what it can reach, and what an archive that wants too much leaves.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tests::executable;
use tests::scratch::Scratch;

use crate::machine::{ONE, machines};
use crate::status;

#[test]
fn who_unpacks_can_reach_nothing_but_the_tree() {
    tests::skip!("who_unpacks_can_reach_nothing_but_the_tree", unless: Root, InitialUserNamespace);
    let scratch = Scratch::create("unpacker").unwrap();
    let tree = scratch.join("tree");
    fs::create_dir(&tree).unwrap();
    let mut child = executable::command(["unpack"])
        .unwrap()
        .current_dir(&tree)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    // It waits for an archive once it has confined itself.
    for _ in 0..500 {
        if status(pid, "Seccomp") == "2" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(status(pid, "Seccomp"), "2");
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    assert_eq!(status(pid, "CapBnd"), "0000000000000000");
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP.
    assert_eq!(status(pid, "CapEff"), "000000008000001b");
    assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), tree);

    let source = scratch.join("source");
    fs::create_dir_all(source.join("d")).unwrap();
    fs::write(source.join("d/f"), "content").unwrap();
    std::os::unix::fs::chown(source.join("d/f"), Some(12), Some(34)).unwrap();
    let archive = Command::new("tar")
        .arg("-C")
        .arg(&source)
        .args(["-cf", "-", "."])
        .output()
        .unwrap();
    assert!(archive.status.success());
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&archive.stdout)
        .unwrap();
    let answer = child.wait_with_output().unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert_eq!(answer.trim(), r#"{"done":{"size":7}}"#);
    let made = fs::metadata(tree.join("d/f")).unwrap();
    assert_eq!((made.uid(), made.gid(), made.len()), (12, 34, 7));
}

#[test]
fn an_archive_larger_than_the_disk_is_refused_and_leaves_nothing() {
    let test = "an_archive_larger_than_the_disk_is_refused_and_leaves_nothing";
    let Some(mut machines) = machines(test) else {
        return;
    };
    machines.start(ONE, json!({"disk": 100 << 20})).unwrap();
    let free = || -> i64 {
        let ran = machines.run(ONE, "df --output=avail -k / | tail -n 1");
        ran.output.trim().parse().unwrap()
    };
    assert_eq!(machines.run(ONE, "docker images -q").code, 0);
    let before = free();
    let bomb =
        "truncate -s 300M /dev/shm/zeros && tar -C /dev/shm -cf - zeros | docker import - bomb";
    let ran = machines.run(ONE, bomb);
    assert!(
        ran.code != 0 && ran.output.contains("no space left on device"),
        "{}",
        ran.output
    );
    let after = free();
    assert!(
        after > before - 4096,
        "{before} KiB were free, {after} KiB are"
    );
    let ran = machines.run(
        ONE,
        "echo x >/tmp/f && tar -C /tmp -cf - f | docker import - small",
    );
    assert_eq!(ran.code, 0, "{}", ran.output);
}
