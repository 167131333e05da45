//! `quai completion SHELL`, and the hidden `quai __complete` that the shells' scripts ask.
//!
//! The scripts are those of `docker completion`: they hand the words of the line to whatever program stands first.
//! What comes after `quai docker` and the commands it shares with it is answered as for `docker` itself.

use std::ffi::OsString;
use std::process::ExitCode;

use web::messages::say;

/// Prints the script of a shell.
pub(crate) fn script(words: Vec<OsString>) -> ExitCode {
    engine::cli::main(std::iter::once("completion".into()).chain(words).collect())
}

/// Prints what may stand at the end of `words`, one on a line, with what it is behind a tab.
#[expect(
    clippy::print_stdout,
    reason = "candidates were asked, and these are the answer"
)]
pub(crate) fn candidates(words: Vec<OsString>) -> ExitCode {
    let words = match words.as_slice() {
        [marker, rest @ ..] if marker == "--" => rest,
        all => all,
    };
    let text: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match wanted(&text) {
        Wanted::Docker(from) => {
            let asked = ["__complete", "--"].map(OsString::from).into_iter();
            return engine::cli::main(asked.chain(words[from..].iter().cloned()).collect());
        }
        Wanted::Commands(start) => {
            for (word, about) in commands(&say("quai.usage", &[])) {
                if word.starts_with(start) {
                    println!("{word}\t{about}");
                }
            }
        }
        Wanted::Words(all, start) => {
            for word in all.iter().filter(|word| word.starts_with(start)) {
                println!("{word}");
            }
        }
        Wanted::Files => println!(":files"),
    }
    ExitCode::SUCCESS
}

/// Who knows what may stand at the end.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// The Docker command line, of the words from this one on.
    Docker(usize),
    /// A command of Quai that begins so.
    Commands(&'a str),
    /// One of these that begins so.
    Words(&'static [&'static str], &'a str),
    /// Nobody; a file most likely.
    Files,
}

fn wanted(words: &[String]) -> Wanted<'_> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Wanted::Commands(""),
        [start] => Wanted::Commands(start),
        ["docker", ..] => Wanted::Docker(1),
        ["image" | "compose" | "build", ..] => Wanted::Docker(0),
        ["completion", start] => Wanted::Words(&["bash", "fish", "zsh"], start),
        ["network", start] => Wanted::Words(&["rules"], start),
        _ => Wanted::Files,
    }
}

/// The commands that the text of the help names, and what it says of each.
fn commands(usage: &str) -> impl Iterator<Item = (&str, &str)> {
    usage.lines().filter_map(|line| {
        let (word, about) = line.strip_prefix("  ")?.split_once(' ')?;
        Some((word, about.trim_start()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &Wanted<'_>) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(wanted(&words), *expected, "{line:?}");
    }

    #[test]
    fn each_place_has_who_knows_it() {
        check("", &Wanted::Commands(""));
        check("do", &Wanted::Commands("do"));
        check("docker ", &Wanted::Docker(1));
        check("docker run --na", &Wanted::Docker(1));
        check("compose u", &Wanted::Docker(0));
        check(
            "completion z",
            &Wanted::Words(&["bash", "fish", "zsh"], "z"),
        );
        check("registry --cert ", &Wanted::Files);
    }

    #[test]
    fn commands_are_those_of_the_help() {
        let usage = say("quai.usage", &[]);
        let all: Vec<_> = commands(&usage).collect();
        assert!(all.iter().any(|(word, _)| *word == "docker"));
        assert!(all.iter().all(|(_, about)| !about.is_empty()));
    }
}
