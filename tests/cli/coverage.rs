//! `docs/docker-cli.md`: every command and option of Docker's client, and whether it works here.
//!
//! The page is written from what the command line declares and from `reference.txt`, the commands
//! and options of Docker's client 28. `UPDATE_DOCS=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use engine::cli::inventory::{self, Entry, Offer};

use crate::transcript::here;

#[test]
fn the_page_about_the_command_line_is_true() {
    let page = page();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/docker-cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    if !path.exists() {
        let reason = "docs/docker-cli.md is not written yet: UPDATE_DOCS=1 writes it";
        return tests::host::report("the_page_about_the_command_line_is_true", reason);
    }
    let written = fs::read_to_string(&path).expect("the page can be read");
    assert!(
        written == page,
        "{} is not what the command line offers: UPDATE_DOCS=1 writes it anew",
        path.display()
    );
}

/// The options of each command of Docker's client, by the command's name.
fn reference() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(here().join("reference.txt")).expect("the reference is there");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(command, options)| {
            let options = options.split_whitespace().map(str::to_owned).collect();
            (command.to_owned(), options)
        })
        .collect()
}

fn page() -> String {
    let reference = reference();
    let offers = inventory::commands();
    let families = inventory::refused_families();
    let refused = |command: &str| {
        let family = command.split(' ').next().unwrap_or_default();
        families.iter().find(|entry| entry.name == family)
    };
    let find = |command: &str| offers.iter().find(|offer| offer.names.contains(&command));

    let mut rows = String::new();
    let (mut works, mut missing) = (0, 0);
    for (command, options) in reference.iter().filter(|(command, _)| !command.is_empty()) {
        // Short names are those of a command that is listed with its group.
        let offer = find(command);
        // So are those of a group, whose own word is no command.
        let is_group = offer.is_none()
            && reference.keys().any(|other| {
                other
                    .strip_prefix(command.as_str())
                    .is_some_and(|rest| rest.starts_with(' '))
            });
        if is_group
            || offer.is_some_and(|offer| offer.names[0] != command)
            || refused(command).is_some()
        {
            continue;
        }
        let Some(offer) = offer else {
            missing += 1;
            let _ = writeln!(rows, "| `{command}` | | **missing** | |");
            continue;
        };
        let row = Row::of(offer, options);
        works += 1;
        missing += row.missing.len();
        let _ = writeln!(
            rows,
            "| {} | {} | {} | {} |",
            names(offer),
            row.works.join(" "),
            words(&row.missing),
            row.refused.join("; ")
        );
    }
    let own: Vec<String> = offers
        .iter()
        .filter(|offer| !reference.contains_key(offer.names[0]))
        .map(names)
        .collect();
    let globals = Row::compare(&inventory::global_options(), &reference[""]);
    let families: String = families
        .iter()
        .map(|family| {
            format!(
                "| `{}` | {} |\n",
                family.name,
                family.refusal.unwrap_or_default()
            )
        })
        .collect();
    format!(
        "# The command line, command by command\n\n\
         Written by `UPDATE_DOCS=1 cargo test -p tests --test cli`: do not edit. The reference is Docker's client 28;\n\
         what each command answers is compared with it by the transcripts of `tests/cli`. An option that is\n\
         refused says why when it is used; none is ignored.\n\n\
         {works} commands; missing commands and options: {missing}.\n\n\
         Before the command: {}\n\n\
         | command | options that work | missing | refused |\n|---|---|---|---|\n{rows}\n\
         Without a counterpart in the reference: {}.\n\n\
         ## Families that are not there\n\n| family | why |\n|---|---|\n{families}",
        globals.works.join(" "),
        own.join(", "),
    )
}

/// Every spelling of a command.
fn names(offer: &Offer) -> String {
    let names: Vec<String> = offer.names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn words(options: &[String]) -> String {
    match options {
        [] => String::new(),
        options => format!("**{}**", options.join(" ")),
    }
}

/// What the table says about a command's options.
struct Row {
    works: Vec<String>,
    refused: Vec<String>,
    missing: Vec<String>,
}

impl Row {
    fn of(offer: &Offer, options: &BTreeSet<String>) -> Self {
        Self::compare(&offer.options, options)
    }

    fn compare(ours: &[Entry], theirs: &BTreeSet<String>) -> Self {
        let code = |name: &str| format!("`{name}`");
        let known = |name: &String| ours.iter().any(|entry| entry.name == *name);
        Self {
            works: ours
                .iter()
                .filter(|entry| entry.refusal.is_none())
                .map(|entry| code(&entry.name))
                .collect(),
            refused: ours
                .iter()
                .filter_map(|entry| Some(format!("{} {}", code(&entry.name), entry.refusal?)))
                .collect(),
            missing: theirs
                .iter()
                .filter(|name| !known(name))
                .map(|name| code(name))
                .collect(),
        }
    }
}

/// Records the reference from a real client without a daemon: then it hides nothing.
#[test]
fn the_reference_is_that_of_a_real_client() {
    let client = match crate::client::Client::real() {
        Ok(client) => client,
        Err(reason) => {
            return tests::host::report("the_reference_is_that_of_a_real_client", &reason);
        }
    };
    let mut found = BTreeMap::new();
    walk(client.program(), &[], &mut found);
    let mut text =
        "# The commands and options of Docker's client 28, from its own help.\n".to_owned();
    for (command, options) in &found {
        let _ = writeln!(text, "{command}:{options}");
    }
    let path: PathBuf = here().join("reference.txt");
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &text).expect("the reference can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "reference.txt is not what the real client's help says"
    );
}

/// Families whose commands are refused as a whole: their options do not matter.
const WHOLE: [&str; 9] = [
    "config", "node", "plugin", "secret", "service", "stack", "swarm", "trust", "compose",
];

fn walk(program: &Path, path: &[&str], found: &mut BTreeMap<String, String>) {
    let help = std::process::Command::new(program)
        .args(path)
        .arg("--help")
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .env("HOME", "/nonexistent")
        .env("COLUMNS", "500")
        .output()
        .expect("the client can be run");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let (mut options, mut commands, mut section) = (String::new(), Vec::new(), "");
    for line in help.lines() {
        if !line.starts_with(' ') && line.ends_with(':') {
            section = line;
        } else if section.ends_with("ptions:") {
            if let Some((head, rest)) = line.split_once("--").filter(|(head, _)| head.len() <= 6) {
                let _ = head;
                let name: &str = rest.split_whitespace().next().unwrap_or_default();
                options.push_str(&format!(" --{name}"));
            }
        } else if section.ends_with("ommands:") {
            let name = line
                .strip_prefix("  ")
                .and_then(|line| line.split_whitespace().next());
            commands.extend(name.map(|name| name.trim_end_matches('*').to_owned()));
        }
    }
    found.insert(path.join(" "), options);
    for name in commands {
        if path.len() < 2 && !WHOLE.contains(&name.as_str()) && !help.is_empty() {
            let mut path = path.to_vec();
            path.push(&name);
            walk(program, &path, found);
        }
    }
}
