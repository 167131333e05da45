//! Raw options: what a command accepts, and the words of one call sorted into it.
//!
//! The rules are those of Docker's own parser, because scripts depend on them: `--name x` and
//! `--name=x`, `-it`, `-p80:80`, `--rm=false`, `--` ends the options, and for `run` and `exec`
//! the first operand does. An option that is not in a command's table is an error.

use std::collections::HashMap;

use super::options::{duration, mounts, size, ulimit};

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
            Self::List("mount") => mounts::mount(value).err(),
            Self::List("ulimit") => ulimit::parse(value).err(),
            Self::Text(_) | Self::List(_) => None,
            Self::Switch => boolean(value)
                .is_none()
                .then(|| format!("strconv.ParseBool: parsing \"{value}\": invalid syntax")),
            Self::Int => value
                .parse::<i64>()
                .is_err()
                .then(|| format!("strconv.ParseInt: parsing \"{value}\": invalid syntax")),
            Self::Bytes => size::parse(value)
                .is_none()
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
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            short: None,
            kind,
            default: "",
            about,
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

    /// How error messages name it: `-m, --memory` or `--memory`.
    fn spelled(&self) -> String {
        match self.short {
            Some(letter) => format!("-{letter}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }
}

/// Whether options may stand after operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Anywhere: `docker rm web -f`.
    Anywhere,
    /// Only before the first operand: `docker run busybox ls -l`.
    First,
}

/// Why the words of a call cannot be sorted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FlagError {
    /// A long option that the command does not have.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// A one-letter option that the command does not have.
    #[error("unknown shorthand flag: '{letter}' in -{cluster}")]
    UnknownShort {
        /// The letter.
        letter: char,
        /// The word it was in.
        cluster: String,
    },
    /// An option at the end of the line whose value is missing.
    #[error("flag needs an argument: {0}")]
    NeedsValue(String),
    /// A value that is not of the option's kind.
    #[error("invalid argument \"{value}\" for \"{flag}\" flag: {why}")]
    Invalid {
        /// The option.
        flag: String,
        /// What was given.
        value: String,
        /// Why it does not fit.
        why: String,
    },
}

/// The sorted words of one call.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    values: HashMap<&'static str, Vec<String>>,
    defaults: HashMap<&'static str, &'static str>,
    /// What is not an option, in order.
    pub(crate) operands: Vec<String>,
    /// Whether `--help` was among the options.
    pub(crate) help: Option<Help>,
    /// The words by which the command was reached (`container ls`).
    pub(crate) path: String,
}

/// `--help` was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Help;

impl Matches {
    /// Sorts `words` by the options in `flags`.
    pub(crate) fn parse(
        flags: &[&'static [Flag]],
        words: &[String],
        order: Order,
    ) -> Result<Self, FlagError> {
        let mut found = Self::default();
        for flag in flags.iter().flat_map(|group| group.iter()) {
            found.defaults.insert(flag.name, flag.default);
        }
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                found.operands.extend(rest.cloned());
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                found.long(flags, long, &mut rest)?;
            } else if word.len() > 1 && word.starts_with('-') {
                found.cluster(flags, &word[1..], &mut rest)?;
            } else {
                found.operands.push(word.clone());
                if order == Order::First {
                    found.operands.extend(rest.cloned());
                    break;
                }
            }
        }
        Ok(found)
    }

    fn long<'w>(
        &mut self,
        flags: &[&'static [Flag]],
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), FlagError> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let Some(flag) = find(flags, |flag| flag.name == name) else {
            if name == "help" {
                self.help = Some(Help);
                return Ok(());
            }
            return Err(FlagError::Unknown(name.to_owned()));
        };
        let value = match (value, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Switch) => "true".to_owned(),
            (None, _) => rest
                .next()
                .cloned()
                .ok_or_else(|| FlagError::NeedsValue(format!("--{name}")))?,
        };
        self.put(flag, value)
    }

    fn cluster<'w>(
        &mut self,
        flags: &[&'static [Flag]],
        cluster: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), FlagError> {
        for (at, letter) in cluster.char_indices() {
            let Some(flag) = find(flags, |flag| flag.short == Some(letter)) else {
                if letter == 'h' {
                    self.help = Some(Help);
                    return Ok(());
                }
                let cluster = cluster.to_owned();
                return Err(FlagError::UnknownShort { letter, cluster });
            };
            let after = &cluster[at + letter.len_utf8()..];
            if let Some(value) = after.strip_prefix('=') {
                return self.put(flag, value.to_owned());
            }
            if flag.kind == Kind::Switch {
                self.put(flag, "true".to_owned())?;
                continue;
            }
            let value = if after.is_empty() {
                rest.next()
                    .cloned()
                    .ok_or_else(|| FlagError::NeedsValue(format!("'{letter}' in -{cluster}")))?
            } else {
                after.to_owned()
            };
            return self.put(flag, value);
        }
        Ok(())
    }

    fn put(&mut self, flag: &'static Flag, value: String) -> Result<(), FlagError> {
        if let Some(why) = flag.kind.refuse(&value) {
            return Err(FlagError::Invalid {
                flag: flag.spelled(),
                value,
                why,
            });
        }
        let values = self.values.entry(flag.name).or_default();
        if !matches!(flag.kind, Kind::List(_)) {
            values.clear();
        }
        values.push(value);
        Ok(())
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &'static str) -> bool {
        let value = self.text(name).unwrap_or("false");
        boolean(value).unwrap_or(false)
    }

    /// Whether the option was given at all.
    pub(crate) fn given(&self, name: &'static str) -> bool {
        self.values.contains_key(name)
    }

    /// The value that was given, or the default when there is one.
    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        debug_assert!(self.defaults.contains_key(name), "no such option: {name}");
        match self.values.get(name).and_then(|values| values.last()) {
            Some(value) => Some(value),
            None => self
                .defaults
                .get(name)
                .copied()
                .filter(|text| !text.is_empty()),
        }
    }

    /// Every value of an option that may be repeated.
    pub(crate) fn all(&self, name: &'static str) -> &[String] {
        debug_assert!(self.defaults.contains_key(name), "no such option: {name}");
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A whole number.
    pub(crate) fn int(&self, name: &'static str) -> Option<i64> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    /// A size, in bytes.
    pub(crate) fn bytes(&self, name: &'static str) -> Option<i64> {
        self.text(name).and_then(size::parse)
    }

    /// A duration, in nanoseconds.
    pub(crate) fn nanos(&self, name: &'static str) -> Option<i64> {
        self.text(name).and_then(duration::parse)
    }

    /// A decimal number.
    pub(crate) fn decimal(&self, name: &'static str) -> Option<f64> {
        self.text(name).and_then(|text| text.parse().ok())
    }
}

fn find(flags: &[&'static [Flag]], wanted: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    flags
        .iter()
        .flat_map(|group| group.iter())
        .find(|flag| wanted(flag))
}

/// The spellings of a boolean that Docker's parser accepts.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::switch("rm", ""),
        Flag::switch("interactive", "").short('i'),
        Flag::switch("tty", "").short('t'),
        Flag::text("name", ""),
        Flag::list("env", "").short('e'),
        Flag::bytes("memory", "").short('m'),
        Flag::int("last", "").short('n').default("-1"),
    ];

    fn parse(line: &str, order: Order) -> Result<Matches, FlagError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Matches::parse(&[FLAGS], &words, order)
    }

    #[test]
    fn options_end_at_the_image_of_run() {
        let found = parse("-it --rm -e A=1 -eB=2 busybox ls -l --rm=x", Order::First).unwrap();
        assert!(found.on("interactive") && found.on("tty") && found.on("rm"));
        assert_eq!(found.all("env"), ["A=1", "B=2"]);
        assert_eq!(found.operands, ["busybox", "ls", "-l", "--rm=x"]);
    }

    #[test]
    fn options_may_follow_operands_elsewhere() {
        let found = parse("web --rm=false -n 3 -- -x", Order::Anywhere).unwrap();
        assert!(!found.on("rm") && found.given("rm"));
        assert_eq!(found.int("last"), Some(3));
        assert_eq!(found.operands, ["web", "-x"]);
    }

    #[track_caller]
    fn refused(line: &str, message: &str) {
        assert_eq!(parse(line, Order::First).unwrap_err().to_string(), message);
    }

    #[test]
    fn errors_are_worded_as_docker_words_them() {
        refused("--foo", "unknown flag: --foo");
        refused("-iz", "unknown shorthand flag: 'z' in -iz");
        refused("--name", "flag needs an argument: --name");
        refused("-e", "flag needs an argument: 'e' in -e");
        refused(
            "-m abc",
            "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'",
        );
    }
}
