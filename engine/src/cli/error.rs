//! What goes wrong in a command, and the exit code it gives.

use super::flags::FlagError;
use super::template::TemplateError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The daemon answered with an error.
    #[error("Error response from daemon: {message}")]
    Daemon {
        /// The HTTP status.
        status: u16,
        /// The daemon's sentence.
        message: String,
    },
    /// Nobody listens at the daemon's address.
    #[error("Cannot connect to the Docker daemon at {host}. Is the docker daemon running?")]
    Unreachable {
        /// The address.
        host: String,
    },
    /// The address exists and this user may not use it.
    #[error(
        "permission denied while trying to connect to the Docker daemon socket at {host}; \
         run the command as root, or as a member of the socket's group"
    )]
    Forbidden {
        /// The address.
        host: String,
    },
    /// The connection broke in the middle of an answer.
    #[error("error during connect: {doing}: {source}")]
    Broken {
        /// The request.
        doing: String,
        /// What hyper says.
        source: hyper::Error,
    },
    /// The answer is not what the API promises.
    #[error("invalid answer from daemon to {doing}: {why}")]
    Nonsense {
        /// The request.
        doing: String,
        /// What is wrong with it.
        why: String,
    },
    /// An option that cannot be understood.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A `--format` that cannot be executed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A file of this machine that cannot be used.
    #[error("{what} {path}: {}", plain(source))]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file of the client's settings that cannot be used.
    #[error("{what} {path}: {}", plain(source))]
    Setting {
        /// The system call.
        what: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A context that is not kept here.
    #[error("context \"{name}\": context not found: {source}")]
    NoContext {
        /// Its name.
        name: String,
        /// Where it would be.
        source: Box<CliError>,
    },
    /// The output cannot be written: usually a closed pipe.
    #[error("cannot write the output: {0}")]
    Output(#[source] std::io::Error),
    /// A stream to or from the daemon broke.
    #[error("cannot {doing}: {source}")]
    Stream {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The terminal refuses what is asked of it.
    #[error("cannot set the terminal: {0}")]
    Terminal(#[source] kernel::error::SysError),
    /// A sentence that needs no structure.
    #[error("{0}")]
    Said(String),
    /// A sentence, the command's usage and where to learn more.
    #[error("{message}\n\n{hint}")]
    Hinted {
        /// The error.
        message: String,
        /// What follows it.
        hint: String,
        /// The exit code.
        code: u8,
    },
    /// A sentence that has an exit code of its own.
    #[error("{message}")]
    Coded {
        /// The error.
        message: String,
        /// The exit code.
        code: u8,
    },
    /// Several objects failed, each for its own reason.
    #[error("{}", list(.0))]
    Several(Vec<CliError>),
}

impl CliError {
    /// The exit code of the command that failed so.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Hinted { code, .. } | Self::Coded { code, .. } => *code,
            _ => 1,
        }
    }

    /// Whether the daemon says that the object does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Daemon { status: 404, .. })
    }

    /// Whether whoever reads our output went away, which is no reason to complain.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// `Ok` when nothing failed, the only error alone, or all of them.
    pub(crate) fn gather(mut errors: Vec<CliError>) -> Result<u8, CliError> {
        match errors.len() {
            0 => Ok(0),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}

fn list(errors: &[CliError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// An I/O error as C programs word it: `no such file or directory`.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let sentence = text.split(" (os error").next().unwrap_or(&text);
    sentence.to_lowercase()
}
