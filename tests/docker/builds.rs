//! Builds beyond the classic wire: without a daemon, with the caches and contexts of others, and what they leave.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Case;
use crate::client::Docker;
use crate::projects::{quai, succeeded, write};
use crate::propagation::take_away;

pub(crate) const CASES: &[Case] = &[
    ("an_ordinary_user_builds_without_a_daemon", ordinary_user),
    (
        "root_builds_without_a_daemon_and_twice_the_same",
        reproducible,
    ),
    ("other_contexts_are_named", contexts),
    ("a_build_reaches_no_private_address", private_addresses),
    ("a_command_of_a_build_joins_a_network", network),
    (
        "a_build_takes_the_options_of_the_classic_builder_or_says_why_not",
        classic_options,
    ),
    ("a_client_that_vanishes_ends_its_build", vanished),
    (
        "intermediate_images_are_shown_and_go_with_their_child",
        intermediate,
    ),
];

/// Cases that change what all builds share.
pub(crate) const ALONE: &[Case] = &[("a_cache_travels_in_a_directory", cache_in_a_directory)];

/// The user of the daemonless build: nobody, who has no further ids.
const NOBODY: &str = "65534";

/// An archive of the root file system of `busybox`, for builds that have no engine.
fn rootfs(docker: &Docker, folder: &Path) {
    let tar = folder.join("rootfs.tar").display().to_string();
    let container = docker.ok(&["create", "busybox"]);
    docker.ok(&["export", "-o", &tar, &container]);
    std::fs::set_permissions(&tar, std::fs::Permissions::from_mode(0o644)).unwrap();
    docker.ok(&["rm", &container]);
}

const FROM_NOTHING: &str = "FROM scratch AS base\n\
     ADD rootfs.tar /\n\
     FROM base\n\
     RUN echo built >/built && mkdir -p /deep/er && echo x >/deep/er/x\n\
     COPY page /page\n\
     CMD [\"cat\", \"/built\"]\n";

/// A copy of the program that everybody may execute.
fn program(folder: &Path) -> PathBuf {
    let copy = folder.join("quai");
    tests::executable::copy_to(&copy).unwrap();
    copy
}

/// A folder that everybody can reach, removed with the value.
struct Open(PathBuf);

impl Open {
    fn make(name: &str) -> Self {
        let path = PathBuf::from(format!("/var/tmp/quai-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("data")).unwrap();
        for dir in [&path, &path.join("data")] {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        Self(path)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ordinary_user(docker: &Docker) {
    const NAME: &str = "an_ordinary_user_builds_without_a_daemon";
    let folder = Open::make("daemonless");
    let as_nobody = |words: &[&str]| {
        let ids = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
        let mut command = Command::new("setpriv");
        command.args(ids).args(words).env("HOME", &folder.0);
        command.env_remove("XDG_RUNTIME_DIR").current_dir(&folder.0);
        command
    };
    let unshared = as_nobody(&["unshare", "--user", "--map-root-user", "true"]).status();
    if !unshared.is_ok_and(|status| status.success()) {
        tests::host::report(NAME, "ordinary users get no user namespace here");
        return;
    }
    rootfs(docker, &folder.0);
    let files = [
        ("Dockerfile", FROM_NOTHING),
        ("page", "page\n"),
        (".dockerignore", "data\nquai\n"),
    ];
    write(&folder.0, &files);
    let quai = program(&folder.0).display().to_string();
    let build = [
        quai.as_str(),
        "build",
        "--daemonless",
        "--data-root",
        "data",
        "-t",
        "daemonless:1",
        "--output",
        "type=oci,dest=data/image.tar",
        ".",
    ];
    succeeded(&as_nobody(&build).output().unwrap());
    let second = succeeded(&as_nobody(&build).output().unwrap());
    assert!(second.contains("CACHED"), "{second}");
    let image = folder.0.join("data/image.tar").display().to_string();
    let loaded = docker.ok(&["load", "-i", &image]);
    assert!(loaded.contains("daemonless:1"), "{loaded}");
    let print = ["run", "--rm", "--network", "none", "daemonless:1"];
    assert_eq!(docker.ok(&print), "built");
    let left: Vec<_> = std::fs::read_dir("/tmp")
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&format!("quai-build-{NOBODY}-")))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn reproducible(docker: &Docker) {
    let folder = docker.folder("reproducible");
    rootfs(docker, &folder);
    write(&folder, &[("Dockerfile", FROM_NOTHING), ("page", "page\n")]);
    let digest = |root: &str| {
        let (id, root) = (
            format!("{root}.id"),
            folder.join(root).display().to_string(),
        );
        let build = [
            "build",
            "--daemonless",
            "--data-root",
            &root,
            "--iidfile",
            &id,
            "--build-arg",
            "SOURCE_DATE_EPOCH=1700000000",
            ".",
        ];
        let program = tests::executable::path().unwrap();
        let output = Command::new(program)
            .args(build)
            .current_dir(&folder)
            .output()
            .unwrap();
        succeeded(&output);
        std::fs::read_to_string(folder.join(id)).unwrap()
    };
    let first = digest("one");
    // What is written now has another time than what was written before.
    let before = std::fs::metadata(folder.join("one.id"))
        .unwrap()
        .modified()
        .unwrap();
    loop {
        std::fs::write(folder.join("page"), "page\n").unwrap();
        let now = std::fs::metadata(folder.join("page"))
            .unwrap()
            .modified()
            .unwrap();
        if now
            .duration_since(before)
            .is_ok_and(|passed| passed.as_secs() >= 1)
        {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(first, digest("two"));
}

fn contexts(docker: &Docker) {
    let folder = docker.folder("contexts");
    let dockerfile = "FROM kept\n\
         COPY --from=other /f /f\n\
         RUN --mount=type=bind,from=other,target=/other cat /other/dir/g >/g\n\
         COPY mine /mine\n";
    write(
        &folder,
        &[
            ("main/Dockerfile", dockerfile),
            ("main/mine", "mine\n"),
            ("other/f", "f\n"),
            ("other/dir/g", "g\n"),
        ],
    );
    let tar = folder.join("busybox.tar").display().to_string();
    docker.ok(&["save", "-o", &tar, "busybox"]);
    std::fs::create_dir(folder.join("layout")).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xf", &tar, "-C"])
        .arg(folder.join("layout"))
        .status();
    assert!(unpacked.unwrap().success());
    for kept in ["docker-image://busybox", "oci-layout://layout"] {
        let build = [
            "docker",
            "build",
            "--no-cache",
            "--build-context",
            "other=other",
            "--build-context",
            &format!("kept={kept}"),
            "-t",
            "contexts",
            "main",
        ];
        succeeded(&quai(docker, &folder, &build));
        let print = ["run", "--rm", "--network", "none", "contexts"];
        let print = [&print[..], &["cat", "/f", "/g", "/mine"]].concat();
        assert_eq!(docker.ok(&print), "f\ng\nmine", "{kept}");
    }
}

fn failed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    text
}

fn private_addresses(docker: &Docker) {
    let folder = docker.folder("private");
    for address in [
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/latest",
        "http://localhost:9/x",
        "http://10.1.2.3/x",
        "http://127.0.0.1:9/x.git",
        "https://[::1]/x",
    ] {
        write(
            &folder,
            &[("Dockerfile", &format!("FROM busybox\nADD {address} /x\n"))],
        );
        let complaint = failed(&quai(docker, &folder, &["docker", "build", "."]));
        assert!(
            complaint.contains("private network"),
            "{address}: {complaint}"
        );
    }
    // A context that the engine fetches; the main one is fetched by the client, who can anyway.
    write(
        &folder,
        &[("Dockerfile", "FROM busybox\nCOPY --from=x / /\n")],
    );
    let named = ["--build-context", "x=http://127.0.0.1:9/context.tar"];
    let build = [&["docker", "build"], &named[..], &["."]].concat();
    let complaint = failed(&quai(docker, &folder, &build));
    assert!(complaint.contains("private network"), "{complaint}");
}

fn intermediate(docker: &Docker) {
    let folder = docker.folder("intermediate");
    let dockerfile = "FROM busybox\nENV A=intermediate-1\nENV B=2\nENV C=3\n";
    write(&folder, &[("Dockerfile", dockerfile)]);
    let path = folder.display().to_string();
    let build = || {
        let output = docker
            .command(&["build", "-t", "intermediate", &path])
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .unwrap();
        succeeded(&output)
    };
    build();
    let parent = |image: &str| docker.ok(&["inspect", "--format", "{{.Parent}}", image]);
    let second = parent("intermediate");
    let first = parent(&second);
    let all = docker.ok(&["images", "-a", "-q", "--no-trunc"]);
    let shown = docker.ok(&["images", "-q", "--no-trunc"]);
    for id in [&first, &second] {
        assert!(all.contains(id.as_str()), "{id}: {all}");
        assert!(!shown.contains(id.as_str()), "{id}: {shown}");
    }
    let removed = docker.ok(&["rmi", "intermediate"]);
    for id in [&first, &second] {
        assert!(removed.contains(&format!("Deleted: {id}")), "{removed}");
    }
    assert!(!removed.contains(&parent("busybox")) || parent("busybox").is_empty());
    assert!(
        !build().contains("Using cache"),
        "what was removed is built again"
    );
}

fn network(docker: &Docker) {
    let folder = docker.folder("network");
    let dockerfile = "FROM busybox\nRUN cat /etc/resolv.conf && ls /sys/class/net\n";
    write(&folder, &[("Dockerfile", dockerfile)]);
    docker.ok(&["network", "create", "built-on"]);
    let build = ["docker", "build", "--network", "built-on", "."];
    let told = succeeded(&quai(docker, &folder, &build));
    assert!(
        told.contains("127.0.0.11") && told.contains("eth0"),
        "{told}"
    );
    docker.ok(&["network", "rm", "built-on"]);
}

fn classic_options(docker: &Docker) {
    let folder = docker.folder("classic-options");
    let parent = format!("quai-test-builds-{}", std::process::id());
    let dockerfile = "FROM busybox\nCOPY page /page\nRUN cat /page\n";
    write(
        &folder,
        &[("Dockerfile", dockerfile), ("page", "came packed\n")],
    );
    let build = |more: &[&str]| {
        let words = [&["docker", "build", "--no-cache"], more, &["."]].concat();
        quai(docker, &folder, &words)
    };
    let told = succeeded(&build(&[
        "--compress",
        "--cgroup-parent",
        &parent,
        "--isolation",
        "default",
        "--disable-content-trust",
    ]));
    assert!(told.contains("came packed"), "{told}");
    assert!(take_away(&parent), "the command ran below {parent}");
    for (option, why) in [
        ("--isolation=hyperv", "Unsupported isolation"),
        (
            "--security-opt=seccomp=unconfined",
            "does not support setting security options on build",
        ),
        ("--squash", "experimental features"),
        ("--disable-content-trust=false", "signatures"),
    ] {
        let complaint = failed(&build(&[option]));
        assert!(complaint.contains(why), "{option}: {complaint}");
    }
}

fn vanished(docker: &Docker) {
    let folder = docker.folder("vanished");
    let dockerfile = "FROM busybox\nRUN sleep 1000 # vanished\n";
    write(&folder, &[("Dockerfile", dockerfile)]);
    let runs = || {
        let list = docker.ok(&["ps", "--no-trunc", "--format", "{{.Command}}"]);
        list.contains("# vanished")
    };
    let program = tests::executable::path().unwrap();
    let mut client = Command::new(program);
    for (name, value) in docker.command(&[]).get_envs() {
        if let Some(value) = value {
            client.env(name, value);
        }
    }
    let mut client = client
        .args(["docker", "build", "."])
        .current_dir(&folder)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    docker.wait_until("the command of the build runs", runs);
    client.kill().unwrap();
    client.wait().unwrap();
    docker.wait_until("the command of the build has ended", || !runs());
}

fn cache_in_a_directory(docker: &Docker) {
    let folder = docker.folder("travelling");
    let dockerfile = "FROM busybox AS tools\nRUN echo tool >/tool\n\
         FROM busybox\nCOPY --from=tools /tool /tool\nRUN echo slow >/slow\n";
    write(&folder, &[("Dockerfile", dockerfile)]);
    let build = |more: &[&str]| {
        let words = [&["docker", "build", "-t", "travelling"], more, &["."]].concat();
        succeeded(&quai(docker, &folder, &words))
    };
    build(&["--cache-to", "type=local,dest=cache,mode=max"]);
    assert!(folder.join("cache/index.json").is_file());
    docker.ok(&["rmi", "travelling"]);
    let pruned = quai(docker, &folder, &["docker", "builder", "prune", "-af"]);
    let pruned = succeeded(&pruned);
    assert!(pruned.contains("Total reclaimed space"), "{pruned}");
    let usage = docker.ok(&["system", "df", "--format", "{{.Type}} {{.TotalCount}}"]);
    assert!(usage.contains("Build Cache 0"), "{usage}");
    let second = build(&["--cache-from", "type=local,src=cache"]);
    assert_eq!(second.matches("CACHED").count(), 3, "{second}");
    let print = ["run", "--rm", "--network", "none", "travelling"];
    let print = [&print[..], &["cat", "/tool", "/slow"]].concat();
    assert_eq!(docker.ok(&print), "tool\nslow");
}
