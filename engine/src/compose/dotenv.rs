//! Environment files: `.env` beside the project, and the `env_file` of a service.
//!
//! `NAME=value`, `export NAME=value`, `NAME` alone (taken from the environment), `#` comments; a value in double
//! quotes knows `\n`, `\t`, `\"`, `\\` and references, one in single quotes is taken as it is.

use std::path::{Path, PathBuf};

use super::error::ComposeError;
use super::interpolate::{self, Environment};

/// The variables of a file, in its order; `None` for a name without a value that the environment lacks.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Vec<(String, Option<String>)>, ComposeError> {
    let mut known = environment.clone();
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let broken = |why: &str| ComposeError::Env {
            path: path.to_owned(),
            line: index + 1,
            why: why.to_owned(),
        };
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, value)) = line.split_once('=') else {
            check_name(line).map_err(|why| broken(&why))?;
            found.push((line.to_owned(), known.get(line).cloned()));
            continue;
        };
        let name = name.trim_end();
        check_name(name).map_err(|why| broken(&why))?;
        let mut value = value.trim_start().to_owned();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                // A quoted value may go on over several lines.
                let end = loop {
                    match end_of_quoted(&value, quote) {
                        Some(end) => break end,
                        None => match lines.next() {
                            Some((_, next)) => {
                                value.push('\n');
                                value.push_str(next);
                            }
                            None => return Err(broken("a quoted value is not closed")),
                        },
                    }
                };
                let after = value[end + 1..].trim_start();
                if !after.is_empty() && !after.starts_with('#') {
                    return Err(broken("nothing but a comment may follow a quoted value"));
                }
                let inner = &value[1..end];
                match quote {
                    '\'' => inner.to_owned(),
                    _ => interpolate::text(&unescape(inner), &known, &mut Vec::new())
                        .map_err(|why| broken(&why.to_string()))?,
                }
            }
            _ => {
                let bare = value.find(" #").map_or(value.as_str(), |at| &value[..at]);
                interpolate::text(bare.trim_end(), &known, &mut Vec::new())
                    .map_err(|why| broken(&why.to_string()))?
            }
        };
        known.insert(name.to_owned(), value.clone());
        found.push((name.to_owned(), Some(value)));
    }
    Ok(found)
}

/// The lines of a file whose values mean nothing but themselves (`format: raw`).
pub(crate) fn raw(
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Vec<(String, Option<String>)>, ComposeError> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, environment.get(line).cloned()),
        };
        check_name(name).map_err(|why| ComposeError::Env {
            path: path.to_owned(),
            line: index + 1,
            why,
        })?;
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// The variables of all these files, later ones over earlier ones.
pub(crate) fn environment(
    files: &[PathBuf],
    known: &Environment,
) -> Result<Environment, ComposeError> {
    let mut environment = Environment::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|source| ComposeError::Read {
            path: file.clone(),
            source,
        })?;
        let mut seen = known.clone();
        for (name, value) in &environment {
            seen.entry(name.clone()).or_insert_with(|| value.clone());
        }
        for (name, value) in parse(file, &text, &seen)? {
            environment.extend(value.map(|value| (name, value)));
        }
    }
    Ok(environment)
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("\"{name}\" is no variable name"));
    }
    Ok(())
}

/// The place of the quote that ends the value which begins with one.
fn end_of_quoted(value: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in value.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' && quote == '"' {
            escaped = true;
        } else if letter == quote {
            return Some(at);
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('$') => out.push_str("$$"),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "# comment\nA=1\nexport B = two # tail\nC=\"x\\ty ${A}\"\nD='raw $A'\nHOME\nNONE\nE=\"a\nb\"\nF=\n";
        let environment = Environment::from([("HOME".to_owned(), "/root".to_owned())]);
        let found = parse(Path::new(".env"), text, &environment).unwrap();
        let expected = [
            ("A", Some("1")),
            ("B", Some("two")),
            ("C", Some("x\ty 1")),
            ("D", Some("raw $A")),
            ("HOME", Some("/root")),
            ("NONE", None),
            ("E", Some("a\nb")),
            ("F", Some("")),
        ]
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse(Path::new(".env"), "A=1\nB C=2\n", &Environment::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read .env: line 2: \"B C\" is no variable name"
        );
    }
}
