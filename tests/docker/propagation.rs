//! Mounts that are made after a container has begun: which binds hear of them, and where the parent's group is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Case;
use crate::client::Docker;

pub(crate) const CASES: &[Case] = &[
    ("binds_hear_of_later_mounts_as_they_say", hear),
    ("a_bind_is_shared_only_where_its_source_is", refused),
    ("a_container_has_the_parent_group_it_asks_for", parent_group),
];

/// A tmpfs that is shared, as long as the value lives.
struct Shared(PathBuf);

impl Shared {
    fn mount(folder: PathBuf) -> Self {
        mount(&["-t", "tmpfs", "quai-shared", folder.to_str().unwrap()]);
        let shared = Self(folder);
        mount(&["--make-shared", shared.0.to_str().unwrap()]);
        shared
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .args(["-R", "-l"])
            .arg(&self.0)
            .status();
    }
}

#[track_caller]
fn mount(words: &[&str]) {
    let mounted = Command::new("mount").args(words).status().unwrap();
    assert!(mounted.success(), "mount {}", words.join(" "));
}

fn hear(docker: &Docker) {
    let shared = Shared::mount(docker.folder("shared"));
    let source = shared.0.to_str().unwrap().to_owned();
    for folder in ["early", "late"] {
        std::fs::create_dir(shared.0.join(folder)).unwrap();
    }
    let bind = |how: &str| format!("{source}:/x{how}");
    let both = docker.sleeper("hears-both", &["--privileged", "-v", &bind(":rshared")]);
    let slave = docker.sleeper("hears-slave", &["-v", &bind(":rslave")]);
    let private = docker.sleeper("hears-private", &["-v", &bind("")]);
    let late = shared.0.join("late");
    mount(&["-t", "tmpfs", "later", late.to_str().unwrap()]);
    std::fs::write(late.join("file"), "").unwrap();
    let seen = |name: &str, path: &str| docker.ok(&["exec", name, "ls", path]);
    assert_eq!(seen("hears-both", "/x/late"), "file");
    assert_eq!(seen("hears-slave", "/x/late"), "file");
    assert_eq!(seen("hears-private", "/x/late"), "");
    // And the other way round.
    docker.ok(&[
        "exec",
        "hears-both",
        "mount",
        "-t",
        "tmpfs",
        "own",
        "/x/early",
    ]);
    docker.ok(&["exec", "hears-both", "touch", "/x/early/own"]);
    assert!(shared.0.join("early/own").exists());
    assert_eq!(seen("hears-slave", "/x/early"), "own");
    assert_eq!(
        docker.inspect("hears-slave", "{{range .Mounts}}{{.Propagation}}{{end}}"),
        "rslave"
    );
    drop((both, slave, private));
}

fn refused(docker: &Docker) {
    let folder = Shared::mount(docker.folder("not-shared"));
    let source = folder.0.to_str().unwrap().to_owned();
    mount(&["--make-private", &source]);
    for (word, what) in [("shared", "a shared"), ("rslave", "a shared or slave")] {
        let bind = format!("{source}:/x:{word}");
        let words = format!("path {source} is mounted on {source} but it is not {what} mount");
        docker.fails(
            &["run", "--rm", "-v", &bind, "busybox", "true"],
            125,
            &words,
        );
    }
    let long = format!("type=bind,src={source},dst=/x,bind-propagation=nonsense");
    docker.fails(
        &["run", "--rm", "--mount", &long, "busybox", "true"],
        125,
        "invalid propagation",
    );
}

fn parent_group(docker: &Docker) {
    let parent = format!("quai-test-{}", std::process::id());
    let sleeper = docker.sleeper(
        "grouped",
        &["--cgroup-parent", &parent, "--pids-limit", "77"],
    );
    let id = docker.inspect("grouped", "{{.Id}}");
    let pid = docker.inspect("grouped", "{{.State.Pid}}");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let wanted = format!("/{parent}/{id}");
    assert!(
        groups.lines().any(|line| line.ends_with(&wanted)),
        "{groups}"
    );
    docker.ok(&["update", "--pids-limit", "66", "grouped"]);
    let statistics = docker.ok(&["stats", "--no-stream", "--format", "{{.PIDs}}", "grouped"]);
    assert_ne!(statistics, "0");
    docker.ok(&["pause", "grouped"]);
    docker.ok(&["unpause", "grouped"]);
    drop(sleeper);
    let left = |root: &str| Path::new(root).join(&parent).join(&id).exists();
    assert!(!left("/sys/fs/cgroup/pids") && !left("/sys/fs/cgroup"));
    assert!(take_away(&parent), "the parent group stays, as with Docker");
}

/// Removes a parent group; says whether it was there.
pub(crate) fn take_away(parent: &str) -> bool {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let roots = hierarchies
        .map(|root| root.path())
        .chain(["/sys/fs/cgroup".into()]);
    let removed = roots.filter(|root| std::fs::remove_dir(root.join(parent)).is_ok());
    removed.count() > 0
}
