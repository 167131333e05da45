//! The words of one call, sorted into the options of a command.

use std::collections::HashMap;

use super::declared::{Flag, Kind, boolean};
use crate::cli::options::{duration, size, words};

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
    /// An option that exists and cannot be had here.
    #[error("\"--{flag}\" {why}")]
    Refused {
        /// The option.
        flag: &'static str,
        /// Why not.
        why: &'static str,
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
    /// What to tell the user about old spellings.
    pub(crate) warnings: Vec<String>,
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
        let Some(flag) = find(flags, |flag| flag.name == name || flag.older == name) else {
            if name == "help" {
                self.help = Some(Help);
                return Ok(());
            }
            return Err(FlagError::Unknown(name.to_owned()));
        };
        if flag.older == name && flag.is_deprecated {
            self.warnings.push(format!(
                "Flag --{name} has been deprecated, use --{} instead",
                flag.name
            ));
        }
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
                    self.warnings
                        .push("Flag shorthand -h has been deprecated, use --help".to_owned());
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
        if let Some(why) = flag.refuse(&value) {
            return Err(FlagError::Invalid {
                flag: flag.spelled(),
                value,
                why,
            });
        }
        if !flag.refusal.is_empty() && value != flag.default {
            return Err(FlagError::Refused {
                flag: flag.name,
                why: flag.refusal,
            });
        }
        let values = self.values.entry(flag.name).or_default();
        match flag.kind {
            Kind::List("strings") => values.extend(words::fields(&value)),
            Kind::List(_) => values.push(value),
            _ => *values = vec![value],
        }
        Ok(())
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &'static str) -> bool {
        let value = self.text(name).unwrap_or("false");
        boolean(value).unwrap_or(false)
    }

    /// Whether the command has this option.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.defaults.contains_key(name)
    }

    /// Whether a switch was given as `--x=false`.
    pub(crate) fn switched_off(&self, name: &'static str) -> bool {
        self.given(name) && !self.on(name)
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
