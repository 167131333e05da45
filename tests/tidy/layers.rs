//! The layers inside `engine`: each module imports only what stands to its right.

use std::collections::BTreeMap;
use std::fs;

use crate::assert_none;
use crate::source::{Source, files, top};

/// What `roles` may import: what it applies. It runs in processes with one thread and no async runtime.
const ROLES: [&str; 4] = ["runtime", "stage", "logs", "rootless"];

/// The only commands that speak to others than the daemon.
const MANIFEST: &str = "cli/commands/manifest";

/// Fetches the context of a build that is an address.
const ADDRESS: &str = "cli/build/address";

/// The daemon's side of the conversation with a role: never the role's own.
const CALLERS: [&str; 2] = ["runtime::launch", "runtime::client"];

/// Module → rank, from the sentence of ARCHITECTURE.md that lists the layers with `›` between them.
fn ranks() -> BTreeMap<String, usize> {
    let page = fs::read_to_string(top().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let section = page
        .split("## Layers inside `engine`")
        .nth(1)
        .expect("ARCHITECTURE.md has its section on the layers of engine");
    let sentence = section
        .split(':')
        .next()
        .expect("split yields at least one part");
    let mut ranks = BTreeMap::new();
    for (rank, layer) in sentence.split('›').enumerate() {
        for name in layer.split('`').skip(1).step_by(2) {
            ranks.insert(name.to_owned(), rank);
        }
    }
    assert!(
        ranks.len() >= 10,
        "the layers of engine are not where this test reads them: {ranks:?}"
    );
    ranks
}

/// The modules of `engine` that a file names, as `module` or `module::child`, with the line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let depth =
        source.path.matches('/').count() - 2 + usize::from(!source.path.ends_with("/mod.rs"));
    let to_root = format!("{}::", vec!["super"; depth].join("::"));
    let mut found = Vec::new();
    let mut group: Option<(usize, String)> = None;
    for (number, line) in source.code() {
        if let Some((_, text)) = &mut group {
            text.push_str(line.trim());
        } else if let Some(start) = line.find("use crate::{") {
            group = Some((
                number,
                line[start + "use crate::{".len()..].trim().to_owned(),
            ));
        } else {
            for prefix in ["crate::", to_root.as_str()] {
                for (at, _) in line.match_indices(prefix) {
                    let before = line[..at].chars().next_back();
                    // `super::super::super::` is not `super::super::`, `$crate::` is not ours.
                    if before
                        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$' | '('))
                        && prefix != "crate::"
                        || before == Some('$')
                        || line[..at].ends_with("pub(in ")
                    {
                        continue;
                    }
                    if let Some(path) = first_two(&line[at + prefix.len()..]) {
                        found.push((number, path));
                    }
                }
            }
        }
        if group.as_ref().is_some_and(|(_, text)| text.contains("};")) {
            let (number, text) = group.take().expect("just seen");
            found.extend(members(&text).into_iter().map(|path| (number, path)));
        }
    }
    found
}

/// `module` or `module::child` at the head of a path; `None` for a macro or a glob.
fn first_two(path: &str) -> Option<String> {
    let mut parts = path.split("::");
    let first = identifier(parts.next()?);
    if first.is_empty() || !first.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let second = parts.next().map(identifier).unwrap_or_default();
    let whole_first = path.len() > first.len() && path[first.len()..].starts_with("::");
    Some(if whole_first && !second.is_empty() {
        format!("{first}::{second}")
    } else {
        first.to_owned()
    })
}

fn identifier(text: &str) -> &str {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .next()
        .unwrap_or_default()
}

/// The members of `use crate::{…};`, one level deep.
fn members(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut member = String::new();
    let mut all = Vec::new();
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => all.extend(first_two(std::mem::take(&mut member).trim())),
            _ => {}
        }
        if c != ',' || depth > 0 {
            member.push(c);
        }
    }
    all.extend(first_two(member.trim()));
    all
}

/// Why `from` may not import `to`, or `None` when it may.
fn refusal(ranks: &BTreeMap<String, usize>, from: &str, to: &str) -> Option<String> {
    let target = to.split("::").next().unwrap_or(to);
    if target == from {
        return None;
    }
    if from == "roles" {
        if CALLERS.contains(&to) {
            return Some("a role does not call itself".to_owned());
        }
        return (!ROLES.contains(&target))
            .then(|| format!("roles imports only {}", ROLES.join(", ")));
    }
    // A process with one thread that makes containers itself: what a role is to a shim.
    if from == "oci_cli" && target == "roles" {
        return None;
    }
    // `docker manifest` speaks to registries itself, as Docker's own client does.
    if from == MANIFEST {
        let own = ["registry", "oci", "image", "cli"];
        return (!to.starts_with("api::types") && !own.contains(&target))
            .then(|| format!("{MANIFEST} imports only {}", own.join(", ")));
    }
    // The client of a build fetches what its caller names, as Docker's own client does.
    if from == ADDRESS {
        let own = ["registry", "cli"];
        return (!own.contains(&target)).then(|| format!("{ADDRESS} imports only registry"));
    }
    if from == "cli" {
        return (!to.starts_with("api::types")
            && !["compose", "logs", "dockerfile"].contains(&target))
        .then(|| "cli shares only api::types with the daemon".to_owned());
    }
    // The daemon keeps and gives out the bodies of the API as they are.
    if from == "daemon" && to.starts_with("api::types") {
        return None;
    }
    if target == "roles" {
        return Some("roles are executed, not called".to_owned());
    }
    match (ranks.get(from), ranks.get(target)) {
        (Some(from_rank), Some(to_rank)) if from_rank < to_rank => None,
        (Some(_), Some(_)) => Some("the arrow goes back".to_owned()),
        (None, _) => Some(format!(
            "{from} has no place in the layers of ARCHITECTURE.md"
        )),
        (_, None) => Some(format!(
            "{target} has no place in the layers of ARCHITECTURE.md"
        )),
    }
}

#[test]
fn engine_modules_import_only_to_their_right() {
    let ranks = ranks();
    let mut offences = Vec::new();
    for source in files(&[".rs"]) {
        let Some(inside) = source.path.strip_prefix("engine/src/") else {
            continue;
        };
        if inside == "lib.rs" {
            continue;
        }
        let first = inside.split('/').next().unwrap_or(inside);
        let from = [MANIFEST, ADDRESS]
            .into_iter()
            .find(|module| inside.starts_with(module))
            .unwrap_or_else(|| first.trim_end_matches(".rs"));
        for (line, to) in imports(&source) {
            if let Some(why) = refusal(&ranks, from, &to) {
                offences.push(format!("{}:{line}: {from} → {to}: {why}", source.path));
            }
        }
    }
    assert_none(
        "inside engine, a module imports only what stands to its right in ARCHITECTURE.md",
        offences,
    );
}

#[test]
fn backward_arrows_are_seen() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.into(),
    };
    let seen = |path: &str, text: &str| {
        imports(&source(path, text))
            .into_iter()
            .map(|(_, to)| to)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        seen("engine/src/store/blob.rs", "use crate::daemon::Daemon;"),
        ["daemon::Daemon"]
    );
    assert_eq!(
        seen(
            "engine/src/store/blob.rs",
            "use crate::{\n    api::{types, error},\n    oci,\n};\n"
        ),
        ["api", "oci"]
    );
    assert_eq!(
        seen("engine/src/store/blob.rs", "use super::super::build::Step;"),
        ["build::Step"]
    );
    assert_eq!(
        seen("engine/src/store/mod.rs", "let x = super::build::Step;"),
        ["build::Step"]
    );
    assert_eq!(
        seen(
            "engine/src/store/blob.rs",
            "use super::Digest;\n// crate::daemon is above"
        ),
        [""; 0]
    );

    let ranks = ranks();
    assert_eq!(refusal(&ranks, "store", "oci::digest"), None);
    assert!(refusal(&ranks, "store", "daemon").is_some());
    assert!(refusal(&ranks, "cli", "daemon").is_some());
    assert!(refusal(&ranks, "roles", "runtime::launch").is_some());
    assert!(refusal(&ranks, "roles", "daemon").is_some());
    assert_eq!(refusal(&ranks, "roles", "runtime::plan"), None);
}
