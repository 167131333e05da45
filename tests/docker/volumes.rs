//! Volumes.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("volumes_are_made_listed_and_removed", life),
    ("volumes_begin_with_the_images_files", seeded),
    ("volumes_come_from_other_containers", from_others),
    ("volumes_of_the_local_driver_have_options", options),
];

fn life(docker: &Docker) {
    assert_eq!(
        docker.ok(&["volume", "create", "--label", "v=1", "kept"]),
        "kept"
    );
    assert_eq!(
        docker.ok(&["volume", "create", "kept"]),
        "kept",
        "one that is there is no error"
    );
    docker.prints(
        &["-v", "kept:/data"],
        &["sh", "-c", "echo lasting >/data/file"],
    );
    assert_eq!(
        docker.prints(&["-v", "kept:/data:ro"], &["cat", "/data/file"]),
        "lasting"
    );
    assert_eq!(
        docker.ok(&["volume", "ls", "-q", "--filter", "label=v=1"]),
        "kept"
    );
    let format = "{{.Driver}} {{.Scope}} {{json .Labels}}";
    assert_eq!(
        docker.ok(&["volume", "inspect", "-f", format, "kept"]),
        "local local {\"v\":\"1\"}"
    );
    let path = docker.ok(&["volume", "inspect", "-f", "{{.Mountpoint}}", "kept"]);
    assert_eq!(
        std::fs::read_to_string(format!("{path}/file")).unwrap(),
        "lasting\n"
    );
    let guard = docker.guard("user");
    docker.ok(&["create", "--name", "user", "-v", "kept:/data", "busybox"]);
    docker.fails(
        &["volume", "rm", "kept"],
        1,
        "remove kept: volume is in use - [",
    );
    drop(guard);
    assert_eq!(docker.ok(&["volume", "rm", "kept"]), "kept");
    docker.fails(
        &["volume", "inspect", "kept"],
        1,
        "get kept: no such volume",
    );
    docker.fails(&["volume", "rm", "kept"], 1, "get kept: no such volume");
    docker.ok(&["volume", "rm", "-f", "kept"]);
    docker.fails(
        &["volume", "create", "a/b"],
        1,
        "includes invalid characters for a local volume name",
    );
    docker.fails(
        &["volume", "create", "-d", "nonsense", "kept"],
        1,
        "error looking up volume plugin nonsense: plugin \"nonsense\" not found",
    );
}

fn seeded(docker: &Docker) {
    let text = docker.prints(&["-v", "seeded:/etc"], &["cat", "/etc/passwd"]);
    assert!(text.contains("user:x:1000"), "{text}");
    docker.ok(&["volume", "rm", "seeded"]);
    docker.ok(&["volume", "create", "bare"]);
    let mount = "type=volume,source=bare,target=/etc,volume-nocopy";
    assert_eq!(
        docker
            .prints(&["--mount", mount], &["ls", "-A", "/etc"])
            .lines()
            .filter(|l| *l == "passwd")
            .count(),
        0
    );
    docker.ok(&["volume", "rm", "bare"]);
}

fn from_others(docker: &Docker) {
    let _guard = docker.guard("data-only");
    docker.ok(&["create", "--name", "data-only", "-v", "/shared", "busybox"]);
    docker.prints(&["--volumes-from", "data-only"], &["touch", "/shared/mark"]);
    assert_eq!(
        docker.prints(
            &["--volumes-from", "data-only:ro"],
            &[
                "sh",
                "-c",
                "ls /shared; touch /shared/x 2>/dev/null || echo refused"
            ]
        ),
        "mark\nrefused"
    );
    docker.fails(
        &["run", "--rm", "--volumes-from", "nobody", "busybox"],
        125,
        "No such container: nobody",
    );
}

fn options(docker: &Docker) {
    let folder = docker.folder("optioned");
    std::fs::write(folder.join("file"), "bound").unwrap();
    let device = format!("device={}", folder.display());
    docker.ok(&[
        "volume",
        "create",
        "-o",
        "type=none",
        "-o",
        "o=bind",
        "-o",
        &device,
        "optioned",
    ]);
    assert_eq!(
        docker.prints(&["-v", "optioned:/x"], &["cat", "/x/file"]),
        "bound"
    );
    docker.ok(&["volume", "rm", "optioned"]);
    assert!(
        folder.join("file").exists(),
        "what is bound is not the volume's"
    );
    docker.ok(&[
        "volume",
        "create",
        "-o",
        "type=tmpfs",
        "-o",
        "device=tmpfs",
        "-o",
        "o=size=1m",
        "memory",
    ]);
    let size = docker.prints(
        &["-v", "memory:/x"],
        &["sh", "-c", "df -k /x | tail -1 | tr -s ' ' | cut -d' ' -f2"],
    );
    assert_eq!(size, "1024");
    docker.ok(&["volume", "rm", "memory"]);
    docker.fails(
        &["volume", "create", "-o", "nonsense=1", "wrong"],
        1,
        "create wrong: invalid option: \"nonsense\"",
    );
    docker.fails(
        &["volume", "create", "-o", "type=tmpfs", "wrong"],
        1,
        "create wrong: missing required option: \"device\"",
    );
}
