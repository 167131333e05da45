//! A whole Dockerfile: arguments for all, then stages with their instructions.

use super::error::{ParseError, ParseErrorKind};
use super::flags::Flags;
use super::instruction::Instruction;
use super::lexer::Source;
use super::node::Node;

/// A Dockerfile that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// `\` or `` ` ``.
    pub escape: char,
    /// `# syntax=`.
    pub syntax: Option<String>,
    /// `# check=`.
    pub check: Option<String>,
    /// ARG before the first FROM.
    pub args: Vec<Step>,
    /// At least one.
    pub stages: Vec<Stage>,
    /// The syntax tree, for lints.
    pub nodes: Vec<Node>,
}

/// FROM and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Image, stage or `scratch`, not expanded.
    pub base: String,
    /// In small letters.
    pub name: Option<String>,
    /// `--platform`, not expanded.
    pub platform: Option<String>,
    /// As written.
    pub original: String,
    /// First and last line of FROM, from 1.
    pub lines: (usize, usize),
    /// Its instructions.
    pub steps: Vec<Step>,
}

/// An instruction with where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it means.
    pub instruction: Instruction,
    /// As written, lines joined.
    pub original: String,
    /// First and last line, from 1.
    pub lines: (usize, usize),
}

/// Reads a Dockerfile.
pub fn parse(bytes: &[u8]) -> Result<Dockerfile, ParseError> {
    let source = Source::read(bytes)?;
    let (directives, lines) = source.logical()?;
    let escape = directives.escape;
    let mut nodes = Vec::with_capacity(lines.len());
    for line in &lines {
        let node = Node::of(line, escape).map_err(|kind| {
            at(
                &source,
                kind,
                (line.start, line.end),
                line.text.split_whitespace().next(),
            )
        })?;
        nodes.push(node);
    }
    let (mut args, mut stages): (Vec<Step>, Vec<Stage>) = (Vec::new(), Vec::new());
    for node in &nodes {
        let fail = |kind| at(&source, kind, node.lines, Some(&node.keyword));
        if node.name() == "FROM" {
            stages.push(stage(node).map_err(fail)?);
            continue;
        }
        let step = Step {
            instruction: Instruction::of(node, escape).map_err(fail)?,
            original: node.original.clone(),
            lines: node.lines,
        };
        match stages.last_mut() {
            Some(stage) => stage.steps.push(step),
            None if matches!(step.instruction, Instruction::Arg(_)) => args.push(step),
            None => return Err(fail(ParseErrorKind::NoStage)),
        }
    }
    if stages.is_empty() {
        return Err(ParseError {
            kind: ParseErrorKind::NoStage,
            place: None,
        });
    }
    Ok(Dockerfile {
        escape,
        syntax: directives.syntax,
        check: directives.check,
        args,
        stages,
        nodes,
    })
}

impl Step {
    /// Reads one instruction alone, such as a trigger that an image keeps.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let source = Source::read(text.as_bytes())?;
        let (directives, lines) = source.logical()?;
        let line = lines.first().expect("an empty text is an error");
        let fail = |kind| at(&source, kind, (1, 1), None);
        let node = Node::of(line, directives.escape).map_err(fail)?;
        Ok(Self {
            instruction: Instruction::of(&node, directives.escape).map_err(fail)?,
            original: node.original,
            lines: (0, 0),
        })
    }
}

fn stage(node: &Node) -> Result<Stage, ParseErrorKind> {
    let flags = Flags::of(node, &["platform"], &[], &[])?;
    let (base, name) = match node.words.as_slice() {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => {
            (base, Some(name.to_ascii_lowercase()))
        }
        _ => return Err(ParseErrorKind::From),
    };
    if let Some(name) = &name {
        let letters = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !letters || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(ParseErrorKind::StageName(name.clone()));
        }
    }
    Ok(Stage {
        base: base.clone(),
        name,
        platform: flags.text("platform"),
        original: node.original.clone(),
        lines: node.lines,
        steps: Vec::new(),
    })
}

/// Places an error at the word it is about, or at the keyword.
fn at(
    source: &Source<'_>,
    kind: ParseErrorKind,
    lines: (usize, usize),
    keyword: Option<&str>,
) -> ParseError {
    let word = match &kind {
        ParseErrorKind::Unknown { word, .. } => word.clone(),
        ParseErrorKind::UnknownFlag { word, .. } | ParseErrorKind::NoFlagValue(word) => {
            format!("--{word}")
        }
        ParseErrorKind::RepeatedFlag(word) | ParseErrorKind::FlagBoolean(word, _) => {
            format!("--{word}")
        }
        ParseErrorKind::NoEquals(word)
        | ParseErrorKind::StageName(word)
        | ParseErrorKind::HealthType(word)
        | ParseErrorKind::NetworkMode(word)
        | ParseErrorKind::SecurityMode(word)
        | ParseErrorKind::Retries(word)
        | ParseErrorKind::OnbuildTrigger(word) => word.clone(),
        ParseErrorKind::Mount { text, .. } => text.clone(),
        ParseErrorKind::FlagValue { value, .. } => value.clone(),
        ParseErrorKind::NotStrings => "[".to_owned(),
        ParseErrorKind::From => "#".to_owned(),
        _ => String::new(),
    };
    let found = source.error(kind.clone(), lines, &word);
    let missed = found
        .place
        .as_ref()
        .is_some_and(|place| !word.is_empty() && !place.text.contains(&word));
    if word.is_empty() || missed {
        return source.error(kind, lines, keyword.unwrap_or_default());
    }
    found
}
