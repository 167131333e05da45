//! The words of a mount's options; see mount(8) and the OCI runtime specification, "Mounts".

use super::{Flag, Propagation, Reach, Way};

/// What one word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// What is so anyway.
    Nothing,
    /// A copy of a file or directory.
    Bind(Reach),
    /// The mount forbids something.
    Set(Flag, Reach),
    /// The mount allows something again.
    Clear(Flag, Reach),
    /// How mount events travel.
    Travel(Propagation),
    /// The file system begins with what it covers.
    CopyUp,
    /// Owners are seen through a map.
    IdMap(Reach),
    /// A mount is changed that is there already.
    Remount,
    /// A parameter of the file system, with an empty value for a flag.
    Data(String, String),
}

/// What every word but the parameters of file systems does. `rro` and its like reach the mounts
/// below.
const FLAGS: [(&str, Flag, bool); 16] = [
    ("ro", Flag::ReadOnly, true),
    ("rw", Flag::ReadOnly, false),
    ("nosuid", Flag::NoSuid, true),
    ("suid", Flag::NoSuid, false),
    ("nodev", Flag::NoDev, true),
    ("dev", Flag::NoDev, false),
    ("noexec", Flag::NoExec, true),
    ("exec", Flag::NoExec, false),
    ("noatime", Flag::NoAtime, true),
    ("atime", Flag::NoAtime, false),
    ("nodiratime", Flag::NoDirAtime, true),
    ("diratime", Flag::NoDirAtime, false),
    ("relatime", Flag::RelAtime, true),
    ("norelatime", Flag::RelAtime, false),
    ("strictatime", Flag::StrictAtime, true),
    ("nostrictatime", Flag::StrictAtime, false),
];

const WAYS: [(&str, Way); 4] = [
    ("private", Way::Private),
    ("slave", Way::Slave),
    ("shared", Way::Shared),
    ("unbindable", Way::Unbindable),
];

const NOTHING: [&str; 10] = [
    "defaults",
    "async",
    "nomand",
    "nolazytime",
    "noiversion",
    "loud",
    "silent",
    "noacl",
    "acl",
    "",
];

/// Understands a word.
pub(crate) fn parse(word: &str) -> Word {
    if NOTHING.contains(&word) {
        return Word::Nothing;
    }
    match word {
        "bind" => return Word::Bind(Reach::One),
        "rbind" => return Word::Bind(Reach::Tree),
        "tmpcopyup" => return Word::CopyUp,
        "idmap" => return Word::IdMap(Reach::One),
        "ridmap" => return Word::IdMap(Reach::Tree),
        "remount" => return Word::Remount,
        _ => {}
    }
    if let Some(found) = flag(word, Reach::One).or_else(|| travel(word, Reach::One)) {
        return found;
    }
    if let Some(rest) = word.strip_prefix('r')
        && let Some(found) = flag(rest, Reach::Tree).or_else(|| travel(rest, Reach::Tree))
    {
        return found;
    }
    match word.split_once('=') {
        Some((key, value)) => Word::Data(key.to_owned(), value.to_owned()),
        None => Word::Data(word.to_owned(), String::new()),
    }
}

fn flag(word: &str, reach: Reach) -> Option<Word> {
    match word {
        "nosymfollow" => return Some(Word::Set(Flag::NoSymlinks, reach)),
        "symfollow" => return Some(Word::Clear(Flag::NoSymlinks, reach)),
        _ => {}
    }
    let (_, flag, set) = FLAGS.iter().find(|(name, ..)| *name == word)?;
    Some(match set {
        true => Word::Set(*flag, reach),
        false => Word::Clear(*flag, reach),
    })
}

fn travel(word: &str, reach: Reach) -> Option<Word> {
    let (_, way) = WAYS.iter().find(|(name, _)| *name == word)?;
    Some(Word::Travel(Propagation { way: *way, reach }))
}

/// Every word that means something to a mount, for `features`.
pub fn words() -> Vec<String> {
    let flags = FLAGS.iter().map(|(name, ..)| *name);
    let plain: Vec<&str> = flags
        .chain(["nosymfollow", "symfollow"])
        .chain(WAYS.iter().map(|(name, _)| *name))
        .collect();
    let deep = plain.iter().map(|name| format!("r{name}"));
    let others = ["bind", "rbind", "tmpcopyup", "idmap", "ridmap"];
    let mut all: Vec<String> = plain
        .iter()
        .map(|&name| name.to_owned())
        .chain(deep)
        .chain(others.map(str::to_owned))
        .chain(
            NOTHING
                .iter()
                .filter(|n| !n.is_empty())
                .map(|&n| n.to_owned()),
        )
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_by_what_they_act_on() {
        assert_eq!(parse("rro"), Word::Set(Flag::ReadOnly, Reach::Tree));
        assert_eq!(parse("rw"), Word::Clear(Flag::ReadOnly, Reach::One));
        assert_eq!(parse("relatime"), Word::Set(Flag::RelAtime, Reach::One));
        let slave = Propagation {
            way: Way::Slave,
            reach: Reach::Tree,
        };
        assert_eq!(parse("rslave"), Word::Travel(slave));
        let size = Word::Data("size".into(), "64k".into());
        assert_eq!(parse("size=64k"), size);
        let flag = Word::Data("newinstance".into(), String::new());
        assert_eq!(parse("newinstance"), flag);
    }
}
