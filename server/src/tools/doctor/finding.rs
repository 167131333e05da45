//! One answer of the host, as data.

use web::messages::{find, say};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Name of the question: `fr.toml` has `doctor.NAME.good`, `.unknown`, `.warn`, `.fail` and `.remedy`.
    pub(crate) name: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// Values of the sentence.
    pub(crate) values: Vec<(&'static str, String)>,
}

/// How bad an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Good,
    /// The question needs root.
    Unknown,
    /// Some exercises, or comfort, are lost.
    Warn,
    /// No machine can be started.
    Fail,
}

impl Finding {
    /// An answer without values.
    pub(crate) fn new(name: &'static str, level: Level) -> Self {
        Self {
            name,
            level,
            values: Vec::new(),
        }
    }

    /// Adds a value.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// The answer in words.
    pub(crate) fn sentence(&self) -> String {
        let level = match self.level {
            Level::Good => "good",
            Level::Unknown => "unknown",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        self.say(level)
    }

    /// What to do, when something is to be done.
    pub(crate) fn remedy(&self) -> Option<String> {
        let key = format!("doctor.{}.remedy", self.name);
        let bad = matches!(self.level, Level::Warn | Level::Fail);
        (bad && find(&key).is_some()).then(|| self.say("remedy"))
    }

    /// What exercises call this in `requires`.
    pub(crate) fn capabilities(&self) -> &'static [&'static str] {
        match self.name {
            "cgroup-memory" => &["cgroup.memory"],
            "cgroup-cpu" => &["cgroup.cpu"],
            "cgroup-pids" => &["cgroup.pids"],
            "apparmor" => &["apparmor"],
            "seccomp" => &["seccomp"],
            "link-macvlan" => &["net.macvlan"],
            "link-ipvlan" => &["net.ipvlan"],
            "link-vlan" => &["net.vlan"],
            "link-vxlan" => &["net.vxlan"],
            "link-wireguard" => &["net.wireguard"],
            "ipsec-esp" => &["net.ipsec"],
            "sctp" => &["net.sctp"],
            _ => &[],
        }
    }

    fn say(&self, part: &str) -> String {
        let values: Vec<(&str, &str)> = self
            .values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        say(&format!("doctor.{}.{part}", self.name), &values)
    }
}
