//! `docker compose start`, `stop`, `restart`, `kill`, `pause` and `unpause`.

use futures_util::future::join_all;

use super::report::Report;
use super::scope::{self, Container};
use super::{PROJECT, converge};
use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::compose::order;

const TIMEOUT: &[Flag] =
    &[Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t')];

/// `docker compose start`.
pub(crate) static START: Command = Command {
    paths: &["compose start"],
    about: "Start services",
    synopsis: "[SERVICE...]",
    flags: &[PROJECT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(start(session, matches)),
};

/// `docker compose stop`.
pub(crate) static STOP: Command = Command {
    paths: &["compose stop"],
    about: "Stop services",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, TIMEOUT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(stop(session, matches)),
};

/// `docker compose restart`.
pub(crate) static RESTART: Command = Command {
    paths: &["compose restart"],
    about: "Restart service containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, TIMEOUT, RESTARTING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(restart(session, matches)),
};

const RESTARTING: &[Flag] = &[Flag::switch("no-deps", "Don't restart dependent services")];

/// `docker compose kill`.
pub(crate) static KILL: Command = Command {
    paths: &["compose kill"],
    about: "Force stop service containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, KILLING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(kill(session, matches)),
};

const KILLING: &[Flag] = &[
    Flag::switch(
        "remove-orphans",
        "Remove containers for services not defined in the Compose file",
    ),
    Flag::text("signal", "SIGNAL to send to the container")
        .short('s')
        .default("SIGKILL"),
];

/// `docker compose pause`.
pub(crate) static PAUSE: Command = Command {
    paths: &["compose pause"],
    about: "Pause services",
    synopsis: "[SERVICE...]",
    flags: &[PROJECT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(each(
            session,
            matches,
            "pause",
            "Paused",
            Container::is_running,
        ))
    },
};

/// `docker compose unpause`.
pub(crate) static UNPAUSE: Command = Command {
    paths: &["compose unpause"],
    about: "Unpause services",
    synopsis: "[SERVICE...]",
    flags: &[PROJECT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(each(session, matches, "unpause", "Unpaused", |one| {
            one.state == "paused"
        }))
    },
};

async fn start(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, project) = scope::name_or_project(matches)?;
    let Some(project) = project else {
        return each_of(session, &name, matches, "start", "Started", |one| {
            !one.is_running()
        })
        .await;
    };
    for service in &matches.operands {
        scope::service(&project, service)?;
    }
    let chosen = match matches.operands.as_slice() {
        [] => project.services.keys().cloned().collect(),
        some => order::with_needs(&project.services, some),
    };
    let there = scope::containers(session, &name).await?;
    for service in &chosen {
        if !there.iter().any(|one| one.service == *service) && matches.operands.contains(service) {
            return Err(CliError::Said(format!(
                "service \"{service}\" has no container to start"
            )));
        }
    }
    converge::start(session, &project, &chosen, Report::of(matches)).await?;
    Ok(0)
}

async fn stop(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, project) = scope::name_or_project(matches)?;
    let all = scope::containers(session, &name).await?;
    let chosen = scope::of_services(all, &matches.operands)?;
    let mut levels: Vec<Vec<String>> = match &project {
        Some(project) => order::levels(&project.services).map_err(scope::said)?,
        None => Vec::new(),
    };
    let known: Vec<String> = levels.iter().flatten().cloned().collect();
    levels.push(
        chosen
            .iter()
            .map(|one| one.service.clone())
            .filter(|service| !known.contains(service))
            .collect(),
    );
    for level in levels.iter().rev() {
        let stops = chosen
            .iter()
            .filter(|one| level.contains(&one.service) && one.is_running())
            .map(|one| {
                let report = Report::of(matches);
                converge::stop(session, &one.id, &one.name, matches.int("timeout"), report)
            });
        join_all(stops)
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
    }
    Ok(0)
}

async fn restart(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let report = Report::of(matches);
    let all = scope::containers(session, &name).await?;
    let chosen = scope::of_services(all, &matches.operands)?;
    let timeout = matches.int("timeout").map(|seconds| seconds.to_string());
    let restarts = chosen.iter().map(|one| async {
        report.step("Container", &one.name, "Restarting");
        let query =
            Query::new(&["containers", &one.id, "restart"]).with_some("t", timeout.as_deref());
        session.client.post(&query, Payload::Empty).await?;
        report.step("Container", &one.name, "Started");
        Ok::<(), CliError>(())
    });
    join_all(restarts)
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    Ok(0)
}

async fn kill(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    if matches.on("remove-orphans") {
        return Err(CliError::Said(
            "--remove-orphans is not supported here: use `compose down --remove-orphans`"
                .to_owned(),
        ));
    }
    let (name, _) = scope::name_or_project(matches)?;
    let report = Report::of(matches);
    let all = scope::containers(session, &name).await?;
    let signal = matches.text("signal").unwrap_or("SIGKILL");
    for one in scope::of_services(all, &matches.operands)? {
        if !one.is_running() {
            continue;
        }
        report.step("Container", &one.name, "Killing");
        let query = Query::new(&["containers", &one.id, "kill"]).with("signal", signal);
        session.client.post(&query, Payload::Empty).await?;
        report.step("Container", &one.name, "Killed");
    }
    Ok(0)
}

async fn each(
    session: &Session,
    matches: &Matches,
    action: &str,
    done: &str,
    concerns: impl Fn(&Container) -> bool,
) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    each_of(session, &name, matches, action, done, concerns).await
}

/// Posts `action` to every chosen container that it concerns.
async fn each_of(
    session: &Session,
    name: &str,
    matches: &Matches,
    action: &str,
    done: &str,
    concerns: impl Fn(&Container) -> bool,
) -> Result<u8, CliError> {
    let report = Report::of(matches);
    let all = scope::containers(session, name).await?;
    for one in scope::of_services(all, &matches.operands)? {
        if concerns(&one) {
            let query = Query::new(&["containers", &one.id, action]);
            session.client.post(&query, Payload::Empty).await?;
            report.step("Container", &one.name, done);
        }
    }
    Ok(0)
}
