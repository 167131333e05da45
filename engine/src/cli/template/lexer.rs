//! Text → tokens.

use super::TemplateError;
use super::token::{Space, Token, TokenKind};

/// Cuts a template into its words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

const TRIM: [char; 4] = [' ', '\t', '\r', '\n'];

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), TemplateError> {
        let mut trim_next = false;
        loop {
            let rest = &self.text[self.at..];
            let open = rest.find("{{");
            let mut plain = &rest[..open.unwrap_or(rest.len())];
            if trim_next {
                plain = plain.trim_start_matches(TRIM);
            }
            if open.is_some_and(|open| trims_left(&rest[open + 2..])) {
                plain = plain.trim_end_matches(TRIM);
            }
            if !plain.is_empty() {
                let plain = plain.to_owned();
                self.push(self.at, TokenKind::Text(plain));
            }
            let Some(open) = open else {
                return Ok(());
            };
            self.at += open;
            trim_next = self.action()?;
        }
    }

    /// Reads one `{{ … }}`; says whether the text after it loses its leading white space.
    fn action(&mut self) -> Result<bool, TemplateError> {
        let start = self.at;
        self.at += 2;
        if trims_left(&self.text[self.at..]) {
            self.at += 1;
        }
        if self.text[self.at..]
            .trim_start_matches(TRIM)
            .starts_with("/*")
        {
            return self.comment(start);
        }
        self.push(start, TokenKind::Open);
        let mut space = Space::Before;
        loop {
            let rest = &self.text[self.at..];
            let Some(first) = rest.chars().next() else {
                return Err(self.error("unclosed action"));
            };
            if rest.starts_with("}}") {
                self.push(self.at, TokenKind::Close);
                self.at += 2;
                return Ok(false);
            }
            if space == Space::Before && rest.starts_with("-}}") {
                self.push(self.at, TokenKind::Close);
                self.at += 3;
                return Ok(true);
            }
            if TRIM.contains(&first) {
                self.at += 1;
                space = Space::Before;
                continue;
            }
            self.word(first, space)?;
            space = Space::None;
        }
    }

    fn comment(&mut self, start: usize) -> Result<bool, TemplateError> {
        let Some(end) = self.text[start..].find("*/") else {
            return Err(self.error("unclosed comment"));
        };
        self.at = start + end + 2;
        let rest = &self.text[self.at..];
        if rest.starts_with("}}") {
            self.at += 2;
            Ok(false)
        } else if rest.starts_with(" -}}") {
            self.at += 4;
            Ok(true)
        } else {
            Err(self.error("comment ends before closing delimiter"))
        }
    }

    fn word(&mut self, first: char, space: Space) -> Result<(), TemplateError> {
        let at = self.at;
        let rest = &self.text[at..];
        let kind = match first {
            '|' => self.take(1, TokenKind::Pipe),
            '(' => self.take(1, TokenKind::Left),
            ')' => self.take(1, TokenKind::Right),
            ',' => self.take(1, TokenKind::Comma),
            '=' => self.take(1, TokenKind::Assign),
            ':' if rest.starts_with(":=") => self.take(2, TokenKind::Declare),
            '.' => {
                let name = name(&rest[1..]);
                if name.is_empty() {
                    self.take(1, TokenKind::Dot)
                } else {
                    self.take(1 + name.len(), TokenKind::Field(name.to_owned(), space))
                }
            }
            '$' => {
                let name = name(&rest[1..]);
                self.take(1 + name.len(), TokenKind::Variable(name.to_owned()))
            }
            '"' => self.quoted()?,
            '`' => {
                let Some(end) = rest[1..].find('`') else {
                    return Err(self.error("unterminated raw quoted string"));
                };
                self.take(end + 2, TokenKind::Quoted(rest[1..=end].to_owned()))
            }
            '-' | '+' | '0'..='9' => {
                let digits = rest[1..]
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
                    .map_or(rest.len(), |end| end + 1);
                self.take(digits, TokenKind::Number(rest[..digits].to_owned()))
            }
            c if c.is_alphabetic() || c == '_' => {
                let name = name(rest);
                self.take(name.len(), TokenKind::Word(name.to_owned()))
            }
            c => {
                let code = u32::from(c);
                return Err(self.error(&format!("bad character U+{code:04X} {c:?}")));
            }
        };
        self.push(at, kind);
        Ok(())
    }

    fn take(&mut self, count: usize, kind: TokenKind) -> TokenKind {
        self.at += count;
        kind
    }

    fn quoted(&mut self) -> Result<TokenKind, TemplateError> {
        let mut text = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 2;
                    return Ok(TokenKind::Quoted(text));
                }
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, c @ ('"' | '\\' | '\''))) => text.push(c),
                    _ => return Err(self.error("invalid syntax")),
                },
                c => text.push(c),
            }
        }
        Err(self.error("unterminated quoted string"))
    }

    fn push(&mut self, at: usize, kind: TokenKind) {
        let line = self.line();
        self.tokens.push(Token { at, line, kind });
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    fn error(&self, why: &str) -> TemplateError {
        TemplateError::Parse {
            name: "",
            line: self.line(),
            why: why.to_owned(),
        }
    }
}

/// Whether an action begins with `- `.
fn trims_left(action: &str) -> bool {
    action
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(TRIM))
}

/// The identifier at the beginning of `text`.
fn name(text: &str) -> &str {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    &text[..end]
}
