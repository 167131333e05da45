//! Log drivers as clients ask for them: what is refused at `create`, and what the shim is told at `start`.
//!
//! Sentences are Docker's. `options` checks words, `tag` and `attributes` resolve what names the container, `plan`
//! puts it together.

mod attributes;
mod options;
mod plan;
mod tag;

pub(crate) use options::check;

use crate::logs::reader::Format;

use super::Daemon;
use super::container::ContainerRecord;

/// Drivers there are, for `docker info`.
pub(crate) const DRIVERS: [&str; 5] = ["gelf", "journald", "json-file", "local", "syslog"];

/// Where the log of a container can be read.
pub(crate) struct Readable {
    pub(crate) path: std::path::PathBuf,
    pub(crate) format: Format,
}

impl Daemon {
    /// The files that `logs` reads; `None` when the driver keeps nothing that can be read.
    pub(crate) fn readable_log(&self, record: &ContainerRecord) -> Option<Readable> {
        let log = &record.host_config.log_config;
        let dir = self.container_dir(&record.id);
        match log.kind.as_str() {
            "none" => None,
            "json-file" => Some(Readable {
                path: self.log_path(&record.id),
                format: Format::Json,
            }),
            "local" => Some(Readable {
                path: plan::local_path(&dir),
                format: Format::Frames,
            }),
            _ if options::is_cache_disabled(&log.config) => None,
            _ => Some(Readable {
                path: plan::cache_path(&dir),
                format: Format::Frames,
            }),
        }
    }
}
