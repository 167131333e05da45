//! Mistakes inside the command lines of RUN.

use super::lint::Rule;

/// The mistakes of one script.
pub(super) fn mistakes(script: &str) -> Vec<(Rule, String)> {
    let commands = commands(script);
    let mut found = Vec::new();
    let mut add = |rule, message: &str| found.push((rule, message.to_owned()));
    let apt = |verb: &str| {
        commands.iter().any(|words| {
            matches!(words.first().map(String::as_str), Some("apt-get" | "apt"))
                && words.iter().any(|word| word == verb)
        })
    };
    for words in &commands {
        let first = words.first().map_or("", String::as_str);
        let has = |word: &str| words.iter().any(|other| other == word);
        match first {
            "sudo" => add(
                Rule::Sudo,
                "RUN is root already unless USER says otherwise: sudo is not needed",
            ),
            "cd" if commands.len() == 1 => {
                add(
                    Rule::ChangeDirectoryInRun,
                    "cd lasts only until the end of this RUN: use WORKDIR",
                );
            }
            "apt" => add(
                Rule::AptInsteadOfAptGet,
                "apt is made for people: use apt-get in scripts",
            ),
            _ => {}
        }
        if !matches!(first, "apt-get" | "apt") {
            continue;
        }
        let yes = words.iter().any(|word| {
            matches!(word.as_str(), "--yes" | "--assume-yes" | "-qq")
                || (word.starts_with('-') && !word.starts_with("--") && word.contains('y'))
        });
        if has("install") && !yes {
            add(
                Rule::AptGetNoYes,
                "apt-get install waits for an answer that nobody gives: add -y",
            );
        }
        if has("upgrade") || has("dist-upgrade") {
            add(
                Rule::AptGetUpgrade,
                "an upgrade makes the image differ from day to day: take a newer base image",
            );
        }
    }
    if apt("install") && !script.contains("/var/lib/apt/lists") {
        add(
            Rule::AptGetNoClean,
            "the package lists stay in the layer: end the same RUN with rm -rf /var/lib/apt/lists/*",
        );
    }
    if apt("update") && !apt("install") && !apt("upgrade") && !apt("dist-upgrade") {
        add(
            Rule::AptGetUpdateAlone,
            "an update of its own is cached and grows old: join it with apt-get install in one RUN",
        );
    }
    found
}

/// The simple commands of a script as words; quotes are not looked into further than needed.
fn commands(script: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word, mut quote) =
        (Vec::new(), Vec::new(), String::new(), None);
    let mut letters = script.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => {
                word.extend(letters.next().filter(|letter| *letter != '\n'))
            }
            (mark @ ('"' | '\''), None) => quote = Some(mark),
            (mark, Some(open)) if mark == open => quote = None,
            (other, Some(_)) => word.push(other),
            (end @ (';' | '&' | '|' | '\n' | '(' | ')' | ' ' | '\t'), None) => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if !matches!(end, ' ' | '\t') && !words.is_empty() {
                    commands.push(std::mem::take(&mut words));
                }
            }
            (other, None) => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    if !words.is_empty() {
        commands.push(words);
    }
    // `DEBIAN_FRONTEND=… apt-get …`
    for words in &mut commands {
        while words.len() > 1 && words[0].contains('=') || words.len() > 1 && words[0] == "then" {
            words.remove(0);
        }
    }
    commands
}
