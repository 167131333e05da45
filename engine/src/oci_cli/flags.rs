//! Options in front of a command's arguments, as Go's programs spell them: `--name value`,
//! `--name=value`, `-n value`, and one hyphen for a long name too.

use super::error::CliError;

/// An option of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// Its names, without hyphens; the first is how it is asked for.
    names: &'static [&'static str],
    takes: Takes,
    help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// An option without a value.
pub(super) const fn switch(names: &'static [&'static str], help: &'static str) -> Flag {
    Flag {
        names,
        takes: Takes::Nothing,
        help,
    }
}

/// An option with a value; given several times it has several.
pub(super) const fn value(names: &'static [&'static str], help: &'static str) -> Flag {
    Flag {
        names,
        takes: Takes::Value,
        help,
    }
}

/// What was found in front of the arguments.
#[derive(Debug, Default)]
pub(super) struct Given {
    found: Vec<(&'static str, String)>,
}

impl Given {
    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.last(name) == Some("true")
    }

    /// The value given last.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        let this = |(found, _): &&(&str, String)| *found == name;
        let value = self.found.iter().rev().find(this);
        value.map(|(_, value)| value.as_str())
    }

    /// Every value given.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let this = move |(found, _): &&(&str, String)| *found == name;
        self.found
            .iter()
            .filter(this)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads options up to the first word that is none, or to `--`; the rest are arguments.
pub(super) fn parse(table: &[Flag], words: Vec<String>) -> Result<(Given, Vec<String>), CliError> {
    let mut given = Given::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word.len() > 1) {
        if word == "--" {
            break;
        }
        let bare = word.trim_start_matches('-');
        let (name, inline) = match bare.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (bare, None),
        };
        let flag = table.iter().find(|flag| flag.names.contains(&name));
        let flag = flag.ok_or_else(|| CliError::UnknownFlag(name.to_owned()))?;
        let value = match (flag.takes, inline) {
            (_, Some(value)) => value,
            (Takes::Nothing, None) => "true".to_owned(),
            (Takes::Value, None) => {
                let next = words.next();
                next.ok_or_else(|| CliError::FlagWithoutValue(name.to_owned()))?
            }
        };
        if flag.takes == Takes::Nothing && !matches!(value.as_str(), "true" | "false") {
            return Err(CliError::BadValue {
                flag: name.to_owned(),
                value,
            });
        }
        given.found.push((flag.names[0], value));
    }
    Ok((given, words.collect()))
}

/// A line of help for each option.
pub(super) fn help(table: &[Flag]) -> String {
    let line = |flag: &Flag| {
        let hyphens = |name: &&str| {
            let hyphens = if name.len() == 1 { "-" } else { "--" };
            format!("{hyphens}{name}")
        };
        let names: Vec<_> = flag.names.iter().map(hyphens).collect();
        let value = match flag.takes {
            Takes::Nothing => "",
            Takes::Value => " value",
        };
        let left = format!("{}{value}", names.join(", "));
        format!("   {left:<30}  {}\n", flag.help)
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] = &[
        value(&["bundle", "b"], ""),
        switch(&["detach", "d"], ""),
        value(&["env", "e"], ""),
    ];

    fn read(words: &[&str]) -> Result<(Given, Vec<String>), CliError> {
        parse(TABLE, words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn every_spelling_is_read() {
        let (given, rest) =
            read(&["-b", "/x", "--detach", "-e=A=1", "--env", "B=2", "id", "-l"]).unwrap();
        assert_eq!(given.last("bundle"), Some("/x"));
        assert!(given.is_on("detach"));
        assert_eq!(given.all("env").collect::<Vec<_>>(), ["A=1", "B=2"]);
        assert_eq!(rest, ["id", "-l"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(read(&["--fly", "id"]).is_err());
        assert!(read(&["--bundle"]).is_err());
        assert!(read(&["--detach=perhaps"]).is_err());
    }
}
