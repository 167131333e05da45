//! `docker run` and what its options change in the container.

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("run_passes_output_and_exit_code", exit_codes),
    (
        "run_gives_environment_directory_user_and_name",
        surroundings,
    ),
    ("run_chooses_the_program", program),
    ("run_names_hosts_and_servers", names),
    ("run_mounts_what_is_asked", mounts),
    ("run_sets_stop_labels_and_files", labels),
    ("run_has_an_init_that_reaps", init),
    ("run_refuses_what_makes_no_sense", refusals),
    ("run_publishes_ports", ports),
    ("run_reads_standard_input", input),
];

fn exit_codes(docker: &Docker) {
    let output = docker.run(&[
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
    docker.fails(
        &["run", "--rm", "busybox", "nosuch"],
        127,
        "executable file not found in $PATH",
    );
    docker.fails(
        &["run", "--rm", "busybox", "/etc/passwd"],
        126,
        "permission denied",
    );
    docker.fails(&["run", "--rm", "nosuch:image"], 125, "nosuch");
    docker.fails(
        &["run", "--rm", "-u", "nobody-here", "busybox", "true"],
        125,
        "unable to find user nobody-here",
    );
    docker.fails(&["run", "--nosuch"], 125, "unknown flag: --nosuch");
}

fn surroundings(docker: &Docker) {
    let file = docker.folder("env").join("list");
    std::fs::write(&file, "# a comment\nFROM_FILE=1\nPATH\n").unwrap();
    let file = file.display().to_string();
    let env = docker.prints(
        &["-e", "A=b c", "--env-file", &file, "--hostname", "own"],
        &["env"],
    );
    for line in ["A=b c", "FROM_FILE=1", "HOSTNAME=own", "HOME=/root"] {
        assert!(
            env.lines().any(|found| found == line),
            "{line} is not in {env}"
        );
    }
    assert_eq!(docker.prints(&["-w", "/made/here"], &["pwd"]), "/made/here");
    assert_eq!(docker.prints(&["--hostname", "own"], &["hostname"]), "own");
    assert_eq!(docker.prints(&["-u", "user"], &["id", "-u"]), "1000");
    assert_eq!(
        docker.prints(&["-u", "1234:29"], &["sh", "-c", "id -u; id -g"]),
        "1234\n29"
    );
    assert_eq!(
        docker.prints(&["--group-add", "audio", "-u", "user"], &["id", "-G"]),
        "1000 29"
    );
    let tty = docker.prints(&["-t"], &["tty"]);
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
}

fn program(docker: &Docker) {
    assert_eq!(docker.prints(&["--entrypoint", "echo"], &["a", "b"]), "a b");
    docker.fails(
        &["run", "--rm", "--entrypoint", "", "busybox"],
        125,
        "no command specified",
    );
    assert_eq!(
        docker.prints(
            &["--platform", "linux/amd64", "--pull", "never"],
            &["uname", "-s"]
        ),
        "Linux"
    );
    docker.fails(
        &["run", "--rm", "--pull", "never", "nosuch:image"],
        125,
        "No such image: nosuch:image",
    );
    docker.fails(
        &[
            "run",
            "--rm",
            "--platform",
            "linux/s390x",
            "--pull",
            "never",
            "busybox",
        ],
        125,
        "was found but does not match the specified platform: wanted linux/s390x",
    );
}

fn names(docker: &Docker) {
    let options = [
        "--add-host",
        "db:10.1.2.3",
        "--dns",
        "10.9.8.7",
        "--dns-search",
        "example.org",
        "--dns-option",
        "ndots:2",
    ];
    let text = docker.prints(&options, &["cat", "/etc/hosts", "/etc/resolv.conf"]);
    for line in [
        "10.1.2.3\tdb",
        "nameserver 10.9.8.7",
        "search example.org",
        "options ndots:2",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in {text}"
        );
    }
}

fn mounts(docker: &Docker) {
    let folder = docker.folder("bound");
    std::fs::write(folder.join("file"), "from the host").unwrap();
    let bind = format!("{}:/in", folder.display());
    assert_eq!(
        docker.prints(&["-v", &bind], &["cat", "/in/file"]),
        "from the host"
    );
    let mount = format!("type=bind,source={},target=/in,readonly", folder.display());
    let script = "touch /in/x 2>/dev/null || echo refused";
    assert_eq!(
        docker.prints(&["--mount", &mount], &["sh", "-c", script]),
        "refused"
    );
    assert_eq!(
        docker.prints(&["-v", &format!("{bind}:ro")], &["sh", "-c", script]),
        "refused"
    );
    let size = docker.prints(
        &["--tmpfs", "/t:size=1m"],
        &["sh", "-c", "df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2"],
    );
    assert_eq!(size, "1024");
    let tmpfs = "type=tmpfs,target=/t,tmpfs-size=2097152,tmpfs-mode=0700";
    let script = "stat -c %a /t; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2";
    assert_eq!(
        docker.prints(&["--mount", tmpfs], &["sh", "-c", script]),
        "700\n2048"
    );
    let size = docker.prints(
        &["--shm-size", "8m"],
        &[
            "sh",
            "-c",
            "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2",
        ],
    );
    assert_eq!(size, "8192");
    assert_eq!(
        docker.prints(
            &["--read-only"],
            &["sh", "-c", "touch /x 2>/dev/null || echo refused"]
        ),
        "refused"
    );
    docker.fails(
        &[
            "run",
            "--rm",
            "--mount",
            "type=bind,source=/no/such/path,target=/x",
            "busybox",
        ],
        125,
        "invalid mount config for type \"bind\": bind source path does not exist: /no/such/path",
    );
    docker.fails(
        &["run", "--rm", "-v", "/a:/b", "-v", "/c:/b", "busybox"],
        125,
        "Duplicate mount point: /b",
    );
}

fn labels(docker: &Docker) {
    let id = docker.folder("cid").join("id");
    let path = id.display().to_string();
    let _guard = docker.guard("labels");
    docker.ok(&[
        "create",
        "--name",
        "labels",
        "--cidfile",
        &path,
        "-l",
        "a=b",
        "--label",
        "c",
        "--stop-signal",
        "USR1",
        "--stop-timeout",
        "3",
        "busybox",
    ]);
    let cid = std::fs::read_to_string(&id).unwrap();
    assert_eq!(docker.inspect("labels", "{{.Id}}"), cid);
    assert_eq!(
        docker.inspect("labels", "{{json .Config.Labels}}"),
        r#"{"a":"b","c":""}"#
    );
    assert_eq!(
        docker.inspect("labels", "{{.Config.StopSignal}} {{.Config.StopTimeout}}"),
        "USR1 3"
    );
    docker.fails(
        &["create", "--stop-signal", "NOPE", "busybox"],
        1,
        "invalid signal: NOPE",
    );
}

fn init(docker: &Docker) {
    let script = "cat /proc/1/comm; (sleep 0.05 & exec true); sleep 0.4; ps | grep -c '[Zz]ombie\\|\\[sleep\\]' || true";
    let text = docker.prints(&["--init"], &["sh", "-c", script]);
    assert!(!text.starts_with("sh"), "{text}");
    assert!(text.ends_with('0'), "{text}");
}

fn refusals(docker: &Docker) {
    let cases: [(&[&str], &str); 12] = [
        (
            &["-w", "relative"],
            "the working directory 'relative' is invalid, it needs to be an absolute path",
        ),
        (&["--ipc", "nonsense"], "invalid IPC mode: nonsense"),
        (
            &["--cap-add", "NONSENSE"],
            "invalid CapAdd: unknown capability: \"CAP_NONSENSE\"",
        ),
        (
            &["--security-opt", "nonsense=x"],
            "invalid --security-opt 2: \"nonsense=x\"",
        ),
        (
            &["--rm", "--restart", "always"],
            "onflicting options: cannot specify both --restart and --rm",
        ),
        (
            &["--restart", "nonsense"],
            "invalid restart policy: unknown policy 'nonsense'",
        ),
        (
            &["--runtime", "nonsense"],
            "unknown or invalid runtime name: nonsense",
        ),
        (
            &["--network", "container:nobody", "--hostname", "x"],
            "conflicting options: hostname and the network mode",
        ),
        (
            &["--network", "container:nobody", "-p", "80"],
            "conflicting options: port publishing and the container type network mode",
        ),
        (
            &["--storage-opt", "size=1g"],
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
        ),
        (
            &["--gpus", "all"],
            "could not select device driver \"\" with capabilities: [[gpu]]",
        ),
        (
            &["--name", "a/b"],
            "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
    ];
    for (options, words) in cases {
        let mut arguments = vec!["run"];
        if !options.contains(&"--rm") && !options.contains(&"--restart") {
            arguments.push("--rm");
        }
        arguments.extend(options);
        arguments.extend(["busybox", "true"]);
        docker.fails(&arguments, 125, words);
    }
}

fn ports(docker: &Docker) {
    let _guard = docker.guard("ports");
    docker.ok(&[
        "run", "-d", "--name", "ports", "-p", "18080:80", "-p", "90/udp", "--expose", "70",
        "busybox", "sleep", "600",
    ]);
    let port = docker.ok(&["port", "ports", "80"]);
    assert!(port.lines().any(|line| line == "0.0.0.0:18080"), "{port}");
    assert!(
        docker
            .ok(&["port", "ports", "90/udp"])
            .starts_with("0.0.0.0:")
    );
    assert_eq!(
        docker.inspect(
            "ports",
            "{{json (index .NetworkSettings.Ports \"70/tcp\")}}"
        ),
        "null"
    );
    docker.fails(&["port", "ports", "71"], 1, "No public port '71");
    docker.fails(
        &["run", "--rm", "-p", "18080:81", "busybox", "true"],
        125,
        "Bind for 0.0.0.0:18080 failed: port is already allocated",
    );
}

fn input(docker: &Docker) {
    let output = docker.run_with(
        &["run", "-i", "--rm", "--network", "none", "busybox", "cat"],
        b"through a pipe",
    );
    assert_eq!(output.stdout, b"through a pipe");
    let big = vec![b'x'; 3 << 20];
    let output = docker.run_with(
        &[
            "run",
            "-i",
            "--rm",
            "--network",
            "none",
            "busybox",
            "wc",
            "-c",
        ],
        &big,
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        (3 << 20).to_string()
    );
}
