//! The words of a template.

/// One word, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) kind: TokenKind,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// Text outside of actions.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.`
    Dot,
    /// `.Name`; whether white space stood before it tells an argument from a chain.
    Field(String, Space),
    /// `$` or `$name`
    Variable(String),
    /// A keyword or a function.
    Word(String),
    /// A quoted string.
    Quoted(String),
    /// A number, as written.
    Number(String),
    /// `|`
    Pipe,
    /// `(`
    Left,
    /// `)`
    Right,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

/// Whether white space stood before a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// It did, or the word is the first of its action.
    Before,
    /// It did not: the field belongs to what stands before it.
    None,
}
