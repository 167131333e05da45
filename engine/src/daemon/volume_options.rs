//! Options of the local volume driver: what is mounted in place of a directory of the engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a container gets for a volume with options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mounted {
    /// A file or directory of the machine.
    Bind(PathBuf),
    /// A file system in memory, with its options. Each container gets one of its own.
    Tmpfs(String),
}

/// Each option, and those it needs.
const OPTIONS: [(&str, &[&str]); 4] = [
    ("type", &["device"]),
    ("device", &["type"]),
    ("o", &["device", "type"]),
    ("size", &[]),
];

/// Checks options in Docker's words; what this engine cannot mount is refused too.
pub(crate) fn check(options: &BTreeMap<String, String>) -> Result<(), String> {
    for key in options.keys() {
        let known = OPTIONS.iter().find(|(name, _)| name == key);
        let (_, needs) = known.ok_or_else(|| format!("invalid option: \"{key}\""))?;
        if let Some(missing) = needs.iter().find(|need| !options.contains_key(**need)) {
            return Err(format!("missing required option: \"{missing}\""));
        }
    }
    if options.contains_key("size") {
        return Err("quota size requested but no quota support".into());
    }
    match mounted(options) {
        Some(Mounted::Bind(_)) => match words(options).find(|word| !BIND_WORDS.contains(word)) {
            Some(word) => Err(format!(
                "the mount option {word:?} is not supported by this engine for a bind: say ro where the volume is used"
            )),
            None => Ok(()),
        },
        None if !options.is_empty() => Err(format!(
            "the type {:?} is not supported by this engine: use tmpfs, or none with o=bind",
            options.get("type").map(String::as_str).unwrap_or_default()
        )),
        _ => Ok(()),
    }
}

/// What is below a bind comes along, and whoever uses the volume says whether it may be written.
const BIND_WORDS: [&str; 3] = ["bind", "rbind", "rw"];

fn words(options: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    let text = options.get("o").map(String::as_str).unwrap_or_default();
    text.split(',').filter(|word| !word.is_empty())
}

/// What options mount.
pub(crate) fn mounted(options: &BTreeMap<String, String>) -> Option<Mounted> {
    let get = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = words(options).collect();
    let binds = words.iter().any(|word| matches!(*word, "bind" | "rbind"));
    match get("type") {
        "tmpfs" => Some(Mounted::Tmpfs(words.join(","))),
        "none" | "bind" | "" if binds && get("device").starts_with('/') => {
            Some(Mounted::Bind(get("device").into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn checked(pairs: &[(&str, &str)], expected: Result<(), &str>) {
        let options = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let found = check(&options.collect());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn options_need_each_other() {
        checked(&[], Ok(()));
        checked(&[("x", "y")], Err("invalid option: \"x\""));
        checked(
            &[("type", "tmpfs")],
            Err("missing required option: \"device\""),
        );
        checked(
            &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")],
            Ok(()),
        );
        checked(
            &[("type", "none"), ("device", "/srv"), ("o", "bind")],
            Ok(()),
        );
        checked(
            &[("type", "none"), ("device", "/srv"), ("o", "bind,ro")],
            Err(
                "the mount option \"ro\" is not supported by this engine for a bind: say ro where the volume is used",
            ),
        );
        checked(
            &[("type", "nfs"), ("device", ":/x")],
            Err("the type \"nfs\" is not supported by this engine: use tmpfs, or none with o=bind"),
        );
    }
}
