//! One file per command.

mod checkpoint;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod update;

use super::error::CliError;
use super::flags::{self, Flag, Given};
use super::global::{self, Ask, Global};
use super::text::print;

/// A command: its name, what it does, its options, and the code of a call.
pub(super) struct Command {
    name: &'static str,
    help: &'static str,
    arguments: &'static str,
    flags: &'static [Flag],
    run: fn(&Call<'_>) -> Result<i32, CliError>,
}

/// One call of a command.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) global: &'a Global,
    pub(super) given: Given,
    pub(super) arguments: Vec<String>,
}

const COMMANDS: &[&Command] = &[
    &checkpoint::COMMAND,
    &create::COMMAND,
    &delete::COMMAND,
    &events::COMMAND,
    &exec::COMMAND,
    &features::COMMAND,
    &kill::COMMAND,
    &list::COMMAND,
    &pause::COMMAND,
    &ps::COMMAND,
    &checkpoint::RESTORE,
    &pause::RESUME,
    &run::COMMAND,
    &spec::COMMAND,
    &start::COMMAND,
    &state::COMMAND,
    &update::COMMAND,
];

const HELP: Flag = flags::switch(&["help", "h"], "show help");

/// Runs a command; its exit code.
pub(super) fn run(global: &Global, words: Vec<String>) -> Result<i32, CliError> {
    match global.ask {
        Some(Ask::Version) => {
            print(&version());
            return Ok(0);
        }
        Some(Ask::Help) => {
            print(&usage());
            return Ok(0);
        }
        None => {}
    }
    let mut words = words.into_iter();
    let Some(name) = words.next() else {
        print(&usage());
        return Ok(0);
    };
    if matches!(name.as_str(), "help" | "h") {
        print(&usage());
        return Ok(0);
    }
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or(CliError::UnknownCommand(name))?;
    let mut table = command.flags.to_vec();
    table.push(HELP);
    let (given, arguments) = flags::parse(&table, words.collect())?;
    if given.is_on("help") {
        print(&command_usage(command));
        return Ok(0);
    }
    (command.run)(&Call {
        global,
        given,
        arguments,
    })
}

impl Call<'_> {
    /// The container's id, which is the only argument.
    fn only_id(&self, command: &'static str) -> Result<&str, CliError> {
        match self.arguments.as_slice() {
            [id] => Ok(id),
            _ => Err(CliError::Arguments {
                command,
                expected: "requires exactly 1 argument, the container's ID",
            }),
        }
    }
}

fn version() -> String {
    format!(
        "quai runtime version {}\nspec: {}\n",
        env!("CARGO_PKG_VERSION"),
        crate::oci::runtime_spec::VERSION
    )
}

fn usage() -> String {
    let line = |command: &&Command| format!("   {:<12}  {}\n", command.name, command.help);
    let commands: String = COMMANDS.iter().map(line).collect();
    format!(
        "NAME:\n   quai runtime - Open Container Initiative runtime\n\n\
         USAGE:\n   quai runtime [global options] command [command options] [arguments...]\n\n\
         COMMANDS:\n{commands}\nGLOBAL OPTIONS:\n{}",
        flags::help(global::FLAGS)
    )
}

fn command_usage(command: &Command) -> String {
    format!(
        "NAME:\n   quai runtime {} - {}\n\nUSAGE:\n   quai runtime {} [command options] {}\n\n\
         OPTIONS:\n{}",
        command.name,
        command.help,
        command.name,
        command.arguments,
        flags::help(command.flags)
    )
}
