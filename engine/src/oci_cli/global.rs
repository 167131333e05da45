//! The options in front of the command.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::flags::{self, Flag, switch, value};

/// What holds for every command.
#[derive(Debug)]
pub(super) struct Global {
    /// Where containers are kept, one directory each.
    pub(super) root: PathBuf,
    /// Where errors are written besides standard error.
    pub(super) log: Option<PathBuf>,
    /// How.
    pub(super) format: LogFormat,
    /// Whether more is told than errors.
    pub(super) debug: bool,
    /// Whether a cgroup that cannot be made is no error.
    pub(super) rootless: bool,
    /// What is left of `-h` and `-v`.
    pub(super) ask: Option<Ask>,
}

/// How errors are written into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFormat {
    /// `time="…" level=error msg="…"`.
    Text,
    /// A JSON object per line.
    Json,
}

/// A question that needs no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

pub(super) const FLAGS: &[Flag] = &[
    switch(&["debug"], "enable debug logging"),
    value(
        &["log"],
        "set the log file to write errors to (default: standard error)",
    ),
    value(&["log-format"], "set the log format (\"text\" or \"json\")"),
    value(&["root"], "root directory for storage of container state"),
    value(
        &["criu"],
        "accepted and unused: checkpoints are not supported",
    ),
    switch(
        &["systemd-cgroup"],
        "not supported: use the cgroupfs driver",
    ),
    value(
        &["rootless"],
        "ignore cgroup permission errors (\"true\", \"false\", or \"auto\")",
    ),
    switch(&["help", "h"], "show help"),
    switch(&["version", "v"], "print the version"),
];

impl Global {
    /// Reads them; the rest are the command and its words.
    pub(super) fn parse(words: Vec<String>) -> Result<(Self, Vec<String>), CliError> {
        let (given, words) = flags::parse(FLAGS, words)?;
        if given.is_on("systemd-cgroup") {
            return Err(CliError::Unsupported(
                "--systemd-cgroup: this runtime has no systemd driver, use cgroupfs",
            ));
        }
        let ordinary = kernel::process::effective_uid() != 0;
        let rootless = match given.last("rootless") {
            None | Some("auto") => ordinary || !kernel_root(),
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                return Err(CliError::BadValue {
                    flag: "rootless".to_owned(),
                    value: other.to_owned(),
                });
            }
        };
        let format = match given.last("log-format") {
            None | Some("text" | "") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                return Err(CliError::BadValue {
                    flag: "log-format".to_owned(),
                    value: other.to_owned(),
                });
            }
        };
        let ask = if given.is_on("help") {
            Some(Ask::Help)
        } else {
            given.is_on("version").then_some(Ask::Version)
        };
        let global = Self {
            root: given.last("root").map_or_else(
                || default_root(ordinary || is_root_of_a_user()),
                PathBuf::from,
            ),
            log: given
                .last("log")
                .filter(|l| !l.is_empty())
                .map(PathBuf::from),
            format,
            debug: given.is_on("debug"),
            rootless,
            ask,
        };
        Ok((global, words))
    }

    /// The directory of one container.
    pub(super) fn container(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }
}

/// Whether the ids of this process are the host's own: then a refusal is no matter of course.
fn kernel_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut words = map.split_whitespace();
    words.next() == Some("0") && words.next() == Some("0")
}

/// Whether an ordinary user's engine calls, as root of a user namespace: then `/run` is not ours. As runc decides it.
fn is_root_of_a_user() -> bool {
    !kernel_root() && std::env::var_os("USER").is_none_or(|user| user != "root")
}

fn default_root(ordinary: bool) -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| ordinary);
    own.map_or_else(|| PathBuf::from("/run"), PathBuf::from)
        .join(Path::new("quai-runtime"))
}
