//! `docker compose pull`, `push` and `images`, and the images that `up` needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::build::build;
use super::{PROJECT, docker, scope};
use crate::cli::commands::image::pull;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, amount};
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::body;
use crate::compose::order;
use crate::compose::project::Project;
use crate::compose::pull_policy::PullPolicy;
use crate::compose::service::Service;

/// `docker compose pull`.
pub(crate) static PULL: Command = Command {
    paths: &["compose pull"],
    about: "Pull service images",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, PULLING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(pull_all(session, matches)),
};

const PULLING: &[Flag] = &[
    Flag::switch("ignore-buildable", "Ignore images that can be built"),
    Flag::switch(
        "ignore-pull-failures",
        "Pull what it can and ignores images with pull failures",
    ),
    Flag::switch(
        "include-deps",
        "Also pull services declared as dependencies",
    ),
    Flag::text("policy", "Apply pull policy (\"missing\"|\"always\")"),
    Flag::switch("quiet", "Pull without printing progress information").short('q'),
];

/// `docker compose push`.
pub(crate) static PUSH: Command = Command {
    paths: &["compose push"],
    about: "Push service images",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, PUSHING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(push_all(session, matches)),
};

const PUSHING: &[Flag] = &[
    Flag::switch(
        "ignore-push-failures",
        "Push what it can and ignores images with push failures",
    ),
    Flag::switch(
        "include-deps",
        "Also push images of services declared as dependencies",
    ),
    Flag::switch("quiet", "Push without printing progress information").short('q'),
];

/// `docker compose images`.
pub(crate) static LIST: Command = Command {
    paths: &["compose images"],
    about: "List images used by the created containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, LISTED],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(list(session, matches)),
};

const LISTED: &[Flag] = &[
    Flag::text("format", "Format the output. Values: [table | json]"),
    Flag::switch("quiet", "Only display IDs").short('q'),
];

/// How `up` comes to its images.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// `always`, `missing`, `never`, `build`; the service's own when not given.
    pub(super) pull: Option<String>,
    /// Whether images are built.
    pub(super) build: Building,
    /// Where the progress of pulls is shown.
    pub(super) loudness: pull::Loudness,
}

/// `--quiet-pull`, where a command has it.
pub(super) fn loudness(matches: &Matches) -> pull::Loudness {
    match matches.on("quiet-pull") {
        true => pull::Loudness::Quiet,
        false => pull::Loudness::Errors,
    }
}

/// Whether images are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Building {
    /// When they are missing.
    Missing,
    /// In any case.
    Always,
    /// Not even when they are missing.
    Never,
}

/// Has the image of every chosen service; the answer is service → image id.
pub(super) async fn ensure(
    session: &Session,
    project: &Project,
    chosen: &BTreeSet<String>,
    policy: &Policy,
) -> Result<BTreeMap<String, String>, CliError> {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    // An image may be built from that of another service, which comes first.
    let wanted = order::with_bases(&project.services, chosen);
    let levels = order::builds(&project.services).map_err(scope::said)?;
    for name in levels
        .iter()
        .flatten()
        .filter(|name| wanted.contains(*name))
    {
        let service = &project.services[name];
        let image = body::image(project, name, service);
        let id = match known.get(&image) {
            Some(id) => id.clone(),
            None => one(session, project, name, service, &image, policy).await?,
        };
        known.insert(image, id.clone());
        ids.insert(name.clone(), id);
    }
    Ok(ids)
}

async fn one(
    session: &Session,
    project: &Project,
    name: &str,
    service: &Service,
    image: &str,
    policy: &Policy,
) -> Result<String, CliError> {
    let wish = policy.pull.as_deref().or(service.pull_policy.as_deref());
    let wish = wish.filter(|wish| *wish != "policy").unwrap_or("missing");
    let wish = PullPolicy::parse(wish)
        .ok_or_else(|| CliError::Said(format!("invalid --pull value \"{wish}\"")))?;
    let is_built = service.build.is_some();
    let always_built = policy.build == Building::Always || wish == PullPolicy::Build;
    if is_built && always_built {
        build(session, project, name, service, &[]).await?;
    }
    let query = Query::new(&["images", image, "json"]);
    let is_due = match wish {
        PullPolicy::Always => true,
        PullPolicy::Every(period) => is_older(session, &query, period).await?,
        _ => false,
    };
    if is_due && !is_built {
        pull::pull(session, image, service.platform.as_deref(), policy.loudness).await?;
    }
    let found = match session.client.get(&query).await {
        Err(error) if error.is_not_found() => {
            match (is_built, policy.build, wish) {
                (true, Building::Never, _) => {
                    return Err(CliError::Said(format!(
                        "Service \"{name}\" needs to be built, but --no-build was passed"
                    )));
                }
                (true, ..) => build(session, project, name, service, &[]).await?,
                (false, _, PullPolicy::Never) => return Err(error),
                (false, ..) => {
                    let platform = service.platform.as_deref();
                    pull::pull(session, image, platform, policy.loudness).await?;
                }
            }
            session.client.get(&query).await?
        }
        found => found?,
    };
    Ok(found["Id"].as_str().unwrap_or_default().to_owned())
}

/// Whether an image that is there was tagged longer ago than `period`, in nanoseconds.
async fn is_older(session: &Session, query: &Query, period: i64) -> Result<bool, CliError> {
    let image = match session.client.get(query).await {
        Err(error) if error.is_not_found() => return Ok(false),
        found => found?,
    };
    let tagged = image["Metadata"]["LastTagTime"].as_str();
    let Some(tagged) = tagged.and_then(|text| text.parse::<jiff::Timestamp>().ok()) else {
        return Ok(true);
    };
    let age = jiff::Timestamp::now().as_nanosecond() - tagged.as_nanosecond();
    Ok(age >= i128::from(period))
}

async fn pull_all(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let project = scope::project(matches, &matches.operands)?;
    let loudness = match matches.on("quiet") {
        true => pull::Loudness::Quiet,
        false => pull::Loudness::Errors,
    };
    let mut done = BTreeSet::new();
    for name in &chosen(&project, matches, "include-deps")? {
        let service = &project.services[name];
        let Some(image) = &service.image else {
            continue;
        };
        if service.build.is_some() && matches.on("ignore-buildable") || !done.insert(image.clone())
        {
            continue;
        }
        if matches.text("policy") == Some("missing") {
            let query = Query::new(&["images", image, "json"]);
            if session.client.get(&query).await.is_ok() {
                continue;
            }
        }
        match pull::pull(session, image, service.platform.as_deref(), loudness).await {
            // What can be built need not be anywhere.
            Err(error) if matches.on("ignore-pull-failures") || service.build.is_some() => {
                output::complain(&format!("WARN: {error}"));
            }
            pulled => pulled?,
        }
    }
    Ok(0)
}

async fn push_all(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let project = scope::project(matches, &matches.operands)?;
    for name in &chosen(&project, matches, "include-deps")? {
        let service = &project.services[name];
        if service.build.is_none() {
            continue;
        }
        let mut words = vec![body::image(&project, name, service)];
        if matches.on("quiet") {
            words.insert(0, "--quiet".into());
        }
        match docker(session, "image push", &words).await {
            Err(error) if matches.on("ignore-push-failures") => {
                output::complain(&format!("WARN: {error}"));
            }
            pushed => drop(pushed?),
        }
    }
    Ok(0)
}

pub(super) fn chosen(
    project: &Project,
    matches: &Matches,
    with_needs: &'static str,
) -> Result<BTreeSet<String>, CliError> {
    for name in &matches.operands {
        scope::service(project, name)?;
    }
    Ok(
        match (matches.operands.is_empty(), matches.on(with_needs)) {
            (true, _) => project.services.keys().cloned().collect(),
            (false, true) => {
                crate::compose::order::with_needs(&project.services, &matches.operands)
            }
            (false, false) => matches.operands.iter().cloned().collect(),
        },
    )
}

const IMAGES: Listing = Listing {
    kind: "imageContext",
    headers: &[
        ("Container", "CONTAINER"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("Size", "SIZE"),
    ],
    columns: &["Container", "Repository", "Tag", "ID", "Size"],
    raw: "",
};

async fn list(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let containers = scope::containers(session, &name).await?;
    let mut rows = Vec::new();
    let mut ids = BTreeSet::new();
    for container in scope::of_services(containers, &matches.operands)? {
        let query = Query::new(&["images", &container.image, "json"]);
        let image = match session.client.get(&query).await {
            Err(error) if error.is_not_found() => Value::Null,
            found => found?,
        };
        let tagged = image["RepoTags"][0].as_str().unwrap_or("<none>:<none>");
        let (repository, tag) = tagged.rsplit_once(':').unwrap_or((tagged, "<none>"));
        let short = container.image.trim_start_matches("sha256:");
        let short = short[..short.len().min(12)].to_owned();
        ids.insert(container.image.trim_start_matches("sha256:").to_owned());
        rows.push(Row::new([
            ("Container", container.name.clone().into()),
            ("Repository", repository.into()),
            ("Tag", tag.into()),
            ("ID", short.into()),
            (
                "Size",
                amount::short(image["Size"].as_f64().unwrap_or(0.0)).into(),
            ),
        ]));
    }
    if matches.on("quiet") {
        for id in ids {
            output::line(&id)?;
        }
        return Ok(0);
    }
    IMAGES.print(&rows, matches.text("format"))?;
    Ok(0)
}
