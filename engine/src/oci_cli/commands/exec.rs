//! `exec`: a second process in a running container.

use std::path::Path;
use std::str::FromStr;

use kernel::apparmor;
use kernel::namespace::{self, Namespaces};
use oci_spec::runtime::{Capabilities, Capability, User};

use super::{Call, Command, create};
use crate::oci::runtime_spec::{self, Process, Spec};
use crate::oci_cli::console;
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{Flag, switch, value};
use crate::oci_cli::record::{Container, Status};
use crate::roles::bundle::{self, Place};
use crate::runtime::bundle as decide;

pub(super) const COMMAND: Command = Command {
    name: "exec",
    help: "execute new process inside the container",
    arguments: "<container-id> <command> [command options]  || -p process.json <container-id>",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    create::CONSOLE,
    value(&["cwd"], "current working directory in the container"),
    value(&["env", "e"], "set environment variables"),
    switch(&["tty", "t"], "allocate a pseudo-TTY"),
    value(&["user", "u"], "UID (format: <uid>[:<gid>])"),
    value(&["additional-gids", "g"], "additional gids"),
    value(&["process", "p"], "path to the process.json"),
    switch(&["detach", "d"], "detach from the container's process"),
    create::PID_FILE,
    value(&["apparmor"], "set the apparmor profile for the process"),
    switch(
        &["no-new-privs"],
        "set the no new privileges value for the process",
    ),
    value(
        &["cap", "c"],
        "add a capability to the bounding set for the process",
    ),
    create::PRESERVE,
    switch(&["ignore-paused"], "allow exec in a paused container"),
    value(&["cgroup"], "run the process in an (existing) sub-cgroup"),
];

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let given = &call.given;
    let Some((id, words)) = call.arguments.split_first() else {
        return Err(CliError::Arguments {
            command: "exec",
            expected: "requires the container's ID and a command, or a process file",
        });
    };
    let container = Container::load(call.global, id)?;
    match container.status() {
        Status::Stopped => {
            let words = "cannot exec in a stopped container";
            return Err(CliError::State(words.to_owned()));
        }
        Status::Paused if !given.is_on("ignore-paused") => {
            let words = "cannot exec in a paused container (use --ignore-paused to override)";
            return Err(CliError::State(words.to_owned()));
        }
        _ => {}
    }
    let spec = container.config()?;
    let wanted = process(call, &spec, words)?;
    let mut plan = decide::process(&wanted, &spec)?;
    let affinity = decide::affinity(&wanted)?;
    plan.special.schedule.processors = affinity.last;
    if let Some(processors) = &affinity.first {
        kernel::process::set_affinity(processors).map_err(|source| CliError::Kernel {
            what: "cannot choose the processors",
            source,
        })?;
    }
    plan.special.passed = create::passed(call)?;
    if let Some(listener) = &mut plan.special.listener {
        listener.subject = container.record.hooks.subject.clone();
        "running".clone_into(&mut listener.status);
        listener.container = i32::try_from(container.record.pid).ok();
    }
    if let Some(name) = plan.apparmor.as_ref().filter(|_| !apparmor::enabled()) {
        return Err(create::no_apparmor(name));
    }
    let detach = given.is_on("detach");
    let console = given.last("console-socket");
    if plan.terminal.is_some() && detach && console.is_none() {
        return Err(CliError::Unsupported(
            "cannot allocate tty if runtime will detach without setting console socket",
        ));
    }
    let init = container.init()?;
    let group = container.group().map(|group| match given.last("cgroup") {
        Some(below) => group.child(below.trim_start_matches('/')),
        None => group,
    });
    let place = Place {
        init: &init,
        group: group.as_ref(),
        besides: besides(container.record.pid)?,
    };
    let made = bundle::exec(&place, &plan)?;
    let ready = || {
        if let Some(socket) = console {
            made.hand_over_terminal(Path::new(socket))?;
        }
        made.go()?;
        if let Some(path) = given.last("pid-file") {
            create::write_pid(Path::new(path), made.pid)?;
        }
        Ok(())
    };
    if let Err(e) = ready() {
        made.end();
        return Err(e);
    }
    if detach {
        return Ok(0);
    }
    console::stay_with(&made)
}

/// The namespaces of the container that this process is not in, of the kinds that cannot be entered
/// twice (user) or that not every kernel has (time).
fn besides(pid: u32) -> Result<Namespaces, CliError> {
    let failed = |source| CliError::Kernel {
        what: "cannot see the container's namespaces",
        source,
    };
    let number = i32::try_from(pid).unwrap_or(i32::MAX);
    let own = std::process::id().cast_signed();
    let mut kinds = Namespaces::NONE;
    for (name, kind) in [("user", Namespaces::USER), ("time", Namespaces::TIME)] {
        let theirs = match namespace::inode(number, name) {
            Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(failed)?,
        };
        if theirs != namespace::inode(own, name).map_err(failed)? {
            kinds = kinds | kind;
        }
    }
    Ok(kinds)
}

/// The process: a document of its own, or the container's with what the options change.
fn process(call: &Call<'_>, spec: &Spec, words: &[String]) -> Result<Process, CliError> {
    let given = &call.given;
    if let Some(path) = given.last("process") {
        return Ok(runtime_spec::load_document(Path::new(path))?);
    }
    if words.is_empty() {
        return Err(CliError::Arguments {
            command: "exec",
            expected: "process args cannot be empty",
        });
    }
    let base = spec.process().clone();
    let mut process = base.ok_or(decide::BundleError::Missing("process"))?;
    process.set_args(Some(words.to_vec()));
    process.set_terminal(Some(given.is_on("tty")));
    if let Some(cwd) = given.last("cwd") {
        process.set_cwd(cwd.into());
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(given.all("env").map(str::to_owned));
    process.set_env(Some(env));
    if let Some(profile) = given.last("apparmor") {
        process.set_apparmor_profile(Some(profile.to_owned()));
    }
    if given.is_on("no-new-privs") {
        process.set_no_new_privileges(Some(true));
    }
    change_user(call, &mut process)?;
    change_capabilities(call, &mut process)?;
    Ok(process)
}

fn change_user(call: &Call<'_>, process: &mut Process) -> Result<(), CliError> {
    let bad = |flag: &str, value: &str| CliError::BadValue {
        flag: flag.to_owned(),
        value: value.to_owned(),
    };
    if let Some(text) = call.given.last("user") {
        let number = |word: &str| word.parse::<u32>().map_err(|_| bad("user", text));
        let mut user = User::default();
        let (uid, gid) = text
            .split_once(':')
            .map_or((text, None), |(u, g)| (u, Some(g)));
        user.set_uid(number(uid)?);
        user.set_gid(gid.map_or(Ok(0), number)?);
        process.set_user(user);
    }
    let more: Vec<_> = call
        .given
        .all("additional-gids")
        .map(|text| {
            text.parse::<u32>()
                .map_err(|_| bad("additional-gids", text))
        })
        .collect::<Result<_, _>>()?;
    if !more.is_empty() {
        let mut user = process.user().clone();
        user.set_additional_gids(Some(more));
        process.set_user(user);
    }
    Ok(())
}

fn change_capabilities(call: &Call<'_>, process: &mut Process) -> Result<(), CliError> {
    let mut added = Capabilities::new();
    for name in call.given.all("cap") {
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let capability = Capability::from_str(short).map_err(|_| CliError::BadValue {
            flag: "cap".to_owned(),
            value: name.to_owned(),
        })?;
        added.insert(capability);
    }
    if added.is_empty() {
        return Ok(());
    }
    let mut sets = process.capabilities().clone().unwrap_or_default();
    let with = |set: &Option<Capabilities>| {
        let mut set = set.clone().unwrap_or_default();
        set.extend(added.iter().copied());
        Some(set)
    };
    sets.set_bounding(with(sets.bounding()));
    sets.set_effective(with(sets.effective()));
    sets.set_permitted(with(sets.permitted()));
    process.set_capabilities(Some(sets));
    Ok(())
}
