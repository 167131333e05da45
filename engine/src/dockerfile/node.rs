//! A line with its words: the syntax tree, before anybody asks whether it makes sense.

use super::error::ParseErrorKind;
use super::lexer::{Heredoc, Line};
use super::words::{split_command, split_json, split_pairs, split_plain, split_quoted};

/// One instruction as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// As written: `FROM`, `from`.
    pub keyword: String,
    /// `--name=value`, the dashes included.
    pub flags: Vec<String>,
    /// The words.
    pub words: Vec<String>,
    /// They were a JSON list.
    pub json: bool,
    /// The instruction behind ONBUILD.
    pub child: Option<Box<Node>>,
    /// Texts that follow the line.
    pub heredocs: Vec<Heredoc>,
    /// The joined line.
    pub original: String,
    /// First and last line, from 1.
    pub lines: (usize, usize),
}

impl Node {
    /// Splits a logical line.
    pub(super) fn of(line: &Line, escape: char) -> Result<Self, ParseErrorKind> {
        let mut node = Self::of_text(&line.text, escape)?;
        node.lines = (line.start, line.end);
        match &mut node.child {
            Some(child) => {
                child.heredocs.clone_from(&line.heredocs);
                child.lines = node.lines;
            }
            None => node.heredocs.clone_from(&line.heredocs),
        }
        Ok(node)
    }

    /// Splits the text of one instruction, such as an ONBUILD trigger kept in an image.
    pub(super) fn of_text(text: &str, escape: char) -> Result<Self, ParseErrorKind> {
        let (keyword, flags, rest) = split_command(text);
        let mut node = Self {
            keyword: keyword.to_owned(),
            flags,
            original: text.trim().to_owned(),
            ..Self::default()
        };
        let list =
            |node: &mut Self, plain: fn(&str) -> Vec<String>| -> Result<(), ParseErrorKind> {
                match split_json(rest)? {
                    Some(words) => (node.words, node.json) = (words, true),
                    None => node.words = plain(rest),
                }
                Ok(())
            };
        match node.name().as_str() {
            "FROM" | "EXPOSE" => node.words = split_plain(rest),
            "ADD" | "COPY" | "VOLUME" => list(&mut node, split_plain)?,
            "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" => list(&mut node, whole)?,
            "ARG" => node.words = split_quoted(rest, escape),
            "ENV" => node.words = flat(split_pairs(rest, escape, "ENV")?),
            "LABEL" => node.words = flat(split_pairs(rest, escape, "LABEL")?),
            "ONBUILD" if !rest.is_empty() => {
                node.child = Some(Box::new(Self::of_text(rest, escape)?))
            }
            "HEALTHCHECK" => {
                let (kind, command) = match rest.find(char::is_whitespace) {
                    Some(end) => (&rest[..end], rest[end..].trim_start()),
                    None => (rest, ""),
                };
                if let Some(words) = split_json(command)? {
                    node.json = true;
                    node.words = words;
                } else {
                    node.words = whole(command);
                }
                if !kind.is_empty() {
                    node.words.insert(0, kind.to_owned());
                }
            }
            _ => node.words = whole(rest),
        }
        Ok(node)
    }

    /// The keyword in capitals.
    pub fn name(&self) -> String {
        self.keyword.to_ascii_uppercase()
    }
}

fn whole(rest: &str) -> Vec<String> {
    if rest.is_empty() {
        Vec::new()
    } else {
        vec![rest.to_owned()]
    }
}

fn flat(pairs: Vec<(String, String, &'static str)>) -> Vec<String> {
    pairs
        .into_iter()
        .flat_map(|(name, value, separator)| [name, value, separator.to_owned()])
        .collect()
}
