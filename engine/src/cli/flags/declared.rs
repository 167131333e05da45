//! The options of commands, each documented once.

use crate::cli::options::{checks, duration, gpus, mounts, size, ulimit};

/// What an option's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Present or absent; `--x=false` is also understood.
    Switch,
    /// One word, named as the help names it.
    Text(&'static str),
    /// May be given several times; each value is kept whole.
    List(&'static str),
    /// A whole number.
    Int,
    /// A whole number from 0 up to a largest one, whose type in Go has this name.
    Uint(&'static str, u64),
    /// A size such as `64m`.
    Bytes,
    /// A duration such as `1m30s`.
    Duration,
    /// A decimal number.
    Decimal,
}

impl Kind {
    /// The word that stands for the value in a help text.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Switch => "",
            Self::Text(word) | Self::List(word) => word,
            Self::Int => "int",
            Self::Uint(word, _) => word,
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Decimal => "decimal",
        }
    }

    /// Why `value` cannot be one of these, in the words of Docker's parser.
    fn refuse(self, value: &str) -> Option<String> {
        match self {
            Self::List("filter") if !value.contains('=') => {
                Some("bad format of filter (expected name=value)".to_owned())
            }
            Self::List("gpu-request") => gpus::parse(value).err(),
            Self::List("mount") => mounts::mount(value).err(),
            Self::List("ulimit") => ulimit::parse(value).err(),
            Self::Text(_) | Self::List(_) => None,
            Self::Switch => boolean(value)
                .is_none()
                .then(|| format!("strconv.ParseBool: parsing \"{value}\": invalid syntax")),
            Self::Int => out_of(value, value.parse::<i64>().is_ok(), "ParseInt"),
            Self::Uint(_, most) => {
                let fits = value.parse::<u64>().is_ok_and(|number| number <= most);
                out_of(value, fits, "ParseUint")
            }
            Self::Bytes => size::parse(value)
                .is_none_or(|bytes| bytes < 0)
                .then(|| format!("invalid size: '{value}'")),
            Self::Duration => duration::parse(value)
                .is_none()
                .then(|| format!("time: invalid duration \"{value}\"")),
            Self::Decimal => value
                .parse::<f64>()
                .is_err()
                .then(|| format!("failed to parse {value} as a rational number")),
        }
    }
}

/// What else is asked of an option's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Nothing.
    Not,
    /// `NAME:IP`
    ExtraHost,
    /// An address.
    Dns,
    /// A parameter of a namespace.
    Sysctl,
    /// A size, or -1 for no limit.
    Unlimited,
}

/// One option, documented once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// The long name, without its dashes.
    pub(crate) name: &'static str,
    /// The one-letter name.
    pub(crate) short: Option<char>,
    /// What its value looks like.
    pub(crate) kind: Kind,
    /// The value taken when it is absent, as the help shows it.
    pub(crate) default: &'static str,
    /// One line for the help.
    pub(crate) about: &'static str,
    /// Another long name that is still understood, or nothing.
    pub(crate) older: &'static str,
    /// Whether the other name is warned about.
    pub(crate) is_deprecated: bool,
    /// What its values are besides words of its kind.
    pub(crate) checked: Checked,
    /// Why it cannot be had here, or nothing: `"--name" REFUSAL`.
    pub(crate) refusal: &'static str,
    /// Whether the help leaves it out.
    pub(crate) is_hidden: bool,
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            short: None,
            kind,
            default: "",
            about,
            older: "",
            is_deprecated: false,
            checked: Checked::Not,
            refusal: "",
            is_hidden: false,
        }
    }

    /// An option without value.
    pub(crate) const fn switch(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Switch, about)
    }

    /// An option with one word.
    pub(crate) const fn text(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Text("string"), about)
    }

    /// An option that may be repeated.
    pub(crate) const fn list(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::List("list"), about)
    }

    /// An option with a whole number.
    pub(crate) const fn int(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Int, about)
    }

    /// An option with a whole number that fits 16 bits without a sign.
    pub(crate) const fn uint16(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Uint("uint16", u16::MAX as u64), about)
    }

    /// An option that may be repeated, and whose values are separated by commas too.
    pub(crate) const fn strings(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::List("strings"), about)
    }

    /// An option with a size.
    pub(crate) const fn bytes(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Bytes, about)
    }

    /// An option with a duration.
    pub(crate) const fn duration(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Duration, about)
    }

    /// An option with a decimal number.
    pub(crate) const fn decimal(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Decimal, about)
    }

    /// Gives it a one-letter name.
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Says what it is when absent.
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = value;
        self
    }

    /// Names its value in the help.
    pub(crate) const fn word(mut self, word: &'static str) -> Self {
        self.kind = match self.kind {
            Kind::List(_) => Kind::List(word),
            _ => Kind::Text(word),
        };
        self
    }

    /// Gives it another name, for old scripts.
    pub(crate) const fn older(mut self, name: &'static str) -> Self {
        self.older = name;
        self
    }

    /// Gives it another name, which is warned about.
    pub(crate) const fn deprecated(mut self, name: &'static str) -> Self {
        self.older = name;
        self.is_deprecated = true;
        self
    }

    /// Says what its values are besides words of its kind.
    pub(crate) const fn checked(mut self, checked: Checked) -> Self {
        self.checked = checked;
        self
    }

    /// Why `value` cannot be one of its values.
    pub(super) fn refuse(&self, value: &str) -> Option<String> {
        let why = match self.checked {
            Checked::Not => None,
            Checked::ExtraHost => checks::extra_host(value).err(),
            Checked::Dns => checks::dns(value).err(),
            Checked::Sysctl => checks::sysctl(value).err(),
            Checked::Unlimited if value == "-1" => return None,
            Checked::Unlimited => None,
        };
        why.or_else(|| self.kind.refuse(value))
    }

    /// Says that it exists and why it cannot be had.
    pub(crate) const fn refused(mut self, why: &'static str) -> Self {
        self.refusal = why;
        self
    }

    /// Leaves it out of the help.
    pub(crate) const fn hidden(mut self) -> Self {
        self.is_hidden = true;
        self
    }

    /// How error messages name it: `-m, --memory` or `--memory`.
    pub(super) fn spelled(&self) -> String {
        match self.short {
            Some(letter) => format!("-{letter}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }
}

/// Why Go's parser refuses a number.
fn out_of(value: &str, fits: bool, parser: &str) -> Option<String> {
    if fits {
        return None;
    }
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let signless = parser == "ParseUint" && value.starts_with(['-', '+']);
    let why = if number && !signless {
        "value out of range"
    } else {
        "invalid syntax"
    };
    Some(format!("strconv.{parser}: parsing \"{value}\": {why}"))
}

/// The spellings of a boolean that Docker's parser accepts.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
