//! `quai --help` and `quai --version`: what a person types, and nothing of the roles that processes play.

use std::process::ExitCode;

use web::messages::say;

/// Says what there is to type.
#[expect(
    clippy::print_stdout,
    reason = "help was asked, and this is the answer"
)]
pub(crate) fn show() -> ExitCode {
    println!("{}", say("quai.usage", &[]));
    ExitCode::SUCCESS
}

/// Says which build this is.
#[expect(
    clippy::print_stdout,
    reason = "the version was asked, and this is the answer"
)]
pub(crate) fn version() -> ExitCode {
    println!("quai {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

/// Refuses `word`, which names no command; without a word, says what there is to type. Exit code 2.
pub(crate) fn refuse(word: &str) -> ExitCode {
    if word.is_empty() {
        eprintln!("{}", say("quai.usage", &[]));
    } else {
        eprintln!("{}", say("quai.unknown", &[("word", word)]));
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use crate::Role;
    use web::messages::say;

    #[test]
    fn each_command_that_help_names_is_one() {
        let usage = say("quai.usage", &[]);
        let words: Vec<&str> = usage
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter_map(|line| line.split(' ').next().filter(|word| !word.is_empty()))
            .collect();
        assert!(words.contains(&"local") && words.contains(&"engine"));
        let distinct: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(distinct.len(), words.len(), "{words:?}");
        for word in words {
            let (role, _) = Role::from_args(["quai", word].map(Into::into).into_iter());
            assert!(!matches!(role, Role::Unknown(_)), "{word}");
        }
    }
}
