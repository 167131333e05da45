//! Other engines with this runtime: podman, containerd and dockerd run containers with it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Test;
use crate::place::{Done, Place, wait_until};

pub(crate) const TESTS: [Test; 3] = [
    ("podman_runs_containers_with_it", podman),
    ("containerd_runs_containers_with_it", containerd),
    ("dockerd_runs_containers_with_it", dockerd),
];

fn need(programs: &[&str]) -> Result<(), String> {
    let there = |name: &&str| {
        ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"]
            .iter()
            .any(|folder| Path::new(folder).join(name).exists())
    };
    match programs.iter().find(|name| !there(name)) {
        Some(missing) => Err(format!("it needs the program {missing}")),
        None => Ok(()),
    }
}

/// A daemon of ours, ended with the test.
struct Daemon(Child);

impl Daemon {
    /// In mount and network namespaces of its own: it leaves nothing in ours.
    fn start(place: &Place, line: &str) -> Self {
        let log = std::fs::File::create(place.path("daemon.log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["-m", "-n", "sh", "-c"]);
        command.arg(format!("ip link set lo up; exec {line}"));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).unwrap();
        let _ = kernel::process::kill(pid, kernel::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn log(place: &Place) -> String {
    std::fs::read_to_string(place.path("daemon.log")).unwrap_or_default()
}

/// The root file system as one archive.
fn archive(place: &Place) -> std::path::PathBuf {
    let tar = place.path("rootfs.tar");
    let status = Command::new("tar")
        .arg("-C")
        .arg(place.path("bundle/rootfs"))
        .arg("-cf")
        .arg(&tar)
        .arg(".")
        .status();
    assert!(status.unwrap().success());
    tar
}

fn podman() -> Result<(), String> {
    need(&["podman", "conmon", "tar"])?;
    let place = Place::new("podman");
    let podman = |words: &[&str]| {
        let mut command = Command::new("podman");
        command.arg("--root").arg(place.path("podman"));
        command.arg("--runroot").arg(place.path("podman-run"));
        command.arg("--tmpdir").arg(place.path("podman-tmp"));
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        command.args(["--events-backend", "file"]);
        command.arg("--runtime").arg(place.path("quai-runtime"));
        Done::from(command.args(words).stdin(Stdio::null()).output().unwrap())
    };
    let tar = archive(&place);
    let imported = podman(&["import", tar.to_str().unwrap(), "quai-test:1"]);
    if imported.code != 0 {
        return Err(format!(
            "podman cannot import an image here: {}",
            imported.err
        ));
    }
    // Raising limits needs a right that this root may lack.
    let usual = [
        "run",
        "--rm",
        "--network",
        "none",
        "--ulimit",
        "nofile=1024:1024",
        "--ulimit",
        "nproc=1000:1000",
    ];
    let run = |more: &[&str]| podman(&[&usual[..], more].concat());
    let done = run(&["quai-test:1", "sh", "-c", "echo hello; id -u; exit 5"]);
    assert_eq!(
        (done.out.as_str(), done.code),
        ("hello\n0\n", 5),
        "{}",
        done.err
    );
    let done = run(&[
        "--user",
        "7:8",
        "-e",
        "A=b",
        "-w",
        "/tmp",
        "--read-only",
        "quai-test:1",
        "sh",
        "-c",
        "id -u; id -g; echo $A; pwd; echo > /x || echo ro",
    ]);
    assert_eq!(done.out, "7\n8\nb\n/tmp\nro\n", "{}", done.err);
    let done = run(&["quai-test:1", "no-such"]);
    assert_eq!(done.code, 127, "{}", done.err);
    let name = place.id.as_str();
    let words = [
        "-d",
        "--name",
        name,
        "--stop-timeout",
        "1",
        "quai-test:1",
        "sleep",
        "600",
    ];
    let done = run(&words);
    assert_eq!(done.code, 0, "{}", done.err);
    let done = podman(&["exec", name, "sh", "-c", "cat /proc/1/comm; exit 3"]);
    assert_eq!(
        (done.out.as_str(), done.code),
        ("sleep\n", 3),
        "{}",
        done.err
    );
    assert_eq!(podman(&["pause", name]).code, 0);
    assert_eq!(podman(&["unpause", name]).code, 0);
    let done = podman(&["rm", "-f", "-t", "0", name]);
    assert_eq!(done.code, 0, "{}", done.err);
    let _ = Command::new("umount")
        .arg("-l")
        .arg(place.path("podman/vfs"))
        .output();
    Ok(())
}

fn containerd() -> Result<(), String> {
    need(&[
        "containerd",
        "ctr",
        "containerd-shim-runc-v2",
        "unshare",
        "ip",
    ])?;
    let place = Place::new("containerd");
    let socket = place.path("c.sock");
    let config = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
         [grpc]\n  address = {socket:?}\n",
        place.path("c-root"),
        place.path("c-state"),
    );
    std::fs::write(place.path("c.toml"), config).unwrap();
    let daemon = Daemon::start(
        &place,
        &format!("containerd --config {}", place.path("c.toml").display()),
    );
    let ctr = |words: &[&str]| {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(&socket).args(words);
        Done::from(command.stdin(Stdio::null()).output().unwrap())
    };
    wait_until(|| ctr(&["version"]).code == 0, &|| log(&place));
    let binary = place.path("quai-runtime");
    let rootfs = place.path("bundle/rootfs");
    let (binary, rootfs) = (binary.to_str().unwrap(), rootfs.to_str().unwrap());
    let usual = ["run", "--rm", "--runc-binary", binary, "--rootfs"];
    let run = |more: &[&str]| ctr(&[&usual[..], more].concat());
    let done = run(&[rootfs, "first", "/bin/sh", "-c", "echo hello; exit 5"]);
    assert_eq!(
        (done.out.as_str(), done.code),
        ("hello\n", 5),
        "{} {}",
        done.err,
        log(&place)
    );
    let done = run(&[
        "--memory-limit",
        "33554432",
        rootfs,
        "second",
        "/bin/sh",
        "-c",
        "cat /proc/self/cgroup | grep -c second",
    ]);
    assert_eq!(done.code, 0, "{}", done.err);
    let done = ctr(&[
        "run",
        "-d",
        "--runc-binary",
        binary,
        "--rootfs",
        rootfs,
        "third",
        "/bin/sleep",
        "600",
    ]);
    assert_eq!(done.code, 0, "{}", done.err);
    let done = ctr(&[
        "task",
        "exec",
        "--exec-id",
        "e",
        "third",
        "/bin/cat",
        "/proc/1/comm",
    ]);
    assert_eq!(done.out, "sleep\n", "{}", done.err);
    for words in [
        &["task", "pause", "third"][..],
        &["task", "resume", "third"],
        &["task", "ps", "third"],
        &["task", "metrics", "third"],
        &["task", "kill", "-s", "9", "third"],
    ] {
        let done = ctr(words);
        assert_eq!(done.code, 0, "{words:?}: {}", done.err);
    }
    wait_until(
        || {
            ctr(&["task", "rm", "-f", "third"]).err.is_empty()
                || !ctr(&["task", "ls"]).out.contains("third")
        },
        &|| log(&place),
    );
    let _ = ctr(&["container", "rm", "third"]);
    drop(daemon);
    Ok(())
}

fn dockerd() -> Result<(), String> {
    need(&["dockerd", "docker", "containerd", "unshare", "ip", "tar"])?;
    let place = Place::new("dockerd");
    let socket = format!("unix://{}", place.path("d.sock").display());
    let daemon = Daemon::start(
        &place,
        &format!(
            "dockerd --host {socket} --data-root {root} --exec-root {exec} --pidfile {pid} \
             --storage-driver vfs --bridge none --iptables=false --ip6tables=false \
             --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /quai-test-dockerd \
             --add-runtime quai={runtime}",
            root = place.path("d-root").display(),
            exec = place.path("d-exec").display(),
            pid = place.path("d.pid").display(),
            runtime = place.path("quai-runtime").display(),
        ),
    );
    let docker = |words: &[&str]| {
        let mut command = Command::new("docker");
        command
            .arg("--host")
            .arg(&socket)
            .args(words)
            .stdin(Stdio::null());
        Done::from(command.output().unwrap())
    };
    wait_until(|| docker(&["version"]).code == 0, &|| log(&place));
    let tar = archive(&place);
    let done = docker(&["import", tar.to_str().unwrap(), "quai-test:1"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let usual = ["run", "--rm", "--runtime", "quai", "--network", "none"];
    let run = |more: &[&str]| docker(&[&usual[..], more].concat());
    let done = run(&["quai-test:1", "sh", "-c", "echo hello; exit 5"]);
    assert_eq!(
        (done.out.as_str(), done.code),
        ("hello\n", 5),
        "{} {}",
        done.err,
        log(&place)
    );
    let done = run(&[
        "-m",
        "32m",
        "--pids-limit",
        "50",
        "--cpus",
        "0.5",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--tmpfs",
        "/t:size=1m",
        "--ulimit",
        "nofile=99:99",
        "quai-test:1",
        "sh",
        "-c",
        "ulimit -n; grep CapEff /proc/self/status; echo > /t/x && echo t",
    ]);
    assert_eq!(
        done.out, "99\nCapEff:\t0000000000000000\nt\n",
        "{}",
        done.err
    );
    assert_eq!(run(&["quai-test:1", "no-such"]).code, 127);
    let name = place.id.as_str();
    let words = [
        "run",
        "-d",
        "--runtime",
        "quai",
        "--network",
        "none",
        "--name",
        name,
        "quai-test:1",
        "sleep",
        "600",
    ];
    let done = docker(&words);
    assert_eq!(done.code, 0, "{}", done.err);
    let done = docker(&["exec", name, "sh", "-c", "cat /proc/1/comm; exit 3"]);
    assert_eq!(
        (done.out.as_str(), done.code),
        ("sleep\n", 3),
        "{}",
        done.err
    );
    for words in [
        &["pause", name][..],
        &["unpause", name],
        &["update", "--pids-limit", "60", name],
        &["top", name],
        &["stats", "--no-stream", name],
        &["rm", "-f", name],
    ] {
        let done = docker(words);
        assert_eq!(done.code, 0, "{words:?}: {}", done.err);
    }
    drop(daemon);
    Ok(())
}
