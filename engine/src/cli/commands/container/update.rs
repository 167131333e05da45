//! `docker update`: other limits for containers that exist.

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Checked, Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

use super::create_body::restart_policy;
use super::create_limits::update_limits;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container update", "update"],
    about: "Update configuration of one or more containers",
    synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::uint16(
        "blkio-weight",
        "Relative weight of block I/O, from 10 to 1000; 0 disables it",
    ),
    Flag::int(
        "cpu-period",
        "Length of the CPU quota's period, in microseconds",
    ),
    Flag::int("cpu-quota", "CPU time per period, in microseconds"),
    Flag::int(
        "cpu-rt-period",
        "Length of the real-time quota's period, in microseconds",
    ),
    Flag::int(
        "cpu-rt-runtime",
        "Real-time CPU time per period, in microseconds",
    ),
    Flag::int("cpu-shares", "Relative weight of CPU time").short('c'),
    Flag::decimal("cpus", "Number of CPUs"),
    Flag::text("cpuset-cpus", "CPUs on which it may run (0-3, 0,1)"),
    Flag::text("cpuset-mems", "Memory nodes it may use (0-3, 0,1)"),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes("memory-reservation", "Soft memory limit"),
    Flag::bytes(
        "memory-swap",
        "Limit of memory plus swap; -1 for no limit on swap",
    )
    .checked(Checked::Unlimited),
    Flag::int("pids-limit", "Largest number of processes; -1 for no limit"),
    Flag::text("restart", "What to do when the container ends"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut body = update_limits(matches);
    if let Some(word) = matches.text("restart") {
        body.insert("RestartPolicy".into(), restart_policy(word)?);
    }
    if body.is_empty() {
        return Err(CliError::Said(
            "you must provide one or more flags when using this command".to_owned(),
        ));
    }
    each(&matches.operands, async |name| {
        let query = Query::new(&["containers", name, "update"]);
        let answer = session
            .client
            .post(&query, Payload::Json(body.clone().into()))
            .await?;
        for warning in answer["Warnings"].as_array().into_iter().flatten() {
            output::complain(warning.as_str().unwrap_or_default());
        }
        output::line(name)
    })
    .await
}
