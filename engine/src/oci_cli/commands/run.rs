//! `run`: creates and starts a container, and stays with it unless told not to.

use super::create::{self, Wait};
use super::{Call, Command, delete};
use crate::oci_cli::console;
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{Flag, switch};
use crate::oci_cli::log;
use crate::roles::bundle;

pub(super) const COMMAND: Command = Command {
    name: "run",
    help: "create and run a container",
    arguments: "<container-id>",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    create::BUNDLE,
    create::CONSOLE,
    create::PID_FILE,
    create::NO_PIVOT,
    create::NO_KEYRING,
    create::PRESERVE,
    switch(&["detach", "d"], "detach from the container's process"),
    switch(&["keep"], "do not delete the container after it exits"),
    switch(
        &["no-subreaper"],
        "accepted: this command is no subreaper anyway",
    ),
];

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let id = call.only_id("run")?;
    let detach = call.given.is_on("detach");
    let made = create::make(call, id, Wait::ForUs)?;
    if let Err(e) = made.process.go() {
        made.process.end();
        let _ = delete::remove(call.global, &made.container);
        return Err(e.into());
    }
    let hooks = &made.plan.hooks;
    let pid = Some(made.process.pid);
    if let Err(e) = bundle::run_hooks(hooks, &hooks.poststart, "running", pid) {
        log::warning(call.global, &e.to_string());
    }
    if detach {
        return Ok(0);
    }
    let code = console::stay_with(&made.process)?;
    if !call.given.is_on("keep") {
        delete::remove_with(call.global, &made.container, made.group)?;
    }
    Ok(code)
}
