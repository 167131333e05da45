//! Tokens → tree.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::{Value, json};

use super::TemplateError;
use super::functions;
use super::node::{Base, Binding, Branch, Call, Command, Node, Operand, Pipeline};
use super::token::{Space, Token, TokenKind};

/// Reads a whole template.
pub(super) fn parse(tokens: Vec<Token>) -> Result<Parsed, TemplateError> {
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        line: 1,
        loops: 0,
        defined: BTreeMap::new(),
    };
    let (nodes, stop) = parser.list()?;
    match stop {
        Stop::EndOfText => Ok(Parsed {
            nodes,
            defined: parser.defined,
        }),
        Stop::End => Err(parser.error("unexpected {{end}}")),
        Stop::Else => Err(parser.error("unexpected {{else}}")),
    }
}

/// A template and those that it defines.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) nodes: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    line: usize,
    /// How many `{{range}}` are open here.
    loops: usize,
    defined: BTreeMap<String, Vec<Node>>,
}

/// What ended a list of nodes.
enum Stop {
    EndOfText,
    End,
    Else,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.next();
        if let Some(token) = &token {
            self.line = token.line;
        }
        token
    }

    fn peek(&mut self) -> Option<&TokenKind> {
        self.tokens.peek().map(|token| &token.kind)
    }

    fn error(&self, why: &str) -> TemplateError {
        TemplateError::Parse {
            name: "",
            line: self.line,
            why: why.to_owned(),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, Stop), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(token) = self.next() {
            if let TokenKind::Text(text) = token.kind {
                nodes.push(Node::Text(text));
                continue;
            }
            let keyword = match self.peek() {
                Some(TokenKind::Word(word)) => word.clone(),
                _ => String::new(),
            };
            match keyword.as_str() {
                "if" => nodes.push(Node::If(self.branch()?)),
                "with" => nodes.push(Node::With(self.branch()?)),
                "range" => {
                    self.loops += 1;
                    let branch = self.branch();
                    self.loops -= 1;
                    nodes.push(Node::Range(branch?));
                }
                "end" => {
                    self.next();
                    self.close()?;
                    return Ok((nodes, Stop::End));
                }
                "else" => {
                    self.next();
                    return Ok((nodes, Stop::Else));
                }
                "break" | "continue" => {
                    self.next();
                    if self.loops == 0 {
                        return Err(self.error(&format!("{{{{{keyword}}}}} outside {{{{range}}}}")));
                    }
                    self.close()?;
                    nodes.push(if keyword == "break" {
                        Node::Break
                    } else {
                        Node::Continue
                    });
                }
                "define" => {
                    self.next();
                    let (_, name) = self.quoted("define")?;
                    self.close()?;
                    let nodes = self.definition("define")?;
                    self.defined.insert(name, nodes);
                }
                "template" => {
                    self.next();
                    let call = self.call("template")?;
                    nodes.push(Node::Call(call));
                }
                "block" => {
                    self.next();
                    let call = self.call("block")?;
                    let body = self.definition("block")?;
                    // A definition elsewhere is meant to replace the block's own.
                    self.defined.entry(call.name.clone()).or_insert(body);
                    nodes.push(Node::Call(call));
                }
                _ => {
                    let pipeline = self.pipeline()?;
                    self.close()?;
                    nodes.push(Node::Action(pipeline));
                }
            }
        }
        Ok((nodes, Stop::EndOfText))
    }

    fn quoted(&mut self, keyword: &str) -> Result<(usize, String), TemplateError> {
        match self.next() {
            Some(Token {
                at,
                kind: TokenKind::Quoted(name),
                ..
            }) => Ok((at, name)),
            other => {
                let other = describe(other.map(|token| token.kind));
                Err(self.error(&format!("unexpected {other} in {keyword} clause")))
            }
        }
    }

    /// A name, and what becomes the dot of the template that bears it.
    fn call(&mut self, keyword: &str) -> Result<Call, TemplateError> {
        let (at, name) = self.quoted(keyword)?;
        let pipeline = match self.peek() {
            Some(TokenKind::Close) => None,
            _ => Some(self.pipeline()?),
        };
        self.close()?;
        Ok(Call { at, name, pipeline })
    }

    /// The text of a template, up to its `{{end}}`.
    fn definition(&mut self, keyword: &str) -> Result<Vec<Node>, TemplateError> {
        match self.list()? {
            (nodes, Stop::End) => Ok(nodes),
            (_, Stop::Else) => {
                Err(self.error(&format!("unexpected {{{{else}}}} in {keyword} clause")))
            }
            (_, Stop::EndOfText) => Err(self.error("unexpected EOF")),
        }
    }

    /// Everything from the keyword to the matching `{{end}}`.
    fn branch(&mut self) -> Result<Branch, TemplateError> {
        self.next();
        let pipeline = self.pipeline()?;
        self.close()?;
        let (then, stop) = self.list()?;
        let otherwise = match stop {
            Stop::End => Vec::new(),
            Stop::EndOfText => return Err(self.error("unexpected EOF")),
            Stop::Else => match self.peek() {
                // `{{else if x}}` shares the `{{end}}` of the branch around it.
                Some(TokenKind::Word(word)) if word == "if" => vec![Node::If(self.branch()?)],
                Some(TokenKind::Word(word)) if word == "with" => vec![Node::With(self.branch()?)],
                _ => {
                    self.close()?;
                    match self.list()? {
                        (nodes, Stop::End) => nodes,
                        _ => return Err(self.error("expected {{end}} after {{else}}")),
                    }
                }
            },
        };
        Ok(Branch {
            pipeline,
            then,
            otherwise,
        })
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        match self.next().map(|token| token.kind) {
            Some(TokenKind::Close) => Ok(()),
            other => Err(self.error(&format!("unexpected {} in command", describe(other)))),
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        let (variables, binding) = self.variables()?;
        let mut commands = vec![self.command()?];
        while matches!(self.peek(), Some(TokenKind::Pipe)) {
            self.next();
            commands.push(self.command()?);
        }
        Ok(Pipeline {
            variables,
            binding,
            commands,
        })
    }

    /// `$x :=`, `$i, $x :=`, `$x =`: only known for what it is when the sign comes.
    fn variables(&mut self) -> Result<(Vec<String>, Binding), TemplateError> {
        let mut ahead = self.tokens.clone();
        let mut names = Vec::new();
        while let Some(TokenKind::Variable(name)) = ahead.next().map(|token| token.kind) {
            names.push(name);
            let binding = match ahead.next().map(|token| token.kind) {
                Some(TokenKind::Comma) => continue,
                Some(TokenKind::Declare) => Binding::Declare,
                Some(TokenKind::Assign) => Binding::Assign,
                _ => break,
            };
            if names.len() > 2 {
                return Err(self.error("too many declarations"));
            }
            self.tokens = ahead;
            return Ok((names, binding));
        }
        Ok((Vec::new(), Binding::Declare))
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let mut words = Vec::new();
        while !matches!(
            self.peek(),
            None | Some(TokenKind::Pipe | TokenKind::Close | TokenKind::Right)
        ) {
            words.push(self.operand()?);
        }
        if words.is_empty() {
            return Err(self.error("missing value for command"));
        }
        Ok(Command { words })
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let token = self.next().expect("the caller peeked at it");
        let mut at = token.at;
        let chains = !matches!(token.kind, TokenKind::Dot);
        let mut fields = Vec::new();
        let mut chained = 0;
        let base = match token.kind {
            TokenKind::Dot => Base::Dot,
            TokenKind::Field(name, _) => {
                fields.push(name);
                Base::Dot
            }
            TokenKind::Variable(name) => Base::Variable(name),
            TokenKind::Quoted(text) => Base::Literal(text.into()),
            TokenKind::Number(text) => Base::Literal(self.number(&text)?),
            TokenKind::Word(word) => match word.as_str() {
                "true" => Base::Literal(true.into()),
                "false" => Base::Literal(false.into()),
                "nil" => Base::Literal(Value::Null),
                name if functions::exists(name) => Base::Function(word),
                name => return Err(self.error(&format!("function {name:?} not defined"))),
            },
            TokenKind::Left => {
                let nested = self.pipeline()?;
                match self.next().map(|token| token.kind) {
                    Some(TokenKind::Right) => Base::Nested(Box::new(nested)),
                    _ => return Err(self.error("unclosed left paren")),
                }
            }
            other => {
                let other = describe(Some(other));
                return Err(self.error(&format!("unexpected {other} in operand")));
            }
        };
        while let Some(TokenKind::Field(_, Space::None)) = self.peek() {
            if let Some(Token {
                at: here,
                kind: TokenKind::Field(name, _),
                ..
            }) = self.next()
            {
                // Go says that a chain begins at its second link.
                if chained == 0 && chains {
                    at = here;
                }
                chained += 1;
                fields.push(name);
            }
        }
        Ok(Operand { at, base, fields })
    }

    fn number(&self, text: &str) -> Result<Value, TemplateError> {
        if let Ok(number) = text.parse::<i64>() {
            return Ok(json!(number));
        }
        match text.parse::<f64>() {
            Ok(number) => Ok(json!(number)),
            Err(_) => Err(self.error(&format!("bad number syntax: {text:?}"))),
        }
    }
}

fn describe(token: Option<TokenKind>) -> String {
    match token {
        None => "EOF".to_owned(),
        Some(TokenKind::Close) => "\"}}\"".to_owned(),
        Some(TokenKind::Word(word)) => format!("<{word}>"),
        Some(TokenKind::Field(name, _)) => format!("<.{name}>"),
        Some(TokenKind::Quoted(text) | TokenKind::Number(text)) => format!("{text:?}"),
        Some(TokenKind::Variable(name)) => format!("\"${name}\""),
        Some(TokenKind::Assign) => "\"=\"".to_owned(),
        Some(TokenKind::Declare) => "\":=\"".to_owned(),
        Some(TokenKind::Comma) => "\",\"".to_owned(),
        Some(TokenKind::Right) => "right paren".to_owned(),
        Some(TokenKind::Left) => "left paren".to_owned(),
        Some(TokenKind::Pipe) => "\"|\"".to_owned(),
        Some(TokenKind::Dot) => "<.>".to_owned(),
        Some(TokenKind::Open) => "\"{{\"".to_owned(),
        Some(TokenKind::Text(_)) => "text".to_owned(),
    }
}
