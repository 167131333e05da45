//! Events → nodes: anchors resolved to shared nodes, every key a text, every key once.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag as Written};
use serde_json::Value;

use super::{YamlError, scalar};

/// Nodes inside nodes go no deeper.
const DEEPEST: usize = 128;

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    /// What becomes of what stands below.
    pub(super) tag: Tag,
    /// What it is.
    pub(super) body: Body,
}

/// The Compose specification's tags, section "Merge".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// None of them.
    None,
    /// Nothing is left.
    Reset,
    /// Only this is left.
    Override,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Body {
    Scalar(Value),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Key, Rc<Node>)>),
}

/// The key of an entry.
#[derive(Debug)]
pub(super) enum Key {
    /// `<<`
    Merge,
    Name(String),
}

/// The root of each document, with what the reader should be told of it.
pub(super) fn read(text: &str) -> Result<Vec<(Node, Vec<String>)>, YamlError> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        open: HashMap::new(),
        way: Vec::new(),
        warnings: Vec::new(),
    };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(..) => {
                reader.anchors.clear();
                let root = match reader.next()? {
                    Some((Event::DocumentEnd, _)) | None => continue,
                    Some((event, span)) => reader.node(event, span)?,
                };
                let root = Rc::try_unwrap(root).unwrap_or_else(|shared| Node {
                    line: shared.line,
                    tag: Tag::None,
                    body: Body::Sequence(vec![shared]),
                });
                documents.push((root, std::mem::take(&mut reader.warnings)));
            }
            _ => return Err(unexpected(span)),
        }
    }
    Ok(documents)
}

fn unexpected(span: Span) -> YamlError {
    YamlError::Syntax {
        line: span.start.line(),
        what: "did not find expected node content".to_owned(),
    }
}

struct Reader<I> {
    events: I,
    anchors: HashMap<usize, Rc<Node>>,
    /// Anchors whose nodes are not yet complete, with the way to them.
    open: HashMap<usize, Vec<String>>,
    way: Vec<String>,
    warnings: Vec<String>,
}

impl<'t, I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Reader<I> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, YamlError> {
        self.events
            .next()
            .transpose()
            .map_err(|error| YamlError::Syntax {
                line: error.marker().line(),
                what: error.kind().to_string(),
            })
    }

    /// The next event, which belongs to a node that is not yet complete.
    fn inside(&mut self, of: Span) -> Result<(Event<'t>, Span), YamlError> {
        self.next()?.ok_or_else(|| unexpected(of))
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Rc<Node>, YamlError> {
        let line = span.start.line();
        let (anchor, tag, body) = match event {
            Event::Alias(id) => return self.alias(id, line),
            Event::UnresolvedAlias(name) => {
                return Err(YamlError::Anchor {
                    line,
                    name: name.into_owned(),
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_deref().and_then(Written::core_suffix);
                let value = match (core, style) {
                    (Some(kind), _) => scalar::of_kind(&text, kind)
                        .map_err(|what| YamlError::Syntax { line, what })?,
                    (None, ScalarStyle::Plain) => scalar::plain(&text),
                    (None, _) => Value::String(text.into_owned()),
                };
                (anchor, tag, Body::Scalar(value))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(anchor);
                let mut items = Vec::new();
                loop {
                    match self.inside(span)? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => {
                            self.way.push(format!("[{}]", items.len()));
                            items.push(self.node(event, span)?);
                            self.way.pop();
                        }
                    }
                }
                (anchor, tag, Body::Sequence(items))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(anchor);
                (anchor, tag, Body::Mapping(self.entries(span)?))
            }
            _ => return Err(unexpected(span)),
        };
        let tag = self.tag(tag.as_deref(), line);
        let node = Rc::new(Node { line, tag, body });
        if anchor != 0 {
            self.open.remove(&anchor);
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn begin(&mut self, anchor: usize) {
        if anchor != 0 {
            self.open.insert(anchor, self.way.clone());
        }
    }

    fn entries(&mut self, span: Span) -> Result<Vec<(Key, Rc<Node>)>, YamlError> {
        let mut entries = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, at) = match self.inside(span)? {
                (Event::MappingEnd, _) => return Ok(entries),
                found => found,
            };
            let line = at.start.line();
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = match is_merge {
                true => Key::Merge,
                false => Key::Name(self.key(event, at)?),
            };
            let name = match &key {
                Key::Merge => "<<".to_owned(),
                Key::Name(name) => name.clone(),
            };
            if let Some(first) = seen.insert(name.clone(), line) {
                return Err(YamlError::Duplicate {
                    line,
                    first,
                    key: name,
                });
            }
            self.way.push(name);
            let (event, at) = self.inside(span)?;
            let value = self.node(event, at)?;
            self.way.pop();
            entries.push((key, value));
        }
    }

    fn key(&mut self, event: Event<'t>, span: Span) -> Result<String, YamlError> {
        let node = self.node(event, span)?;
        let written = match &node.body {
            Body::Scalar(Value::String(text)) => return Ok(text.clone()),
            Body::Scalar(other) => other.to_string(),
            Body::Sequence(_) => "a list".to_owned(),
            Body::Mapping(_) => "a mapping".to_owned(),
        };
        Err(YamlError::Key {
            line: span.start.line(),
            at: match self.way.as_slice() {
                [] => "at top level".to_owned(),
                way => format!("in {}", way.join(".")),
            },
            key: written,
        })
    }

    fn alias(&self, id: usize, line: usize) -> Result<Rc<Node>, YamlError> {
        if let Some(node) = self.anchors.get(&id) {
            return Ok(Rc::clone(node));
        }
        let begun = self.open.get(&id).map_or(0, Vec::len);
        let to = self.way.join(".");
        Err(YamlError::Cycle {
            line,
            from: format!("{to}.{}", self.way[begun..].join(".")),
            to,
        })
    }

    fn tag(&mut self, written: Option<&Written>, line: usize) -> Tag {
        let Some(written) = written.filter(|tag| tag.core_suffix().is_none()) else {
            return Tag::None;
        };
        match (written.handle(), written.suffix()) {
            ("!", "reset") => Tag::Reset,
            ("!", "override") => Tag::Override,
            // `!` alone only says that the scalar is a text.
            ("" | "!", "") => Tag::None,
            (handle, suffix) => {
                self.warnings.push(format!(
                    "line {line}: the tag {handle}{suffix} means nothing here: !reset and !override do"
                ));
                Tag::None
            }
        }
    }
}
