//! Why a machine was not started or stopped, in the words of `web/messages/fr.toml`: the helper says it once, in its
//! reply; its log keeps the whole story in English.

use std::path::Path;

use web::messages::say;

use super::disk::DiskError;
use super::machines::MachineFault;
use super::ranges::RangeError;
use super::record::RecordError;
use super::start::StartError;
use super::verbs::{Failure, Verb};
use crate::machine::stage::story;

/// What is answered when a verb fails.
pub(super) fn failure(verb: &Verb, fault: &MachineFault) -> Failure {
    let verb = match verb {
        Verb::Start(_) => "start",
        Verb::Reset(_) => "reset",
        Verb::Stop { .. } => "stop",
        Verb::Delete { .. } => "delete",
        Verb::List => "list",
    };
    let (key, values) = cause(fault);
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    Failure {
        what: say(&format!("machine.failed-to.{verb}"), &[]),
        why: say(&format!("machine.cause.{key}"), &values),
        remedy: say(&format!("machine.remedy.{key}"), &values),
    }
}

/// The name of a cause, and what it is about.
type Cause = (&'static str, Vec<(&'static str, String)>);

fn cause(fault: &MachineFault) -> Cause {
    match fault {
        MachineFault::Start(error) => start(error),
        MachineFault::Range(error) => range(error),
        MachineFault::Record(error) => record(error),
        MachineFault::Uplink(error) => ("uplink", told(error)),
        MachineFault::Cable(error) => ("cable", told(error)),
        MachineFault::File { path, source } => file(path, source),
        MachineFault::End(error) | MachineFault::Groups(error) => ("kernel", told(error)),
        MachineFault::StillThere => ("still-there", Vec::new()),
    }
}

fn start(error: &StartError) -> Cause {
    match error {
        StartError::File { path, source } => file(path, source),
        StartError::Range(error) => range(error),
        StartError::Record(error) => record(error),
        StartError::Disk(error) => disk(error),
        StartError::Store(error) => ("store", told(error)),
        StartError::Image { name, .. } => ("image", vec![("name", name.clone())]),
        StartError::Groups(error) => ("groups", told(error)),
        StartError::Stage(_) | StartError::Channel(_) | StartError::Failed(_) => {
            ("kernel", told(error))
        }
        StartError::Uplink(error) => ("uplink", told(error)),
    }
}

fn range(error: &RangeError) -> Cause {
    match error {
        RangeError::Folder { path, source } => file(path, source),
        RangeError::Full { count } => ("ranges", vec![("count", count.to_string())]),
    }
}

fn record(error: &RecordError) -> Cause {
    match error {
        RecordError::File { path, source } => file(path, source),
        RecordError::Ended => ("ended", Vec::new()),
    }
}

fn disk(error: &DiskError) -> Cause {
    match error {
        DiskError::File { path, source } => file(path, source),
        DiskError::Format { path, why } => (
            "format",
            vec![("path", path.display().to_string()), ("why", why.clone())],
        ),
        DiskError::NoSpace { free, needed } => (
            "no-space",
            vec![("free", free.to_string()), ("needed", needed.to_string())],
        ),
        DiskError::Mount { source, .. } => ("kernel", told(source)),
    }
}

fn file(path: &Path, source: &std::io::Error) -> Cause {
    let path = path.display().to_string();
    ("file", vec![("path", path), ("why", source.to_string())])
}

/// The kernel's own words, for whoever can act on them.
fn told(error: &dyn std::error::Error) -> Vec<(&'static str, String)> {
    vec![("why", story(error))]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_cause_has_a_sentence_and_a_remedy() {
        let keys = [
            "uplink",
            "cable",
            "kernel",
            "still-there",
            "store",
            "image",
            "groups",
            "ranges",
            "ended",
            "format",
            "no-space",
            "file",
        ];
        for key in keys {
            for part in ["cause", "remedy"] {
                let key = format!("machine.{part}.{key}");
                assert!(web::messages::find(&key).is_some(), "{key}");
            }
        }
    }
}
