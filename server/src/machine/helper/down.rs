//! The command `quai down [--purge]`: ends all machines, and with `--purge` forgets them.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kernel::lock::FileLock;

use super::machines::{MachineFault, Machines};
use super::owner::Owner;
use crate::machine::data::DataDir;
use crate::machine::stage::story;

/// Stop every machine of this host.
#[derive(Parser)]
#[command(name = "quai down")]
struct Args {
    /// Also remove their disks.
    #[arg(long)]
    purge: bool,
    /// The folder of `quai local`.
    #[arg(long, default_value = "/var/lib/quai")]
    data: PathBuf,
}

/// Runs the command with the words after `down`.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let args = Args::parse_from(std::iter::once("quai down".into()).chain(words));
    if kernel::process::effective_uid() != 0 {
        eprintln!("quai down: machines belong to root; run it with sudo");
        return ExitCode::FAILURE;
    }
    if !args.data.is_dir() {
        eprintln!(
            "quai down: {} does not exist; `quai local` makes it",
            args.data.display()
        );
        return ExitCode::FAILURE;
    }
    let data = DataDir::new(args.data);
    // A helper in office would start again what is stopped here.
    let Ok(_lock) = FileLock::try_now(&data.helper_lock()) else {
        eprintln!(
            "quai down: `quai local` is running on {}; stop it first",
            data.path().display()
        );
        return ExitCode::FAILURE;
    };
    match end_all(data, args.purge) {
        Ok(count) => {
            let _ = writeln!(std::io::stdout(), "{count}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("quai down: {}", story(&error));
            ExitCode::FAILURE
        }
    }
}

fn end_all(data: DataDir, purge: bool) -> Result<usize, MachineFault> {
    let mut machines = Machines::adopt(data, Owner::choose())?;
    let all = machines.list()?;
    for machine in &all {
        if purge {
            machines.delete(&machine.id)?;
        } else {
            machines.stop(&machine.id)?;
        }
    }
    machines.remove_group()?;
    Ok(all.len())
}
