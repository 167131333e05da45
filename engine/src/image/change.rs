//! `--change`: Dockerfile instructions that change only the configuration.

use std::collections::BTreeMap;

use crate::oci::{EmptyObject, RunConfig};

/// An instruction that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// Not one of those that change only the configuration. The wording is Docker's.
    #[error("{0} is not a valid change command")]
    Unknown(String),
    /// Its words cannot be understood.
    #[error("{instruction} {words:?}: {why}")]
    Words {
        /// The instruction.
        instruction: &'static str,
        /// What followed it.
        words: String,
        /// Why not.
        why: &'static str,
    },
}

/// Applies one instruction: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR.
pub fn apply_change(config: &mut RunConfig, change: &str) -> Result<(), BadChange> {
    let change = change.trim();
    let (instruction, words) = change.split_once([' ', '\t']).unwrap_or((change, ""));
    let words = words.trim();
    match instruction.to_ascii_uppercase().as_str() {
        "CMD" => config.cmd = Some(command(words)),
        "ENTRYPOINT" => {
            config.entrypoint = Some(command(words));
            config.cmd = None;
        }
        "ENV" => {
            for (name, value) in pairs("ENV", words)? {
                let env = config.env.get_or_insert_default();
                env.retain(|old| old.split_once('=').is_none_or(|(old, _)| old != name));
                env.push(format!("{name}={value}"));
            }
        }
        "EXPOSE" => {
            for port in words.split_whitespace() {
                let port = if port.contains('/') {
                    port.to_owned()
                } else {
                    format!("{port}/tcp")
                };
                config
                    .exposed_ports
                    .get_or_insert_default()
                    .insert(port, EmptyObject {});
            }
        }
        "LABEL" => {
            let pairs = pairs("LABEL", words)?;
            config
                .labels
                .get_or_insert_with(BTreeMap::new)
                .extend(pairs);
        }
        "ONBUILD" => config
            .on_build
            .get_or_insert_default()
            .push(words.to_owned()),
        "STOPSIGNAL" => config.stop_signal = words.to_owned(),
        "USER" => config.user = words.to_owned(),
        "VOLUME" => {
            let paths = json_words(words)
                .unwrap_or_else(|| words.split_whitespace().map(str::to_owned).collect());
            let volumes = config.volumes.get_or_insert_default();
            volumes.extend(paths.into_iter().map(|path| (path, EmptyObject {})));
        }
        "WORKDIR" => config.working_dir = workdir(&config.working_dir, words),
        _ => return Err(BadChange::Unknown(instruction.to_owned())),
    }
    Ok(())
}

/// The exec form is a JSON list; anything else is handed to a shell.
fn command(words: &str) -> Vec<String> {
    json_words(words).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), words.to_owned()])
}

fn json_words(words: &str) -> Option<Vec<String>> {
    serde_json::from_str(words).ok()
}

fn workdir(old: &str, words: &str) -> String {
    if words.starts_with('/') {
        words.to_owned()
    } else {
        format!("{}/{words}", old.trim_end_matches('/'))
    }
}

/// `name=value …` with quotes and backslashes, or the old form `name value`.
fn pairs(instruction: &'static str, words: &str) -> Result<Vec<(String, String)>, BadChange> {
    let bad = |why| BadChange::Words {
        instruction,
        words: words.to_owned(),
        why,
    };
    let parts = split_quoted(words).ok_or_else(|| bad("a quotation mark is not closed"))?;
    if let Some(first) = parts.first()
        && !first.contains('=')
    {
        let (name, value) = words
            .split_once([' ', '\t'])
            .ok_or_else(|| bad("a value is missing"))?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    parts
        .into_iter()
        .map(|part| match part.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(bad("name=value is expected")),
        })
        .collect()
}

fn split_quoted(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut part, mut open, mut quote) = (Vec::new(), String::new(), false, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => part.extend(letters.next()),
            (mark @ ('"' | '\''), None) => quote = Some(mark),
            (mark, Some(end)) if mark == end => quote = None,
            (space, None) if space.is_whitespace() => {
                if open {
                    parts.push(std::mem::take(&mut part));
                    open = false;
                }
                continue;
            }
            (other, _) => part.push(other),
        }
        open = true;
    }
    if open {
        parts.push(part);
    }
    quote.is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn config(changes: &[&str]) -> RunConfig {
        let mut config = RunConfig::default();
        for change in changes {
            apply_change(&mut config, change).unwrap();
        }
        config
    }

    #[test]
    fn commands_have_two_forms() {
        assert_eq!(config(&["CMD [\"sh\", \"-i\"]"]).cmd.unwrap(), ["sh", "-i"]);
        assert_eq!(
            config(&["cmd echo hi"]).cmd.unwrap(),
            ["/bin/sh", "-c", "echo hi"]
        );
    }

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let env = config(&["ENV A=1 B=\"two words\"", "ENV A 3 4"])
            .env
            .unwrap();
        assert_eq!(env, ["B=two words", "A=3 4"]);
    }

    #[test]
    fn a_relative_directory_is_joined() {
        assert_eq!(config(&["WORKDIR /a", "WORKDIR b"]).working_dir, "/a/b");
    }

    #[test]
    fn other_instructions_are_refused() {
        let mut config = RunConfig::default();
        assert!(apply_change(&mut config, "RUN true").is_err());
        assert!(apply_change(&mut config, "ENV A=\"1").is_err());
    }
}
