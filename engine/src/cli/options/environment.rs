//! `-e` and `--env-file`: the container's environment.

use std::path::Path;

use super::super::error::CliError;

/// The variables of the files, then those of the command line.
///
/// A name without `=` takes its value from this process; when it has none, `-e NAME` asks the
/// daemon to remove the variable and a file's line is dropped.
pub(crate) fn collect(files: &[String], words: &[String]) -> Result<Vec<String>, CliError> {
    let mut variables = Vec::new();
    for file in files {
        variables.extend(lines(file)?.iter().filter_map(|line| from_file(line)));
    }
    variables.extend(words.iter().map(|word| from_word(word)));
    Ok(variables)
}

/// The lines of a file that say something: no blank line, no comment.
pub(crate) fn lines(file: &str) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(Path::new(file)).map_err(|source| CliError::File {
        what: "open",
        path: file.to_owned(),
        source,
    })?;
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.split_once('=').unwrap_or((line, "")).0 {
            name if name.contains(char::is_whitespace) => Err(CliError::Said(format!(
                "invalid env file ({file}): variable '{name}' contains whitespaces"
            ))),
            _ => Ok(line.to_owned()),
        })
        .collect()
}

fn from_file(line: &str) -> Option<String> {
    if line.contains('=') {
        return Some(line.to_owned());
    }
    std::env::var(line)
        .ok()
        .map(|value| format!("{line}={value}"))
}

fn from_word(word: &str) -> String {
    if word.contains('=') {
        return word.to_owned();
    }
    std::env::var(word).map_or_else(|_| word.to_owned(), |value| format!("{word}={value}"))
}
