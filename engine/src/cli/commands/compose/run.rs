//! `docker compose run`: a container of a service for one command.

use std::collections::{BTreeMap, BTreeSet};

use super::converge::{self, Options};
use super::images::{self, Building, Policy};
use super::report::Report;
use super::{PROJECT, docker, networks, scope, volumes};
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output, tty};
use crate::compose::body::{self, Purpose};
use crate::compose::order;
use crate::compose::plan::Replace;
use crate::compose::project::Project;
use crate::compose::service::Service;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose run"],
    about: "Run a one-off command on a service",
    synopsis: "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    flags: &[PROJECT, OWN],
    operands: Operands::AtLeast(1),
    order: Order::First,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("build", "Build image before starting container"),
    Flag::list("cap-add", "Add Linux capabilities"),
    Flag::list("cap-drop", "Drop Linux capabilities"),
    Flag::switch(
        "detach",
        "Run container in background and print container ID",
    )
    .short('d'),
    Flag::text("entrypoint", "Override the entrypoint of the image"),
    Flag::list("env", "Set environment variables").short('e'),
    Flag::switch("interactive", "Keep STDIN open even if not attached")
        .short('i')
        .default("true"),
    Flag::list("label", "Add or override a label").short('l'),
    Flag::text("name", "Assign a name to the container"),
    Flag::switch("no-TTY", "Disable pseudo-TTY allocation").short('T'),
    Flag::switch("no-deps", "Don't start linked services"),
    Flag::list("publish", "Publish a container's port(s) to the host").short('p'),
    Flag::switch("quiet-pull", "Pull without printing progress information"),
    Flag::switch(
        "remove-orphans",
        "Remove containers for services not defined in the Compose file",
    ),
    Flag::switch("rm", "Automatically remove the container when it exits"),
    Flag::switch(
        "service-ports",
        "Run command with all service's ports enabled and mapped to the host",
    )
    .short('P'),
    Flag::switch(
        "use-aliases",
        "Use the service's network useAliases in the network(s) the container connects to",
    ),
    Flag::text("user", "Run as specified username or uid").short('u'),
    Flag::list("volume", "Bind mount a volume").short('v'),
    Flag::text("workdir", "Working directory inside the container").short('w'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, command) = matches
        .operands
        .split_first()
        .expect("operands were counted");
    let mut project = scope::project(matches, std::slice::from_ref(name))?;
    let report = Report::of(matches);
    let options = Options {
        services: others(&project, name, matches)?,
        with_needs: true,
        replace: Replace::Changed,
        renew_volumes: false,
        scale: BTreeMap::new(),
        remove_orphans: matches.on("remove-orphans"),
        timeout: None,
        images: Policy {
            pull: None,
            build: match matches.on("build") {
                true => Building::Always,
                false => Building::Missing,
            },
            loudness: images::loudness(matches),
        },
        report,
    };
    if !options.services.is_empty() {
        converge::create(session, &project, &options).await?;
        let chosen = options.chosen(&project)?;
        converge::start(session, &project, &chosen, report).await?;
    }
    change(&mut project, name, command, matches)?;
    let alone = BTreeSet::from([name.clone()]);
    super::images::ensure(session, &project, &alone, &options.images).await?;
    networks::ensure(session, &project, report).await?;
    volumes::ensure(session, &project, report).await?;
    let chosen_name = match matches.text("name") {
        Some(name) => name.to_owned(),
        None => format!("{}-{name}-run-{}", project.name, random()?),
    };
    let purpose = Purpose::OneOff(chosen_name);
    let service = &project.services[name];
    let mut wanted = body::container(&project, name, service, &purpose, &BTreeMap::new())
        .map_err(scope::said)?;
    dress(&mut wanted.body, name, matches)?;
    let id = converge::make(session, &wanted).await?;
    if matches.on("detach") {
        let query = Query::new(&["containers", &id, "start"]);
        session.client.post(&query, Payload::Empty).await?;
        output::line(&id)?;
        return Ok(0);
    }
    let mut words = vec!["--attach".to_owned()];
    if matches.on("interactive") {
        words.push("--interactive".to_owned());
    }
    words.push(id.clone());
    let code = docker(session, "container start", &words).await;
    if matches.on("rm") {
        converge::delete(session, &id, converge::Volumes::Remove).await?;
    }
    code
}

/// The services that must run beside it.
fn others(project: &Project, name: &str, matches: &Matches) -> Result<Vec<String>, CliError> {
    let service = scope::service(project, name)?;
    Ok(match matches.on("no-deps") {
        true => Vec::new(),
        false => order::needs(service)
            .into_iter()
            .filter(|need| project.services.contains_key(need))
            .collect(),
    })
}

/// The service as this one container has it.
fn change(
    project: &mut Project,
    name: &str,
    command: &[String],
    matches: &Matches,
) -> Result<(), CliError> {
    let service: &mut Service = project
        .services
        .get_mut(name)
        .expect("the service was found when its needs were looked for");
    if !command.is_empty() {
        service.command = Some(command.to_vec());
    }
    if let Some(text) = matches.text("entrypoint") {
        service.entrypoint = Some(text.split_whitespace().map(str::to_owned).collect());
        if command.is_empty() {
            service.command = None;
        }
    }
    for variable in matches.all("env") {
        let (key, value) = match variable.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (variable.as_str(), None),
        };
        service.environment.insert(key.to_owned(), value);
    }
    for label in matches.all("label") {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        service
            .labels
            .insert(key.to_owned(), Some(value.to_owned()));
    }
    service.cap_add.extend_from_slice(matches.all("cap-add"));
    service.cap_drop.extend_from_slice(matches.all("cap-drop"));
    if let Some(user) = matches.text("user") {
        service.user = Some(user.to_owned());
    }
    if let Some(folder) = matches.text("workdir") {
        service.working_dir = Some(folder.to_owned());
    }
    if !matches.on("service-ports") {
        service.ports.clear();
    }
    service.container_name = None;
    service.restart = None;
    service.tty = Some(
        !matches.on("no-TTY") && !matches.on("detach") && tty::has_input() && tty::has_output(),
    );
    service.stdin_open = Some(matches.on("interactive") && !matches.on("detach"));
    Ok(())
}

/// What only the body can say.
fn dress(body: &mut serde_json::Value, name: &str, matches: &Matches) -> Result<(), CliError> {
    body["StdinOnce"] = body["OpenStdin"].clone();
    if !matches.all("publish").is_empty() {
        let published = crate::cli::options::ports::Published::parse(matches.all("publish"), &[])?;
        body["ExposedPorts"] = published.exposed_body();
        body["HostConfig"]["PortBindings"] = published.bindings_body();
    }
    for bind in matches.all("volume") {
        let binds = &mut body["HostConfig"]["Binds"];
        if binds.is_null() {
            *binds = serde_json::json!([]);
        }
        if let Some(binds) = binds.as_array_mut() {
            binds.push(bind.clone().into());
        }
    }
    if matches.on("use-aliases") {
        let endpoints = body["NetworkingConfig"]["EndpointsConfig"].as_object_mut();
        for settings in endpoints.into_iter().flat_map(|map| map.values_mut()) {
            if let Some(aliases) = settings["Aliases"].as_array_mut() {
                aliases.insert(0, name.into());
            }
        }
    }
    Ok(())
}

/// Twelve hexadecimal digits.
fn random() -> Result<String, CliError> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Said(format!("the kernel gives no random number: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
