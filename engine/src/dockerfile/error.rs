//! A Dockerfile that is refused: Docker's sentence, the place, and what a learner needs to mend it.

use std::fmt::{self, Display, Write as _};

use super::instruction::KEYWORDS;

/// Where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// Characters from 1.
    pub column: usize,
    /// Characters.
    pub width: usize,
    /// The line as it is written.
    pub text: String,
}

/// A Dockerfile that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where; absent when the whole file is meant.
    pub place: Option<Place>,
}

/// What is wrong; the sentences are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// Nothing but comments and blank lines.
    #[error("file with no instructions")]
    Empty,
    /// Not UTF-8, or a NUL.
    #[error("the file is no text: it contains {0}")]
    NoText(&'static str),
    /// The file is larger than any Dockerfile.
    #[error("Dockerfile greater than maximum allowed size of {0}")]
    TooLarge(usize),
    /// A line is longer than Docker reads.
    #[error("dockerfile line greater than maximum allowed size of {0}")]
    LineTooLong(usize),
    /// More instructions than any image can have.
    #[error("Dockerfile has more than {0} instructions")]
    TooManyInstructions(usize),
    /// `# escape=x`.
    #[error("invalid escape token '{0}' does not match ` or \\")]
    Escape(String),
    /// A directive given twice.
    #[error("only one {0} parser directive can be used")]
    RepeatedDirective(String),
    /// A heredoc without its end.
    #[error("unterminated heredoc")]
    Heredoc(String),
    /// `["a", 1]`.
    #[error("when using JSON array syntax, arrays must be comprised of strings only")]
    NotStrings,
    /// `ENV A`.
    #[error("{0} must have two arguments")]
    TwoArguments(&'static str),
    /// `ENV A=1 B`.
    #[error("Syntax error - can't find = in {0:?}. Must be of the form: name=value")]
    NoEquals(String),
    /// A quotation mark that is not closed.
    #[error("failed to process {text:?}: {why}")]
    Words {
        /// What.
        text: String,
        /// Why.
        why: super::ExpandError,
    },
    /// No such instruction.
    #[error("unknown instruction: {word}{}", did_you_mean(.closest))]
    Unknown {
        /// As written.
        word: String,
        /// The one that differs least, when it differs little.
        closest: Option<&'static str>,
    },
    /// `RUN` before `FROM`.
    #[error("no build stage in current context")]
    NoStage,
    /// `FROM` and not 1 or 3 words.
    #[error("FROM requires either one or three arguments")]
    From,
    /// Exactly one.
    #[error("{0} requires exactly one argument")]
    ExactlyOne(&'static str),
    /// At least one.
    #[error("{0} requires at least one argument")]
    AtLeastOne(&'static str),
    /// COPY and ADD.
    #[error(
        "{0} requires at least two arguments, but only one was provided. Destination could not be determined"
    )]
    NoDestination(&'static str),
    /// `=1`.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// A flag that does not exist.
    #[error("unknown flag: {word}{}", did_you_mean(.closest))]
    UnknownFlag {
        /// Without dashes.
        word: String,
        /// The one that differs least.
        closest: Option<&'static str>,
    },
    /// `--chown` without `=`.
    #[error("missing a value on flag: {0}")]
    NoFlagValue(String),
    /// `--link=maybe`.
    #[error("expecting boolean value for flag {0}, not: {1}")]
    FlagBoolean(String, String),
    /// Twice.
    #[error("duplicate flag specified: {0}")]
    RepeatedFlag(String),
    /// A stage's name.
    #[error(
        "invalid name for build stage: {0:?}, name can't start with a number or contain symbols"
    )]
    StageName(String),
    /// `HEALTHCHECK FOO`.
    #[error("Unknown type {0:?} in HEALTHCHECK (try CMD)")]
    HealthType(String),
    /// `HEALTHCHECK NONE x`.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthNone,
    /// `HEALTHCHECK CMD`.
    #[error("Missing command after HEALTHCHECK CMD")]
    HealthNoCommand,
    /// A duration.
    #[error("time: {0}")]
    Duration(String),
    /// Below a millisecond.
    #[error("Interval {0:?} cannot be less than 1ms")]
    Interval(String),
    /// `--retries`.
    #[error("--retries must be at least 0 and a number (not {0:?})")]
    Retries(String),
    /// `SHELL bash`.
    #[error("SHELL requires the arguments to be in JSON form")]
    ShellForm,
    /// `ONBUILD ONBUILD`.
    #[error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    OnbuildChain,
    /// `ONBUILD FROM`.
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    OnbuildTrigger(String),
    /// `VOLUME [""]`.
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    /// `RUN --network=foo`.
    #[error("invalid network mode {0:?}")]
    NetworkMode(String),
    /// `RUN --security=foo`.
    #[error("security mode {0:?} is not supported")]
    SecurityMode(String),
    /// `RUN --mount=…`.
    #[error("invalid mount {text:?}: {why}")]
    Mount {
        /// As written.
        text: String,
        /// Why.
        why: String,
    },
    /// Heredocs with a JSON list, or where they mean nothing.
    #[error("a here-document cannot be used with the exec form")]
    HeredocExec,
    /// A flag whose value has a grammar.
    #[error("invalid value {value:?} for flag {flag}: {why}")]
    FlagValue {
        /// Which.
        flag: &'static str,
        /// As written.
        value: String,
        /// What is expected.
        why: &'static str,
    },
}

fn did_you_mean(closest: &Option<&'static str>) -> String {
    closest.map_or_else(String::new, |word| format!(" (did you mean {word}?)"))
}

impl ParseErrorKind {
    /// Found while lines are made into words; Docker tells it without a line number.
    fn is_of_the_file(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::NoText(_)
                | Self::TooLarge(_)
                | Self::LineTooLong(_)
                | Self::TooManyInstructions(_)
                | Self::Escape(_)
                | Self::RepeatedDirective(_)
                | Self::Heredoc(_)
                | Self::NotStrings
                | Self::TwoArguments(_)
                | Self::NoEquals(_)
        )
    }

    /// What a learner has to know to mend it.
    fn lesson(&self, text: &str) -> Option<String> {
        Some(match self {
            Self::From if text.contains(" #") || text.contains("\t#") => {
                "A # begins a comment only at the start of a line: here it and the words after it are arguments of FROM. \
                 Put the comment on a line of its own, above."
                    .into()
            }
            Self::From => "Expected: FROM IMAGE, or FROM IMAGE AS NAME.".into(),
            Self::Unknown { word, .. } => match closest(word, &KEYWORDS) {
                Some(known) => format!("Expected an instruction; the closest one is {known}."),
                None => format!("Expected an instruction: {}.", KEYWORDS.join(", ")),
            },
            Self::NoStage => "Only ARG may stand before the first FROM, which says what the image is built on.".into(),
            Self::NoDestination(name) => format!("Expected: {name} SOURCE... DESTINATION."),
            Self::TwoArguments(name) | Self::BlankName(name) => {
                format!("Expected: {name} NAME=VALUE, with quotes around a value that contains spaces.")
            }
            Self::NoEquals(word) => {
                format!("Each word after the first NAME=VALUE must have a = too: {word} has none. A value with spaces needs quotes.")
            }
            Self::NotStrings => "The exec form is a JSON list of strings in double quotes: [\"program\", \"argument\"].".into(),
            Self::ShellForm => "Expected a JSON list: SHELL [\"/bin/bash\", \"-c\"].".into(),
            Self::Heredoc(name) => format!("A line that holds nothing but {name} has to end it."),
            Self::StageName(_) => "A stage's name begins with a letter, and holds letters, digits, -, _ and dots.".into(),
            Self::Empty => "A Dockerfile begins with FROM.".into(),
            Self::Duration(_) => "Expected a number with its unit, such as 30s, 1m30s or 500ms.".into(),
            _ => return None,
        })
    }
}

impl Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            _ if self.kind.is_of_the_file() => {
                write!(f, "failed to parse Dockerfile: {}", self.kind)
            }
            _ if self.kind == ParseErrorKind::NoStage => write!(f, "{}", self.kind),
            Some(place) => write!(
                f,
                "dockerfile parse error on line {}: {}",
                place.line, self.kind
            ),
            None => write!(f, "dockerfile parse error: {}", self.kind),
        }
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// The error with the line it is about, a caret under the word, and what was expected.
    pub fn rendered(&self) -> String {
        let mut text = self.to_string();
        let source = self.place.as_ref().map_or("", |place| place.text.as_str());
        if let Some(place) = &self.place {
            place.draw(&mut text);
        }
        if let Some(lesson) = self.kind.lesson(source) {
            let _ = write!(text, "\n{lesson}");
        }
        text
    }
}

impl Place {
    /// Appends the line and a caret under the word.
    pub(super) fn draw(&self, text: &mut String) {
        /// More of a line helps nobody.
        const SHOWN: usize = 160;
        let skipped = if self.column + self.width > SHOWN {
            self.column - 1
        } else {
            0
        };
        let shown: String = self.text.chars().skip(skipped).take(SHOWN).collect();
        let number = self.line.to_string();
        // A tab stays a tab, so that the caret stands under the word.
        let indent: String = self
            .text
            .chars()
            .skip(skipped)
            .take(self.column - 1 - skipped)
            .map(|letter| if letter == '\t' { '\t' } else { ' ' })
            .collect();
        let width = self.width.clamp(1, SHOWN);
        let _ = write!(
            text,
            "\n {number} | {shown}\n {:1$} | {indent}{2}",
            "",
            number.len(),
            "^".repeat(width)
        );
    }
}

/// The word that differs least from `word`, when fewer than three letters do.
pub(super) fn closest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    if word.len() > 40 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (distance(&word, &known.to_ascii_lowercase()), *known))
        .filter(|(distance, _)| *distance < 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
