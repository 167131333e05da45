//! Builds, and projects of several services: with the real clients where they are there, and with our own compose.

use std::path::Path;
use std::process::{Command, Output};

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("the_classic_wire_builds_and_caches", classic),
    ("our_client_builds_with_secrets_and_caches", mounts),
    (
        "a_base_that_carries_a_comment_is_refused_with_a_reason",
        comment,
    ),
    ("our_compose_runs_five_services", ours),
    ("the_first_compose_runs_five_services", first),
    ("a_project_is_shown_as_it_is_written", as_written),
];

const DOCKERFILE: &str = "FROM busybox AS one\n\
     RUN echo built >/built\n\
     FROM busybox\n\
     COPY --from=one /built /built\n\
     COPY page /page\n\
     ENV COLOUR=blue\n\
     CMD [\"sleep\", \"600\"]\n";

const PROJECT: &str = "services:\n  \
     web:\n    build: ./web\n    depends_on: [api, db]\n  \
     api: {image: busybox, command: sleep 600}\n  \
     cache: {image: busybox, command: sleep 600}\n  \
     db: {image: busybox, command: sleep 600, volumes: [\"data:/data\"]}\n  \
     worker: {image: busybox, command: \"sh -c 'echo working; sleep 600'\", environment: [\"GREETING=${WHO:-you}\"]}\n\
     volumes: {data: {}}\n";

/// Writes files below a folder.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// What a command that succeeded wrote, to both of its outputs.
#[track_caller]
pub(crate) fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        text(&output.stderr)
    );
    text(&output.stdout) + &text(&output.stderr)
}

fn as_written(docker: &Docker) {
    let folder = docker.folder("as-written");
    let file = "services:\n  web:\n    image: busybox:${TAG:-1}\n    networks: [nowhere]\n";
    write(&folder, &[("compose.yaml", file)]);
    let config = |more: &[&str]| {
        let words = [&["compose", "config"], more].concat();
        quai(docker, &folder, &words)
    };
    let refused = config(&[]);
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{complaint}");
    assert!(
        complaint.contains("undefined network nowhere"),
        "{complaint}"
    );
    let taken = succeeded(&config(&["--no-consistency"]));
    assert!(taken.contains("image: busybox:1"), "{taken}");
    let kept = succeeded(&config(&["--no-interpolate"]));
    assert!(kept.contains("busybox:${TAG:-1}"), "{kept}");
    assert!(kept.contains("name: "), "{kept}");
    let both = config(&["--no-interpolate", "--images"]);
    assert!(!both.status.success());
}

/// A program that speaks to the engine, in a folder.
fn program(docker: &Docker, program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let like = docker.command(&[]);
    let mut command = Command::new(program);
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program can be executed")
}

/// Our own program, on the engine.
pub(crate) fn quai(docker: &Docker, folder: &Path, arguments: &[&str]) -> Output {
    let quai = tests::executable::path().unwrap();
    program(docker, &quai, folder, arguments)
}

fn classic(docker: &Docker) {
    let folder = docker.folder("classic");
    write(&folder, &[("Dockerfile", DOCKERFILE), ("page", "one\n")]);
    let build = || {
        let folder = folder.display().to_string();
        let output = docker
            .command(&["build", "-t", "classic", &folder])
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .unwrap();
        succeeded(&output)
    };
    let first = build();
    assert!(first.contains("Step 1/7 : FROM busybox AS one"), "{first}");
    assert!(
        first.contains("Successfully tagged classic:latest"),
        "{first}"
    );
    let print = [
        "run",
        "--rm",
        "--network",
        "none",
        "classic",
        "sh",
        "-c",
        "cat /built /page; echo $COLOUR",
    ];
    assert_eq!(docker.ok(&print), "built\none\nblue");
    let id = docker.ok(&["images", "-q", "--no-trunc", "classic"]);
    let second = build();
    assert_eq!(second.matches("Using cache").count(), 5, "{second}");
    assert_eq!(docker.ok(&["images", "-q", "--no-trunc", "classic"]), id);
    write(&folder, &[("page", "two\n")]);
    build();
    assert_eq!(docker.ok(&print), "built\ntwo\nblue");
}

fn mounts(docker: &Docker) {
    let folder = docker.folder("mounts");
    let dockerfile = "FROM busybox\n\
         RUN --mount=type=secret,id=token grep -q ^hid /run/secrets/token\n\
         RUN --mount=type=cache,target=/kept echo more >>/kept/lines && wc -l </kept/lines >/count\n\
         RUN --network=none test ! -e /run/secrets/token\n\
         COPY <<END /note\nheredoc\nEND\n";
    write(&folder, &[("Dockerfile", dockerfile), ("token", "hidden")]);
    let build = [
        "docker",
        "build",
        "--secret",
        "id=token,src=token",
        "-t",
        "mounted",
        ".",
    ];
    succeeded(&quai(docker, &folder, &build));
    let print = [
        "run",
        "--rm",
        "--network",
        "none",
        "mounted",
        "cat",
        "/count",
        "/note",
    ];
    assert_eq!(docker.ok(&print), "1\nheredoc");
    let fresh = [
        "docker",
        "build",
        "--no-cache",
        "--secret",
        "id=token,src=token",
        "-t",
        "mounted",
        ".",
    ];
    succeeded(&quai(docker, &folder, &fresh));
    assert_eq!(docker.ok(&print), "2\nheredoc");
    assert!(
        !docker
            .ok(&["history", "--no-trunc", "mounted"])
            .contains("hidden")
    );
}

fn comment(docker: &Docker) {
    let folder = docker.folder("comment");
    write(&folder, &[("Dockerfile", "FROM busybox # step 1\n")]);
    let output = quai(docker, &folder, &["docker", "build", "."]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("FROM requires either one or three arguments")
            && complaint.contains('^'),
        "{complaint}"
    );
}

/// The ids of a project's containers, by name.
fn present(docker: &Docker, project: &str) -> Vec<String> {
    let filter = format!("label=com.docker.compose.project={project}");
    let lines = docker.ok(&[
        "ps",
        "-a",
        "--no-trunc",
        "--filter",
        &filter,
        "--format",
        "{{.Names}} {{.ID}}",
    ]);
    let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn nothing_left(docker: &Docker, project: &str) {
    assert_eq!(present(docker, project), Vec::<String>::new());
    let filter = format!("label=com.docker.compose.project={project}");
    for kind in ["network", "volume"] {
        assert_eq!(
            docker.ok(&[kind, "ls", "-q", "--filter", &filter]),
            "",
            "{kind}"
        );
    }
}

fn ours(docker: &Docker) {
    let folder = docker.folder("five");
    write(
        &folder,
        &[
            ("compose.yaml", PROJECT),
            ("web/Dockerfile", DOCKERFILE),
            ("web/page", "page\n"),
        ],
    );
    let compose = |arguments: &[&str]| {
        let mut words = vec!["compose", "-p", "five"];
        words.extend(arguments);
        succeeded(&quai(docker, &folder, &words))
    };
    compose(&["up", "-d"]);
    let before = present(docker, "five");
    assert_eq!(before.len(), 5, "{before:?}");
    assert_eq!(compose(&["exec", "-T", "web", "cat", "/page"]), "page\n");
    assert!(compose(&["logs", "worker"]).contains("worker-1  | working"));
    assert_eq!(
        compose(&["run", "--rm", "-T", "worker", "sh", "-c", "echo $GREETING"]),
        "you\n"
    );

    compose(&["up", "-d"]);
    assert_eq!(
        present(docker, "five"),
        before,
        "nothing changed, nothing is replaced"
    );
    write(&folder, &[(".env", "WHO=all\n")]);
    compose(&["up", "-d", "--scale", "cache=2"]);
    let after = present(docker, "five");
    let kept = before.iter().filter(|line| after.contains(line)).count();
    assert_eq!(
        (after.len(), kept),
        (6, 4),
        "only the worker is new, and a second cache: {after:?}"
    );
    compose(&["down", "-v", "-t", "1"]);
    nothing_left(docker, "five");
}

fn first(docker: &Docker) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("docker-compose"))
        .find(|program| program.exists());
    let Some(found) = found else {
        tests::host::report(
            "the_first_compose_runs_five_services",
            "no docker-compose on the PATH (package docker-compose)",
        );
        return;
    };
    let folder = docker.folder("old");
    write(
        &folder,
        &[
            ("docker-compose.yml", &format!("version: \"3\"\n{PROJECT}")),
            ("web/Dockerfile", DOCKERFILE),
            ("web/page", "page\n"),
        ],
    );
    let compose = |arguments: &[&str]| {
        let mut words = vec!["-p", "old"];
        words.extend(arguments);
        succeeded(&program(docker, &found, &folder, &words))
    };
    compose(&["up", "-d"]);
    assert_eq!(present(docker, "old").len(), 5);
    assert_eq!(compose(&["exec", "-T", "web", "cat", "/page"]), "page\n");
    assert!(compose(&["logs", "worker"]).contains("working"));
    compose(&["down", "-v", "-t", "1"]);
    nothing_left(docker, "old");
}
