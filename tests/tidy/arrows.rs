//! Which crate may depend on which, read from the manifests: cargo refuses any other import.

use toml::Table;

use crate::assert_none;
use crate::source::files;

/// Our crates and those of ours that each may depend on.
const ARROWS: [(&str, &[&str]); 6] = [
    ("kernel", &[]),
    ("engine", &["kernel"]),
    ("labs", &["kernel"]),
    ("web", &[]),
    ("server", &["kernel", "engine", "labs", "web"]),
    ("tests", &["kernel", "engine", "labs", "web", "server"]),
];

/// Linux itself: only `kernel` speaks to it.
const LINUX: [&str; 4] = ["libc", "nix", "rustix", "caps"];

/// Asynchronous crates, which blocking crates must not know.
const ASYNC: [&str; 4] = ["tokio", "axum", "hyper", "futures-util"];

/// `(crate, dependency, whole entry)` for each dependency of each of our manifests.
fn dependencies() -> Vec<(String, String, toml::Value)> {
    let mut all = Vec::new();
    for manifest in files(&["Cargo.toml"]) {
        let table: Table = manifest.text.parse().expect("cargo has read it already");
        let Some(package) = table.get("package") else {
            continue;
        };
        // A package that is a workspace of its own (`fuzz`) has nobody to inherit from, and nobody imports it.
        if table.contains_key("workspace") {
            continue;
        }
        let name = package["name"].as_str().expect("a name is a string");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = table.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (dependency, entry) in entries {
                all.push((name.to_owned(), dependency.clone(), entry.clone()));
            }
        }
    }
    all
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut offences = Vec::new();
    for (from, to, _) in dependencies() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from) else {
            offences.push(format!("crate {from} has no place in ARCHITECTURE.md"));
            continue;
        };
        if ours.contains(&to.as_str()) && !allowed.contains(&to.as_str()) {
            offences.push(format!("{from} depends on {to}"));
        }
    }
    assert_none(
        "crates may import each other only along the arrows of ARCHITECTURE.md",
        offences,
    );
}

#[test]
fn only_kernel_speaks_to_linux() {
    let offences = dependencies()
        .into_iter()
        .filter(|(from, to, _)| {
            from != "kernel" && (LINUX.contains(&to.as_str()) || to.starts_with("netlink-"))
        })
        .map(|(from, to, _)| format!("{from} depends on {to}"))
        .collect();
    assert_none("only the crate kernel wraps system calls", offences);
}

#[test]
fn async_stops_at_the_rim() {
    let offences = dependencies()
        .into_iter()
        .filter(|(from, to, _)| {
            ["kernel", "labs", "web"].contains(&from.as_str()) && ASYNC.contains(&to.as_str())
        })
        .map(|(from, to, _)| format!("{from} depends on {to}"))
        .collect();
    assert_none("kernel, labs and web are blocking code", offences);
}

#[test]
fn versions_live_in_the_workspace() {
    let offences = dependencies()
        .into_iter()
        .filter(|(_, _, entry)| entry.get("workspace").and_then(toml::Value::as_bool) != Some(true))
        .map(|(from, to, _)| format!("{from} chooses its own version of {to}"))
        .collect();
    assert_none(
        "a dependency's version is written once, in the workspace",
        offences,
    );
}
