//! What the kernel tells of an engine's containers, whatever the engine says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::engine_process::Engine;

/// Processes whose command line passes a test.
pub(crate) fn processes(test: impl Fn(&[String]) -> bool) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let found = entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<_> = words
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        test(&words).then_some(pid)
    });
    found.collect()
}

/// The ids of the containers that have a folder.
pub(crate) fn known_ids(engine: &Engine) -> BTreeSet<String> {
    let folder = std::fs::read_dir(engine.dir.join("data/containers"));
    let entries = folder.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The shims of all containers.
pub(crate) fn shims(engine: &Engine) -> Vec<i32> {
    let ids = known_ids(engine);
    processes(|words| words.len() > 2 && words[1] == "shim" && ids.contains(&words[2]))
}

/// The shim of one container.
#[track_caller]
pub(crate) fn shim_of(id: &str) -> i32 {
    let found = processes(|words| words.len() > 2 && words[1] == "shim" && words[2] == id);
    assert_eq!(found.len(), 1, "a container has one shim: {found:?}");
    found[0]
}

/// The first processes of this engine's containers: shells in their control groups.
pub(crate) fn programs(engine: &Engine) -> Vec<i32> {
    let ids = known_ids(engine);
    processes(|words| words.first().is_some_and(|word| word == "sh"))
        .into_iter()
        .filter(|pid| group_of(*pid).is_some_and(|id| ids.contains(&id)))
        .collect()
}

/// Live processes in any container's control group, with the id. The suite sees only what it started.
pub(crate) fn inhabitants() -> Vec<(i32, String)> {
    // A zombie has no command line any more.
    let live = processes(|words| !words.concat().is_empty());
    live.into_iter()
        .filter_map(|pid| Some((pid, group_of(pid)?)))
        .collect()
}

/// The container that a process is in.
pub(crate) fn group_of(pid: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let line = text.lines().find(|line| line.contains("/docker/"))?;
    let id = line.split("/docker/").nth(1)?;
    Some(id.split('/').next()?.to_owned())
}

/// The directories of a container's control group that exist.
pub(crate) fn group_directories(id: &str) -> Vec<PathBuf> {
    use engine::runtime::cgroups;
    let path = cgroups::path(&engine::stage::Stage::Host, "", id);
    let group = cgroups::of(&path).unwrap();
    group.directories().filter(|path| path.exists()).collect()
}
