//! The command `quai down [--purge]`: ends all machines, and with `--purge`, after asking, removes
//! all that `quai local` keeps.

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use kernel::lock::FileLock;
use web::messages::say;

use super::machines::{MachineFault, Machines};
use super::owner::Owner;
use crate::machine::data::DataDir;
use crate::machine::stage::story;

/// What becomes of the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disks {
    Keep,
    Remove,
}

/// What the words after `down` ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Help,
    End { data: PathBuf, disks: Disks },
}

/// Runs the command with the words after `down`.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let (data, disks) = match parse(words) {
        Ok(Wish::End { data, disks }) => (data, disks),
        Ok(Wish::Help) => return tell(&say("down.usage", &[])),
        Err(word) => {
            eprintln!("{}", say("down.usage-error", &[("word", &word)]));
            return ExitCode::from(2);
        }
    };
    match end_all(data, disks) {
        Ok(sentence) => tell(&sentence),
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the words; an error is the word that is not understood.
fn parse(words: Vec<OsString>) -> Result<Wish, String> {
    let mut data = PathBuf::from("/var/lib/quai");
    let mut disks = Disks::Keep;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(Wish::Help),
            Some("--purge") => disks = Disks::Remove,
            Some("--data") => data = words.next().ok_or("--data")?.into(),
            _ => return Err(word.to_string_lossy().into_owned()),
        }
    }
    Ok(Wish::End { data, disks })
}

/// Who closes the pipe early has seen enough.
fn tell(sentence: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{sentence}");
    ExitCode::SUCCESS
}

/// Ends them; both outcomes are sentences.
fn end_all(data: PathBuf, disks: Disks) -> Result<String, String> {
    if kernel::process::effective_uid() != 0 {
        return Err(say("down.root", &[]));
    }
    let shown = data.display().to_string();
    if !data.is_dir() {
        return Err(say("down.folder", &[("data", &shown)]));
    }
    if disks == Disks::Remove && !agreed(&say("down.ask", &[("data", &shown)])) {
        return Err(say("down.kept", &[]));
    }
    let data = DataDir::new(data);
    // A helper in office would start again what is stopped here.
    let _lock = FileLock::try_now(&data.helper_lock())
        .map_err(|_| say("down.busy", &[("data", &shown)]))?;
    let failed = |why: String| say("down.failed", &[("why", &why)]);
    let count = end(data.clone(), disks).map_err(|error| failed(story(&error)))?;
    if disks == Disks::Remove {
        forget(&data).map_err(|error| failed(story(&error)))?;
    }
    let key = match (count, disks) {
        (_, Disks::Remove) => "down.purged",
        (0, Disks::Keep) => "down.none",
        (_, Disks::Keep) => "down.stopped",
    };
    let count = count.to_string();
    Ok(say(key, &[("count", &count), ("data", &shown)]))
}

/// Asks on standard error; only the whole word agrees, and a closed input does not.
fn agreed(question: &str) -> bool {
    eprint!("{question} ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim() == say("down.yes", &[])
}

/// Removes what a server made in `DATA`, and nothing else that may lie there.
fn forget(data: &DataDir) -> Result<(), Forgetting> {
    for name in ["machines", "proof", "ranges", "run", "web", "store", "bin"] {
        let path = data.path().join(name);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Forgetting { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Why data is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove {path}")]
struct Forgetting {
    path: PathBuf,
    source: std::io::Error,
}

fn end(data: DataDir, disks: Disks) -> Result<usize, MachineFault> {
    let mut machines = Machines::adopt(data, Owner::choose())?;
    let all = machines.list()?;
    for machine in &all {
        match disks {
            Disks::Keep => machines.stop(&machine.id)?,
            Disks::Remove => machines.delete(&machine.id)?,
        }
    }
    machines.remove_group()?;
    Ok(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_named() {
        let read = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
        let purge = Wish::End {
            data: "/d".into(),
            disks: Disks::Remove,
        };
        assert_eq!(read(&["--purge", "--data", "/d"]), Ok(purge));
        assert_eq!(read(&["--purgee"]), Err("--purgee".into()));
        assert_eq!(read(&["--data"]), Err("--data".into()));
    }
}
