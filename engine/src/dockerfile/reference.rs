//! The cases of the reference parser, when `QUAI_CONFORMANCE_DATA` says where they are.

use std::path::{Path, PathBuf};

use super::lexer::Source;
use super::node::Node;
use super::*;

fn cases(test: &str) -> Option<PathBuf> {
    let found =
        std::env::var_os("QUAI_CONFORMANCE_DATA").map(|dir| Path::new(&dir).join("dockerfile"));
    if found.as_ref().is_none_or(|dir| !dir.is_dir()) {
        eprintln!("skipped {test}: QUAI_CONFORMANCE_DATA names no folder with the reference cases");
        return None;
    }
    found
}

fn nodes(bytes: &[u8]) -> Result<Vec<Node>, ParseErrorKind> {
    let source = Source::read(bytes).map_err(|error| error.kind)?;
    let (directives, lines) = source.logical().map_err(|error| error.kind)?;
    lines
        .iter()
        .map(|line| Node::of(line, directives.escape))
        .collect()
}

/// The reference's notation of a syntax tree.
fn dump(node: &Node) -> String {
    let mut text = format!("({}", node.keyword.to_lowercase());
    if !node.flags.is_empty() {
        let flags: Vec<String> = node.flags.iter().map(|flag| quote(flag)).collect();
        text += &format!(" [{}]", flags.join(" "));
    }
    if let Some(child) = &node.child {
        text += &format!(" {}", dump(child));
    }
    for word in &node.words {
        text += &format!(" {}", quote(word));
    }
    text + ")"
}

fn quote(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' => text += "\\\"",
            '\\' => text += "\\\\",
            '\t' => text += "\\t",
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\u{8}' => text += "\\b",
            '\u{c}' => text += "\\f",
            '\0' => text += "\\x00",
            other => text.push(other),
        }
    }
    text + "\""
}

#[test]
fn syntax_trees_are_those_of_the_reference() {
    let Some(dir) = cases("syntax_trees_are_those_of_the_reference") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(dir.join("testfiles")).unwrap() {
        let entry = entry.unwrap().path();
        let expected = std::fs::read_to_string(entry.join("result")).unwrap();
        let nodes = nodes(&std::fs::read(entry.join("Dockerfile")).unwrap()).unwrap();
        let actual: Vec<String> = nodes.iter().map(dump).collect();
        assert_eq!(
            actual.join("\n"),
            expected.trim_end(),
            "{}",
            entry.display()
        );
        count += 1;
    }
    assert!(count >= 30, "only {count} cases");
}

#[test]
fn what_the_reference_refuses_is_refused() {
    let Some(dir) = cases("what_the_reference_refuses_is_refused") else {
        return;
    };
    for entry in std::fs::read_dir(dir.join("testfiles-negative")).unwrap() {
        let entry = entry.unwrap().path();
        assert!(
            nodes(&std::fs::read(entry.join("Dockerfile")).unwrap()).is_err(),
            "{}",
            entry.display()
        );
    }
}

#[test]
fn lines_are_those_of_the_reference() {
    let Some(dir) = cases("lines_are_those_of_the_reference") else {
        return;
    };
    let nodes = nodes(&std::fs::read(dir.join("testfile-line/Dockerfile")).unwrap()).unwrap();
    let lines: Vec<_> = nodes.iter().map(|node| node.lines).collect();
    assert_eq!(lines, [(5, 5), (11, 12), (17, 31)]);
}

#[test]
fn variables_expand_as_in_the_reference() {
    let Some(dir) = cases("variables_expand_as_in_the_reference") else {
        return;
    };
    let lookup = |name: &str| {
        Some(match name {
            "PWD" => "/home".to_owned(),
            "SHELL" => "bash".to_owned(),
            "KOREAN" => "한국어".to_owned(),
            "NULL" => String::new(),
            _ => return None,
        })
    };
    let expander = Expander {
        escape: '\\',
        lookup: &lookup,
    };
    for line in std::fs::read_to_string(dir.join("envVarTest"))
        .unwrap()
        .lines()
    {
        let line = line
            .split_once('#')
            .filter(|(before, _)| before.trim().is_empty())
            .map_or(line, |_| "");
        let mut parts = line.split('|').map(str::trim);
        let (Some(platform), Some(input), Some(expected)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if platform == "W" {
            continue;
        }
        match (expander.word(input), expected) {
            (Err(_), "error") => {}
            (result, expected) => assert_eq!(result.as_deref(), Ok(expected), "{input}"),
        }
    }
}

#[test]
fn words_split_as_in_the_reference() {
    let Some(dir) = cases("words_split_as_in_the_reference") else {
        return;
    };
    let mut env = std::collections::BTreeMap::new();
    for line in std::fs::read_to_string(dir.join("wordsTest"))
        .unwrap()
        .lines()
    {
        if let Some((name, value)) = line
            .strip_prefix("ENV ")
            .and_then(|pair| pair.split_once('='))
        {
            env.insert(name.trim_start().to_owned(), value.to_owned());
            continue;
        }
        let Some((input, expected)) = line.split_once('|').filter(|_| !line.starts_with('#'))
        else {
            continue;
        };
        let lookup = |name: &str| env.get(name).cloned();
        let expander = Expander {
            escape: '\\',
            lookup: &lookup,
        };
        // Exactly one blank on each side of the bar belongs to the notation.
        let (input, expected) = (input.trim(), expected.strip_prefix(' ').unwrap_or(expected));
        match expander.words(input) {
            Err(_) => assert_eq!(expected, "error", "{input}"),
            Ok(words) => assert_eq!(words, expected.split(',').collect::<Vec<_>>(), "{input}"),
        }
    }
}
