//! Variables in words: `$name`, `${name}` and what may follow the name inside the braces.
//!
//! | form | gives |
//! |---|---|
//! | `${x:-y}` `${x-y}` | `y` when `x` is unset (with `:`, or empty) |
//! | `${x:+y}` `${x+y}` | `y` when `x` is set (with `:`, and not empty) |
//! | `${x:?y}` `${x?y}` | an error `y` when `x` is unset (with `:`, or empty) |
//! | `${x#p}` `${x##p}` `${x%p}` `${x%%p}` | without the shortest or longest match of `p` at an end |
//! | `${x/p/r}` `${x//p/r}` | with the first or every match of `p` replaced |

use super::pattern::ShellPattern;

/// A value larger than this is a bomb.
const LIMIT: usize = 1 << 20;
/// Braces inside braces.
const DEPTH_LIMIT: usize = 64;

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quotation mark or brace is not closed.
    #[error("unexpected end of statement while looking for matching {0}")]
    Open(&'static str),
    /// `${`.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${}`.
    #[error("syntax error: bad substitution")]
    Bad,
    /// `${x=y}`.
    #[error("unsupported modifier ({0}) in substitution")]
    Modifier(String),
    /// `${x:?word}`.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the file says.
        message: String,
    },
    /// The result is too large.
    #[error("the value is larger than {LIMIT} bytes")]
    TooLarge,
    /// Too many braces, or a pattern that costs too much.
    #[error("the substitution is too complex")]
    TooComplex,
}

/// Expands words with the variables of one moment.
#[derive(Clone, Copy)]
pub struct Expander<'a> {
    /// `\` or `` ` ``.
    pub escape: char,
    /// What a name means.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Expander<'_> {
    /// Expands and removes quotes; the result is one word.
    pub fn word(&self, text: &str) -> Result<String, ExpandError> {
        if !text.contains(['$', '"', '\'', self.escape]) {
            return Ok(text.to_owned());
        }
        Ok(self.run(text)?.0)
    }

    /// Expands and removes quotes; unquoted blanks separate words.
    pub fn words(&self, text: &str) -> Result<Vec<String>, ExpandError> {
        Ok(self.run(text)?.1)
    }

    /// Expands variables only: quotes and other escapes stay, as in the text of a here-document.
    pub fn text(&self, text: &str) -> Result<String, ExpandError> {
        let mut reader = Reader::new(self, text);
        let mut out = String::new();
        while let Some(letter) = reader.peek() {
            match letter {
                '$' => out.push_str(&reader.dollar()?),
                letter if letter == self.escape => {
                    reader.next();
                    match reader.peek() {
                        Some(next) if next == '$' || next == self.escape => {
                            reader.next();
                            out.push(next);
                        }
                        _ => out.push(letter),
                    }
                }
                letter => {
                    reader.next();
                    out.push(letter);
                }
            }
            if out.len() > LIMIT {
                return Err(ExpandError::TooLarge);
            }
        }
        Ok(out)
    }

    fn run(&self, text: &str) -> Result<(String, Vec<String>), ExpandError> {
        let mut reader = Reader::new(self, text);
        let mut words = Words::default();
        let word = reader.until(None, Escapes::Removed, &mut words)?;
        Ok((word, words.finish()))
    }
}

impl std::fmt::Debug for Expander<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expander")
            .field("escape", &self.escape)
            .finish_non_exhaustive()
    }
}

/// Whether escapes stay in the text: patterns need them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Kept,
    Removed,
}

/// Words being separated.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    /// Blanks in it separate.
    fn add(&mut self, text: &str) {
        for letter in text.chars() {
            if letter.is_whitespace() {
                self.cut();
            } else {
                self.word.push(letter);
            }
        }
    }

    /// Blanks in it are kept.
    fn add_quoted(&mut self, text: &str) {
        self.word.push_str(text);
    }

    fn cut(&mut self) {
        if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.cut();
        self.done
    }
}

struct Reader<'a> {
    escape: char,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    letters: Vec<char>,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(expander: &Expander<'a>, text: &str) -> Self {
        Self {
            escape: expander.escape,
            lookup: expander.lookup,
            letters: text.chars().collect(),
            at: 0,
            depth: 0,
        }
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn until(
        &mut self,
        stop: Option<char>,
        escapes: Escapes,
        words: &mut Words,
    ) -> Result<String, ExpandError> {
        let mut out = String::new();
        loop {
            if out.len() > LIMIT {
                return Err(ExpandError::TooLarge);
            }
            let Some(letter) = self.peek() else {
                return match stop {
                    None => Ok(out),
                    Some('/') => Err(ExpandError::Open("/")),
                    Some(_) => Err(ExpandError::Open("}")),
                };
            };
            if Some(letter) == stop {
                self.next();
                return Ok(out);
            }
            match letter {
                '\'' => {
                    let text = self.single_quoted()?;
                    words.add_quoted(&text);
                    out.push_str(&text);
                }
                '"' => {
                    let text = self.double_quoted()?;
                    words.add_quoted(&text);
                    out.push_str(&text);
                }
                '$' => {
                    let text = self.dollar()?;
                    words.add(&text);
                    out.push_str(&text);
                }
                letter if letter == self.escape => {
                    self.next();
                    if escapes == Escapes::Kept {
                        out.push(letter);
                    }
                    if let Some(next) = self.next() {
                        words.word.push(next);
                        out.push(next);
                    }
                }
                letter => {
                    self.next();
                    let mut buffer = [0; 4];
                    words.add(letter.encode_utf8(&mut buffer));
                    out.push(letter);
                }
            }
        }
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        self.next();
        let mut out = String::new();
        loop {
            match self.next() {
                None => return Err(ExpandError::Open("single-quote")),
                Some('\'') => return Ok(out),
                Some(letter) => out.push(letter),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        self.next();
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return Err(ExpandError::Open("double-quote")),
                Some('"') => {
                    self.next();
                    return Ok(out);
                }
                Some('$') => out.push_str(&self.dollar()?),
                Some(letter) => {
                    self.next();
                    if letter == self.escape {
                        match self.next() {
                            None => return Err(ExpandError::Open("double-quote")),
                            Some(next) if matches!(next, '"' | '$') || next == self.escape => {
                                out.push(next)
                            }
                            Some(next) => out.extend([letter, next]),
                        }
                    } else {
                        out.push(letter);
                    }
                }
            }
            if out.len() > LIMIT {
                return Err(ExpandError::TooLarge);
            }
        }
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() {
                "$".to_owned()
            } else {
                (self.lookup)(&name).unwrap_or_default()
            });
        }
        self.next();
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(ExpandError::TooComplex);
        }
        let value = self.braces()?;
        self.depth -= 1;
        Ok(value)
    }

    fn braces(&mut self) -> Result<String, ExpandError> {
        match self.peek() {
            None => return Err(ExpandError::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpandError::Bad),
            Some(_) => {}
        }
        let name = self.name();
        let value = (self.lookup)(&name);
        match self.next() {
            Some('}') => Ok(value.unwrap_or_default()),
            Some(':') => match self.next() {
                Some(sign @ ('+' | '-' | '?')) => {
                    let word = self.inner('}', Escapes::Removed)?;
                    choose(
                        sign,
                        &name,
                        value.filter(|value| !value.is_empty()),
                        word,
                        "not allowed to be empty",
                    )
                }
                other => Err(ExpandError::Modifier(format!(
                    ":{}",
                    other.map_or_else(String::new, String::from)
                ))),
            },
            Some(sign @ ('+' | '-' | '?')) => {
                let word = self.inner('}', Escapes::Removed)?;
                choose(sign, &name, value, word, "not allowed to be unset")
            }
            Some(sign @ ('#' | '%')) => {
                let longest = self.peek() == Some(sign);
                self.at += usize::from(longest);
                let pattern = ShellPattern::parse(&self.inner('}', Escapes::Kept)?, self.escape);
                let value = value.unwrap_or_default();
                let cut = if sign == '#' {
                    pattern.cut_prefix(&value, longest)
                } else {
                    pattern.cut_suffix(&value, longest)
                };
                cut.ok_or(ExpandError::TooComplex)
            }
            Some('/') => {
                let every = self.peek() == Some('/');
                self.at += usize::from(every);
                let pattern = ShellPattern::parse(&self.inner('/', Escapes::Kept)?, self.escape);
                let by = self.inner('}', Escapes::Removed)?;
                let replaced = pattern.replace(&value.unwrap_or_default(), &by, every);
                replaced.ok_or(ExpandError::TooComplex)
            }
            other => Err(ExpandError::Modifier(
                other.map_or_else(|| "\u{fffd}".to_owned(), String::from),
            )),
        }
    }

    fn inner(&mut self, stop: char, escapes: Escapes) -> Result<String, ExpandError> {
        self.until(Some(stop), escapes, &mut Words::default())
    }

    /// A name, a position, or one special character.
    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(letter) if letter.is_alphabetic() || letter == '_' => {
                while self
                    .peek()
                    .is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
                {
                    self.at += 1;
                }
            }
            Some(digit) if digit.is_ascii_digit() => {
                while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
                    self.at += 1;
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => self.at += 1,
            _ => {}
        }
        self.letters[start..self.at].iter().collect()
    }
}

/// The value is `None` when it counts as unset.
fn choose(
    sign: char,
    name: &str,
    value: Option<String>,
    word: String,
    otherwise: &str,
) -> Result<String, ExpandError> {
    match (sign, value) {
        ('+', Some(_)) => Ok(word),
        ('+', None) => Ok(String::new()),
        (_, Some(value)) => Ok(value),
        ('-', None) => Ok(word),
        (_, None) => Err(ExpandError::Required {
            name: name.to_owned(),
            message: if word.is_empty() {
                otherwise.to_owned()
            } else {
                word
            },
        }),
    }
}
