//! `docker compose up` and `scale`.

use std::collections::BTreeMap;

use futures_util::future::{Either, join_all, select};
use tokio::signal::unix::{SignalKind, signal};

use super::converge::{self, Options};
use super::images::{self, Building, Policy};
use super::report::Report;
use super::scope::{self, Container};
use super::streams::{self, Marks, Shown};
use super::{PROJECT, waiting};
use crate::cli::client::Payload;
use crate::cli::commands::image::pull;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::moment;
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::plan::Replace;
use crate::compose::project::Project;

/// `docker compose up`.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose up"],
    about: "Create and start containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, MAKING, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(up(session, matches)),
};

/// What `up` and `create` share.
pub(super) const MAKING: &[Flag] = &[
    Flag::switch("build", "Build images before starting containers"),
    Flag::switch(
        "force-recreate",
        "Recreate containers even if their configuration and image haven't changed",
    ),
    Flag::switch("no-build", "Don't build an image, even if it's policy"),
    Flag::switch(
        "no-recreate",
        "If containers already exist, don't recreate them",
    ),
    Flag::text(
        "pull",
        "Pull image before running (\"always\"|\"missing\"|\"never\")",
    ),
    Flag::switch("quiet-pull", "Pull without printing progress information"),
    Flag::switch(
        "remove-orphans",
        "Remove containers for services not defined in the Compose file",
    ),
    Flag::list(
        "scale",
        "Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file",
    ),
];

const OWN: &[Flag] = &[
    Flag::switch(
        "abort-on-container-exit",
        "Stops all containers if any container was stopped",
    ),
    Flag::switch("always-recreate-deps", "Recreate dependent containers"),
    Flag::switch("detach", "Detached mode: Run containers in the background").short('d'),
    Flag::text(
        "exit-code-from",
        "Return the exit code of the selected service container",
    ),
    Flag::list(
        "no-attach",
        "Do not attach (stream logs) to the specified services",
    ),
    Flag::list("attach", "Restrict attaching to the specified services"),
    Flag::switch("no-color", "Produce monochrome output"),
    Flag::switch("no-deps", "Don't start linked services"),
    Flag::switch("no-log-prefix", "Don't print prefix in logs"),
    Flag::switch("no-start", "Don't start the services after creating them"),
    Flag::switch(
        "renew-anon-volumes",
        "Recreate anonymous volumes instead of retrieving data from the previous containers",
    )
    .short('V'),
    Flag::int(
        "timeout",
        "Use this timeout in seconds for container shutdown",
    )
    .short('t'),
    Flag::switch("timestamps", "Show timestamps"),
    Flag::switch(
        "wait",
        "Wait for services to be running|healthy. Implies detached mode",
    ),
    Flag::int(
        "wait-timeout",
        "Maximum duration in seconds to wait for the project to be running|healthy",
    ),
    Flag::switch("yes", "Assume \"yes\" as answer to all prompts").short('y'),
];

/// `docker compose scale`.
pub(crate) static SCALE: Command = Command {
    paths: &["compose scale"],
    about: "Scale services",
    synopsis: "[OPTIONS] SERVICE=REPLICAS...",
    flags: &[PROJECT, SCALING],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(scale(session, matches)),
};

const SCALING: &[Flag] = &[Flag::switch("no-deps", "Don't start linked services")];

/// What `up` and `create` read from the command line alike.
pub(super) fn options(matches: &Matches, with_needs: bool) -> Result<Options, CliError> {
    if matches.on("force-recreate") && matches.on("no-recreate") {
        return Err(CliError::Said(
            "--force-recreate and --no-recreate are incompatible".to_owned(),
        ));
    }
    if matches.on("build") && matches.on("no-build") {
        return Err(CliError::Said(
            "--build and --no-build are incompatible".to_owned(),
        ));
    }
    Ok(Options {
        services: matches.operands.clone(),
        with_needs,
        replace: match (matches.on("force-recreate"), matches.on("no-recreate")) {
            (true, _) => Replace::All,
            (_, true) => Replace::Nothing,
            _ => Replace::Changed,
        },
        renew_volumes: false,
        scale: scales(matches.all("scale"))?,
        remove_orphans: matches.on("remove-orphans"),
        timeout: None,
        images: Policy {
            pull: matches.text("pull").map(str::to_owned),
            build: match (matches.on("build"), matches.on("no-build")) {
                (true, _) => Building::Always,
                (_, true) => Building::Never,
                _ => Building::Missing,
            },
            loudness: images::loudness(matches),
        },
        report: Report::of(matches),
    })
}

fn scales(words: &[String]) -> Result<BTreeMap<String, u32>, CliError> {
    words
        .iter()
        .map(|word| {
            let (name, count) = word.split_once('=').ok_or_else(|| {
                CliError::Said(format!("invalid scale \"{word}\": expected SERVICE=NUM"))
            })?;
            let count = count.parse().map_err(|_| {
                CliError::Said(format!(
                    "invalid scale \"{word}\": \"{count}\" is no number"
                ))
            })?;
            Ok((name.to_owned(), count))
        })
        .collect()
}

async fn up(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    if matches.on("always-recreate-deps") {
        return Err(CliError::Said(
            "--always-recreate-deps is not supported: use --force-recreate".to_owned(),
        ));
    }
    let project = scope::project(matches, &matches.operands)?;
    let mut options = options(matches, !matches.on("no-deps"))?;
    options.renew_volumes = matches.on("renew-anon-volumes");
    options.timeout = matches.int("timeout");
    let stays = !matches.on("detach") && !matches.on("wait") && !matches.on("no-start");
    if let Some(name) = matches.text("exit-code-from") {
        scope::service(&project, name)?;
        if !stays {
            return Err(CliError::Said(
                "--exit-code-from and --detach are incompatible".to_owned(),
            ));
        }
    }
    converge::create(session, &project, &options).await?;
    if matches.on("no-start") {
        return Ok(0);
    }
    let chosen = options.chosen(&project)?;
    if !stays {
        converge::start(session, &project, &chosen, options.report).await?;
        if matches.on("wait") {
            wait(session, &project, &options, matches.int("wait-timeout")).await?;
        }
        return Ok(0);
    }
    attached(session, &project, &options, matches).await
}

/// Waits until every chosen container runs, and is healthy where that is tested.
async fn wait(
    session: &Session,
    project: &Project,
    options: &Options,
    seconds: Option<i64>,
) -> Result<(), CliError> {
    let chosen = options.chosen(project)?;
    let containers = scope::containers(session, &project.name).await?;
    let waits = containers
        .iter()
        .filter(|container| chosen.contains(&container.service) && !container.is_one_off)
        .map(|container| async {
            waiting::up(session, container).await?;
            options.report.step("Container", &container.name, "Healthy");
            Ok::<(), CliError>(())
        });
    let all = async { join_all(waits).await.into_iter().collect() };
    match seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
    {
        None => all.await,
        Some(seconds) => {
            match tokio::time::timeout(std::time::Duration::from_secs(seconds), all).await {
                Ok(result) => result,
                Err(_) => Err(CliError::Said(format!(
                    "application not healthy after {seconds}s"
                ))),
            }
        }
    }
}

/// Shows the output until every container has ended, or Ctrl-C stops them.
async fn attached(
    session: &Session,
    project: &Project,
    options: &Options,
    matches: &Matches,
) -> Result<u8, CliError> {
    let chosen = options.chosen(project)?;
    // Asked before the start, by the daemon's clock: what older runs wrote is not shown again.
    let since = now(session).await?;
    converge::start(session, project, &chosen, options.report).await?;
    let all: Vec<Container> = scope::containers(session, &project.name)
        .await?
        .into_iter()
        .filter(|container| chosen.contains(&container.service) && !container.is_one_off)
        .collect();
    let only = matches.all("attach");
    let shown: Vec<Container> = all
        .iter()
        .filter(|container| only.is_empty() || only.contains(&container.service))
        .filter(|container| !matches.all("no-attach").contains(&container.service))
        .filter(|container| project.services[&container.service].attach != Some(false))
        .cloned()
        .collect();
    let how = Shown {
        follow: true,
        tail: "all".into(),
        since: Some(since),
        until: None,
        timestamps: matches.on("timestamps"),
        marks: Marks::of(
            matches.on("no-log-prefix"),
            matches.on("no-color"),
            matches.text("ansi"),
        ),
        tells_end: true,
    };
    let interrupted = signal(SignalKind::interrupt()).map_err(|source| CliError::Stream {
        doing: "listen for Ctrl-C",
        source,
    })?;
    let ends_all =
        matches.on("abort-on-container-exit") || matches.text("exit-code-from").is_some();
    let output = Box::pin(streams::show(session, &shown, &how));
    let stop = Box::pin(stopper(session, &all, ends_all, interrupted, options));
    match select(output, stop).await {
        Either::Left((shown, _)) => shown?,
        Either::Right((stopped, output)) => {
            stopped?;
            output.await?;
        }
    }
    match matches.text("exit-code-from") {
        None => Ok(0),
        Some(name) => {
            let container = all.iter().find(|container| container.service == name);
            let Some(container) = container else {
                return Ok(1);
            };
            let code = waiting::exit_code(session, &container.id).await?;
            Ok(u8::try_from(code).unwrap_or(255))
        }
    }
}

/// Stops all containers after Ctrl-C, or after the first end when that ends all; kills them after a second Ctrl-C.
async fn stopper(
    session: &Session,
    all: &[Container],
    ends_all: bool,
    mut interrupted: tokio::signal::unix::Signal,
    options: &Options,
) -> Result<(), CliError> {
    let ends: Vec<_> = match ends_all {
        true => all
            .iter()
            .map(|container| Box::pin(waiting::exit_code(session, &container.id)))
            .collect(),
        false => Vec::new(),
    };
    if ends.is_empty() {
        interrupted.recv().await;
        output::complain("Gracefully Stopping... press Ctrl+C again to force");
    } else {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = futures_util::future::select_all(ends) => {
                output::complain("Aborting on container exit...");
            }
        }
    }
    let stops = all.iter().map(|container| {
        converge::stop(
            session,
            &container.id,
            &container.name,
            options.timeout,
            options.report,
        )
    });
    let stops = Box::pin(join_all(stops));
    let again = Box::pin(interrupted.recv());
    match select(stops, again).await {
        Either::Left((stopped, _)) => stopped.into_iter().collect(),
        Either::Right((_, stops)) => {
            for container in all {
                let query = Query::new(&["containers", &container.id, "kill"]);
                // One that has just ended cannot be killed: not an error.
                let _ = session.client.post(&query, Payload::Empty).await;
            }
            stops.await.into_iter().collect()
        }
    }
}

/// The daemon's clock.
async fn now(session: &Session) -> Result<String, CliError> {
    let info = session.client.get(&Query::new(&["info"])).await?;
    moment::parse(info["SystemTime"].as_str().unwrap_or_default())
}

async fn scale(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let scale = scales(&matches.operands)?;
    let services: Vec<String> = scale.keys().cloned().collect();
    let project = scope::project(matches, &services)?;
    let options = Options {
        services,
        with_needs: !matches.on("no-deps"),
        replace: Replace::Nothing,
        renew_volumes: false,
        scale,
        remove_orphans: false,
        timeout: None,
        images: Policy {
            pull: None,
            build: Building::Missing,
            loudness: pull::Loudness::Errors,
        },
        report: Report::of(matches),
    };
    converge::create(session, &project, &options).await?;
    let chosen = options.chosen(&project)?;
    converge::start(session, &project, &chosen, options.report).await?;
    Ok(0)
}
