//! A container of an ordinary user.

use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Test;
use crate::place::{Done, Place};

pub(crate) const TESTS: [Test; 1] = [("an_ordinary_user_runs_a_container", ordinary)];

const USER: u32 = 64_321;

fn ordinary() -> Result<(), String> {
    let place = Place::new("rootless");
    // Not below a directory that only root may enter.
    let program = place.path("quai-runtime");
    std::fs::remove_file(&program).unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for name in ["", "bundle", "bundle/rootfs"] {
        chown(place.path(name), Some(USER), Some(USER)).unwrap();
    }
    let run = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        let number = USER.to_string();
        command.args(["--reuid", &number, "--regid", &number, "--clear-groups"]);
        command
            .arg(&program)
            .arg("--root")
            .arg(place.path("state"))
            .args(words);
        command
            .current_dir(place.path("bundle"))
            .stdin(Stdio::null());
        command.env("PATH", "/usr/bin:/bin").output()
    };
    let Ok(output) = run(&["spec", "--rootless"]) else {
        return Err("it needs setpriv (package util-linux)".to_owned());
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = place.path("bundle/config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["process"]["terminal"] = false.into();
    let line =
        "id -u; cat /proc/self/uid_map | tr -s ' '; echo $$; echo x > /dev/null && echo null";
    config["process"]["args"] = serde_json::json!(["sh", "-c", line]);
    std::fs::write(&file, config.to_string()).unwrap();
    let done = Done::from(run(&["run", &place.id]).unwrap());
    if done.err.contains("cannot make a user namespace") {
        return Err("an ordinary user may not make user namespaces here".to_owned());
    }
    assert_eq!(
        done.out,
        format!("0\n 0 {USER} 1\n1\nnull\n"),
        "{}",
        done.err
    );
    assert_eq!(done.code, 0);
    Ok(())
}
