//! Bytes become logical lines: comments go, continued lines are joined, heredocs are taken along.

use super::error::{ParseError, ParseErrorKind, Place};
use super::words::{heredoc_of, split_heredoc_words};

/// Docker reads no longer line.
const LINE_LIMIT: usize = 65_535;
/// A Dockerfile larger than this is none.
const FILE_LIMIT: usize = 4 << 20;
/// An image cannot have as many layers.
const INSTRUCTION_LIMIT: usize = 10_000;

/// A file handed to the instruction by its text: `<<EOF`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// The text between.
    pub content: String,
    /// Variables in it are replaced (the word is not quoted).
    pub expand: bool,
    /// Leading tabs go (`<<-EOF`).
    pub chomp: bool,
    /// The word as it is written, `<<EOF`.
    pub written: String,
}

/// What comments at the top say about the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directives {
    /// `\` or `` ` ``.
    pub(super) escape: char,
    /// `# syntax=`: which other program understands the file.
    pub(super) syntax: Option<String>,
    /// `# check=`: which lints are skipped.
    pub(super) check: Option<String>,
}

/// A logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Joined, without comments.
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What follows it.
    pub(super) heredocs: Vec<Heredoc>,
}

/// The lines of a file.
#[derive(Debug)]
pub(super) struct Source<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Source<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let whole = |kind| ParseError { kind, place: None };
        if bytes.len() > FILE_LIMIT {
            return Err(whole(ParseErrorKind::TooLarge(FILE_LIMIT)));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| whole(ParseErrorKind::NoText("bytes that are not UTF-8")))?;
        if text.contains('\0') {
            return Err(whole(ParseErrorKind::NoText("a NUL character")));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Vec<&str> = text
            .split_inclusive('\n')
            .map(|line| line.trim_end_matches(['\n', '\r']))
            .collect();
        let source = Self { lines };
        match source.lines.iter().position(|line| line.len() > LINE_LIMIT) {
            Some(index) => Err(source.error(
                ParseErrorKind::LineTooLong(LINE_LIMIT),
                (index + 1, index + 1),
                "",
            )),
            None => Ok(source),
        }
    }

    /// An error at a word of the lines `start` to `end`; without such a word, at the first of them.
    pub(super) fn error(
        &self,
        kind: ParseErrorKind,
        lines: (usize, usize),
        word: &str,
    ) -> ParseError {
        ParseError {
            kind,
            place: Some(self.place(lines, word)),
        }
    }

    /// Where a word is in the lines `start` to `end`.
    pub(super) fn place(&self, (start, end): (usize, usize), word: &str) -> Place {
        let found = (start..=end).find_map(|number| {
            let text = self.lines.get(number - 1)?;
            let at = (!word.is_empty()).then(|| text.find(word)).flatten()?;
            Some((number, *text, at))
        });
        let (line, text, at, width) = match found {
            Some((number, text, at)) => (number, text, at, word.chars().count()),
            None => {
                let text = self.lines.get(start - 1).copied().unwrap_or_default();
                let at = text.len() - text.trim_start().len();
                (start, text, at, text.trim().chars().count())
            }
        };
        Place {
            line,
            column: text[..at].chars().count() + 1,
            width: width.max(1),
            text: text.to_owned(),
        }
    }

    /// The directives at the top, then all logical lines.
    pub(super) fn logical(&self) -> Result<(Directives, Vec<Line>), ParseError> {
        let directives = self.directives()?;
        let (mut lines, mut next) = (Vec::new(), 0);
        while next < self.lines.len() {
            let start = next + 1;
            let first = without_comment(self.lines[next].trim_start());
            next += 1;
            let (piece, mut ended) = continued(first, directives.escape);
            if ended && piece.is_empty() {
                continue;
            }
            let mut text = piece.to_owned();
            while !ended && next < self.lines.len() {
                let line = self.lines[next];
                next += 1;
                let line = without_comment(line);
                if line.trim_start().is_empty() {
                    continue;
                }
                let (piece, last) = continued(line, directives.escape);
                text.push_str(piece);
                ended = last;
            }
            if text.trim().is_empty() {
                continue;
            }
            if lines.len() == INSTRUCTION_LIMIT {
                let kind = ParseErrorKind::TooManyInstructions(INSTRUCTION_LIMIT);
                return Err(self.error(kind, (start, start), ""));
            }
            let mut line = Line {
                text,
                start,
                end: next,
                heredocs: Vec::new(),
            };
            self.take_heredocs(&mut line, &mut next, directives.escape)?;
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(ParseError {
                kind: ParseErrorKind::Empty,
                place: None,
            });
        }
        Ok((directives, lines))
    }

    fn take_heredocs(
        &self,
        line: &mut Line,
        next: &mut usize,
        escape: char,
    ) -> Result<(), ParseError> {
        if !line.text.contains("<<") || !may_have_heredoc(&line.text) {
            return Ok(());
        }
        let words = split_heredoc_words(&line.text, escape);
        for mut heredoc in words.iter().filter_map(|word| heredoc_of(word)) {
            let mut terminated = false;
            while *next < self.lines.len() {
                let text = self.lines[*next];
                *next += 1;
                let bare = if heredoc.chomp {
                    text.trim_start_matches('\t')
                } else {
                    text
                };
                if bare == heredoc.name {
                    terminated = true;
                    break;
                }
                heredoc.content.push_str(bare);
                heredoc.content.push('\n');
            }
            if !terminated {
                let kind = ParseErrorKind::Heredoc(heredoc.name.clone());
                return Err(self.error(kind, (line.start, line.end), &heredoc.written));
            }
            line.heredocs.push(heredoc);
            line.end = *next;
        }
        Ok(())
    }

    fn directives(&self) -> Result<Directives, ParseError> {
        let mut found = Directives {
            escape: '\\',
            syntax: None,
            check: None,
        };
        let mut seen: Vec<String> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let Some((name, value)) = directive(line) else {
                break;
            };
            let at = (index + 1, index + 1);
            if seen.contains(&name) {
                return Err(self.error(ParseErrorKind::RepeatedDirective(name), at, ""));
            }
            match name.as_str() {
                "escape" => {
                    found.escape = match value {
                        "\\" => '\\',
                        "`" => '`',
                        other => {
                            return Err(self.error(
                                ParseErrorKind::Escape(other.to_owned()),
                                at,
                                other,
                            ));
                        }
                    };
                }
                "syntax" => found.syntax = Some(value.to_owned()),
                "check" => found.check = Some(value.to_owned()),
                _ => break,
            }
            seen.push(name);
        }
        Ok(found)
    }
}

/// `# name = value`.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let letters = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric());
    (letters && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

fn without_comment(line: &str) -> &str {
    if line.trim_start_matches([' ', '\t']).starts_with('#') {
        ""
    } else {
        line
    }
}

/// Cuts the escape at the end of a line that goes on; tells whether the line ends here.
///
/// A doubled escape is a character of its own.
fn continued(line: &str, escape: char) -> (&str, bool) {
    let trimmed = line.trim_end_matches([' ', '\t']);
    match trimmed.strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, false),
        _ => (line, true),
    }
}

fn may_have_heredoc(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    let word = if first == "ONBUILD" {
        words.next().unwrap_or_default()
    } else {
        first
    };
    matches!(word.as_str(), "RUN" | "COPY" | "ADD")
}
