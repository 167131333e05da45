//! What a container may do, and what options add or take.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("capabilities_are_added_and_dropped", capabilities),
    ("system_calls_are_filtered", seccomp),
    ("privileges_are_not_gained", no_new_privileges),
    ("namespaces_are_shared_when_asked", namespaces),
    ("devices_are_given", devices),
    ("kernel_paths_are_masked", masked),
];

/// The usual fourteen.
const USUAL: u64 = 0xa80_425fb;

fn effective(docker: &Docker, options: &[&str]) -> u64 {
    let line = docker.prints(options, &["grep", "CapEff", "/proc/self/status"]);
    u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
}

fn capabilities(docker: &Docker) {
    let usual = effective(docker, &[]);
    assert_eq!(usual & !USUAL, 0, "{usual:x}");
    assert_eq!(effective(docker, &["--cap-drop", "ALL"]), 0);
    assert_eq!(
        effective(docker, &["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"]),
        1 << 12
    );
    assert_eq!(effective(docker, &["--cap-drop", "CHOWN"]), usual & !1);
    assert_eq!(effective(docker, &["-u", "user"]), 0);
    assert_ne!(effective(docker, &["--privileged"]) & !USUAL, 0);
}

fn seccomp(docker: &Docker) {
    let mode =
        |options: &[&str]| docker.prints(options, &["grep", "Seccomp:", "/proc/self/status"]);
    assert!(mode(&[]).ends_with('2'));
    assert!(mode(&["--security-opt", "seccomp=unconfined"]).ends_with('0'));
    let profile = docker.folder("seccomp").join("profile.json");
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#;
    std::fs::write(&profile, json).unwrap();
    let option = format!("seccomp={}", profile.display());
    let text = docker.prints(
        &["--security-opt", &option],
        &["sh", "-c", "mkdir /x 2>&1 || true"],
    );
    assert!(text.contains("Operation not permitted"), "{text}");
}

fn no_new_privileges(docker: &Docker) {
    let line =
        |options: &[&str]| docker.prints(options, &["grep", "NoNewPrivs", "/proc/self/status"]);
    assert!(line(&[]).ends_with('0'));
    assert!(line(&["--security-opt", "no-new-privileges"]).ends_with('1'));
}

fn namespaces(docker: &Docker) {
    let _other = docker.sleeper("shared", &["--ipc", "shareable", "--hostname", "shared"]);
    let link = |name: &str, options: &[&str]| {
        docker.prints(
            options,
            &["stat", "-L", "-c", "%i", &format!("/proc/self/ns/{name}")],
        )
    };
    let of = |name: &str| {
        docker.ok(&[
            "exec",
            "shared",
            "stat",
            "-L",
            "-c",
            "%i",
            &format!("/proc/self/ns/{name}"),
        ])
    };
    assert_eq!(link("pid", &["--pid", "container:shared"]), of("pid"));
    assert_eq!(link("ipc", &["--ipc", "container:shared"]), of("ipc"));
    let net = docker.ok(&[
        "run",
        "--rm",
        "--network",
        "container:shared",
        "busybox",
        "stat",
        "-L",
        "-c",
        "%i",
        "/proc/self/ns/net",
    ]);
    assert_eq!(net, of("net"));
    assert_ne!(link("uts", &["--uts", "host"]), of("uts"));
    let host = std::fs::read_link("/proc/self/ns/uts")
        .unwrap()
        .display()
        .to_string();
    assert!(host.contains(&link("uts", &["--uts", "host"])), "{host}");
    assert_ne!(
        link("cgroup", &["--cgroupns", "private"]),
        link("cgroup", &["--cgroupns", "host"])
    );
    docker.fails(
        &["run", "--rm", "--pid", "container:nobody", "busybox"],
        125,
        "No such container: nobody",
    );
}

fn devices(docker: &Docker) {
    let text = docker.prints(
        &["--device", "/dev/null:/dev/own:rw"],
        &["sh", "-c", "echo x >/dev/own && stat -c %F /dev/own"],
    );
    assert_eq!(text, "character special file");
    docker.fails(
        &["run", "--rm", "--device", "/dev/no-such", "busybox", "true"],
        127,
        "/dev/no-such",
    );
    let made = docker.prints(
        &["--device-cgroup-rule", "c 1:11 rwm"],
        &["sh", "-c", "mknod /k c 1 11 && echo made"],
    );
    assert_eq!(made, "made");
}

fn masked(docker: &Docker) {
    assert_eq!(
        docker.prints(
            &[],
            &[
                "sh",
                "-c",
                "cat /proc/kcore | wc -c; ls /proc/acpi 2>/dev/null | wc -l"
            ]
        ),
        "0\n0"
    );
    let text = docker.prints(
        &[],
        &[
            "sh",
            "-c",
            "echo 1 >/proc/sys/kernel/panic || true; echo h >/proc/sysrq-trigger || true",
        ],
    );
    assert_eq!(text, "");
}
