//! `kill`: sends a signal.

use std::os::fd::AsFd;

use kernel::process::{self, Signal};

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::switch;
use crate::oci_cli::record::{Container, Status};

pub(super) const COMMAND: Command = Command {
    name: "kill",
    help: "sends the specified signal (default: SIGTERM) to the container's init process",
    arguments: "<container-id> [signal]",
    flags: &[switch(
        &["all", "a"],
        "send the specified signal to all processes inside the container",
    )],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let (id, word) = match call.arguments.as_slice() {
        [id] => (id, "SIGTERM"),
        [id, signal] => (id, signal.as_str()),
        _ => {
            return Err(CliError::Arguments {
                command: "kill",
                expected: "requires a container's ID and at most one signal",
            });
        }
    };
    let number = signal::number(word);
    let number = number.ok_or_else(|| CliError::State(format!("unknown signal {word:?}")))?;
    let container = Container::load(call.global, id)?;
    send(&container, Signal(number), call.given.is_on("all"))?;
    Ok(0)
}

/// Sends a signal to the first process or to all of them.
pub(super) fn send(container: &Container, signal: Signal, all: bool) -> Result<(), CliError> {
    let failed = |source| CliError::Kernel {
        what: "cannot send the signal",
        source,
    };
    if all {
        let group = container.group().ok_or(CliError::NotRunning)?;
        if signal == Signal::KILL {
            return group.kill().map_err(failed);
        }
        for pid in group.processes() {
            // It may have ended meanwhile.
            let _ = process::kill(pid, signal);
        }
        return Ok(());
    }
    let init = container.init()?;
    process::pidfd_send_signal(init.as_fd(), signal).map_err(failed)?;
    // A frozen process dies only when it is thawed.
    if signal == Signal::KILL
        && container.status() == Status::Paused
        && let Some(group) = container.group()
    {
        group.thaw().map_err(failed)?;
    }
    Ok(())
}

mod signal {
    //! Names and numbers of signals.

    /// In the order of their numbers, from 1; see signal(7).
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    /// The number of a signal by number or name, with or without `SIG`.
    pub(super) fn number(word: &str) -> Option<i32> {
        if let Ok(number) = word.parse::<i32>() {
            return (1..=64).contains(&number).then_some(number);
        }
        let upper = word.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let real_time = |rest: &str, from: i32, sign: i32| {
            let offset = match rest {
                "" => 0,
                rest => rest.get(1..)?.parse::<i32>().ok()?,
            };
            let number = from + sign * offset;
            (34..=64).contains(&number).then_some(number)
        };
        if let Some(rest) = name.strip_prefix("RTMIN") {
            return real_time(rest, 34, 1);
        }
        if let Some(rest) = name.strip_prefix("RTMAX") {
            return real_time(rest, 64, -1);
        }
        let name = match name {
            "CLD" => "CHLD",
            "IOT" => "ABRT",
            "POLL" => "IO",
            name => name,
        };
        let place = NAMES.iter().position(|known| *known == name)?;
        i32::try_from(place + 1).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn signals_have_names_and_numbers() {
            for (word, expected) in [
                ("9", Some(9)),
                ("SIGTERM", Some(15)),
                ("kill", Some(9)),
                ("SYS", Some(31)),
                ("RTMIN+3", Some(37)),
                ("SIGRTMAX-1", Some(63)),
                ("0", None),
                ("65", None),
                ("FLY", None),
            ] {
                assert_eq!(number(word), expected, "{word}");
            }
        }
    }
}
