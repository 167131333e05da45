//! The same user's podman, with our runtime below it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Case;
use crate::engine::Rootless;

pub(crate) const CASES: &[Case] = &[(
    "podman_of_the_user_runs_containers_with_our_runtime",
    podman,
)];

fn podman(engine: &mut Rootless) {
    let program = Path::new("/usr/bin/podman");
    if !program.exists() {
        tests::host::report("podman", "podman is not installed (package podman)");
        return;
    }
    let runtime = engine.host.scratch.join("quai-runtime");
    std::fs::hard_link(engine.host.scratch.join("quai"), &runtime).unwrap();
    let podman = |words: &[&str]| -> String {
        let mut command: Command = engine.host.as_user(program);
        command
            .arg("--runtime")
            .arg(&runtime)
            .args([
                "--cgroup-manager",
                "cgroupfs",
                "--storage-driver",
                "overlay",
            ])
            .args(words)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "podman {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let tar = engine.host.scratch.join("box.tar");
    podman(&["import", &tar.display().to_string(), "box"]);
    let run = ["run", "--network", "none", "--pull", "never"];
    assert_eq!(
        podman(&[&run[..], &["--rm", "box", "id", "-u"]].concat()),
        "0"
    );
    podman(&[&run[..], &["-d", "--name", "life", "box", "sleep", "1000"]].concat());
    assert_eq!(podman(&["exec", "life", "echo", "inside"]), "inside");
    podman(&["rm", "-f", "-t", "0", "life"]);
}
