//! The files of a container: cp, diff, export, commit, import.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("cp_copies_both_ways", copy),
    ("cp_does_not_leave_the_container", hostile),
    ("diff_tells_what_changed", diff),
    ("commit_keeps_changes_and_configuration", commit),
    ("export_and_import_give_the_same_files", export),
];

fn copy(docker: &Docker) {
    let folder = docker.folder("copy");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(folder.join("in"), "into").unwrap();
    std::fs::create_dir_all(folder.join("tree/below")).unwrap();
    std::fs::write(folder.join("tree/below/leaf"), "deep").unwrap();
    let _guard = docker.guard("copied");
    docker.ok(&[
        "create", "--name", "copied", "-v", "/volume", "busybox", "sleep", "600",
    ]);
    for state in ["created", "running"] {
        docker.ok(&["cp", &path("in"), "copied:/tmp/in"]);
        docker.ok(&["cp", &path("tree"), "copied:/var/"]);
        docker.ok(&["cp", &path("in"), "copied:/volume"]);
        for (inside, outside, text) in [
            ("/tmp/in", "out", "into"),
            ("/var/tree/below/leaf", "leaf", "deep"),
            ("/volume/in", "volume", "into"),
        ] {
            docker.ok(&["cp", &format!("copied:{inside}"), &path(outside)]);
            assert_eq!(
                std::fs::read_to_string(folder.join(outside)).unwrap(),
                text,
                "{state} {inside}"
            );
            std::fs::remove_file(folder.join(outside)).unwrap();
        }
        docker.ok(&["cp", "copied:/var/tree/.", &path("back")]);
        assert!(folder.join("back/below/leaf").exists(), "{state}");
        std::fs::remove_dir_all(folder.join("back")).unwrap();
        docker.ok(&["start", "copied"]);
    }
    let stdout = docker.run(&["cp", "copied:/tmp/in", "-"]).stdout;
    assert!(
        stdout.len() >= 1024 && stdout.starts_with(b"in\0"),
        "it is an archive"
    );
    docker.fails(
        &["cp", "copied:/no/such", &path("x")],
        1,
        "Could not find the file /no/such in container copied",
    );
    docker.fails(
        &["cp", "nobody:/x", &path("x")],
        1,
        "No such container: nobody",
    );
}

fn hostile(docker: &Docker) {
    let folder = docker.folder("hostile");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(folder.join("victim"), "untouched").unwrap();
    std::fs::write(folder.join("evil"), "evil").unwrap();
    let _guard = docker.sleeper("trap", &[]);
    let target = format!(
        "ln -s {} /tmp/link; ln -s /../../../../../etc /tmp/etc",
        folder.display()
    );
    docker.ok(&["exec", "trap", "sh", "-c", &target]);
    docker.run(&["cp", &path("evil"), "trap:/tmp/link/victim"]);
    assert_eq!(
        std::fs::read_to_string(folder.join("victim")).unwrap(),
        "untouched"
    );
    docker.ok(&["cp", "trap:/tmp/etc/passwd", &path("passwd")]);
    let own = docker.ok(&["exec", "trap", "cat", "/etc/passwd"]);
    assert_eq!(
        std::fs::read_to_string(folder.join("passwd"))
            .unwrap()
            .trim(),
        own
    );
}

fn diff(docker: &Docker) {
    let _guard = docker.guard("changed");
    docker.ok(&[
        "run",
        "--name",
        "changed",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo x >/new; echo y >>/etc/group; rm /bin/yes; mkdir /d",
    ]);
    let diff = docker.ok(&["diff", "changed"]);
    let mut lines: Vec<_> = diff.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "A /d",
            "A /new",
            "C /bin",
            "C /etc",
            "C /etc/group",
            "D /bin/yes"
        ]
    );
}

fn commit(docker: &Docker) {
    let _guard = docker.guard("committed");
    docker.ok(&[
        "run",
        "--name",
        "committed",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo kept >/kept",
    ]);
    let change = "CMD [\"cat\", \"/kept\"]";
    let id = docker.ok(&[
        "commit",
        "-m",
        "words",
        "-a",
        "Author",
        "-c",
        change,
        "-c",
        "ENV ADDED=1",
        "committed",
        "made:1",
    ]);
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(
        docker.ok(&["run", "--rm", "--network", "none", "made:1"]),
        "kept"
    );
    assert_eq!(
        docker.inspect("made:1", "{{.Author}} {{.Comment}}"),
        "Author words"
    );
    docker.ok(&["rmi", "made:1"]);
}

fn export(docker: &Docker) {
    let tar = docker
        .folder("export")
        .join("all.tar")
        .display()
        .to_string();
    let _guard = docker.guard("exported");
    docker.ok(&["create", "--name", "exported", "busybox"]);
    docker.ok(&["export", "-o", &tar, "exported"]);
    docker.ok(&[
        "import",
        "-c",
        "ENTRYPOINT [\"/bin/echo\"]",
        "-m",
        "back",
        &tar,
        "imported:1",
    ]);
    assert_eq!(
        docker.ok(&["run", "--rm", "--network", "none", "imported:1", "hello"]),
        "hello"
    );
    docker.ok(&["rmi", "imported:1"]);
}
