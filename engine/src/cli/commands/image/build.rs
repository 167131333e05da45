//! `docker build`.

use std::io::{Write, stderr};
use std::pin::Pin;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;
use hyper::body::Incoming;
use hyper::{Method, Response};
use serde_json::{Value, json};

use crate::cli::build::contexts::{self, Attached};
use crate::cli::build::live::Live;
use crate::cli::build::output::Target;
use crate::cli::build::progress::Graph;
use crate::cli::build::query;
use crate::cli::build::source::{self, Resolved, Source};
use crate::cli::build::{caches, lint, output as export, secrets};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::messages::Messages;
use crate::cli::path::Query;
use crate::cli::{Session, credentials, output, tty, upload};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image build", "build", "builder build"],
    about: "Build an image from a Dockerfile",
    synopsis: "[OPTIONS] PATH | URL | -",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::list("add-host", "Add a custom host-to-IP mapping (\"host:ip\")"),
    Flag::list("build-arg", "Set build-time variables"),
    Flag::list(
        "build-context",
        "Additional build contexts (name=DIR, git or http address, docker-image://IMAGE, oci-layout://DIR)",
    ),
    Flag::list(
        "cache-from",
        "External cache sources (IMAGE, \"type=registry,ref=NAME\", \"type=local,src=DIR\")",
    ),
    Flag::list(
        "cache-to",
        "Cache export destinations (\"type=registry,ref=NAME\", \"type=local,dest=DIR\", \"type=inline\")",
    ),
    Flag::text(
        "cgroup-parent",
        "Parent control group of the RUN instructions",
    ),
    Flag::switch(
        "check",
        "Show the warnings of the Dockerfile and build nothing",
    ),
    Flag::switch("compress", "Compress the build context with gzip"),
    Flag::int(
        "cpu-period",
        "Limit the CPU CFS (Completely Fair Scheduler) period",
    ),
    Flag::int(
        "cpu-quota",
        "Limit the CPU CFS (Completely Fair Scheduler) quota",
    ),
    Flag::int("cpu-shares", "CPU shares (relative weight)").short('c'),
    Flag::text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Flag::text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    super::CONTENT_TRUST,
    Flag::text(
        "file",
        "Name of the Dockerfile (default: \"PATH/Dockerfile\")",
    )
    .short('f'),
    Flag::switch("force-rm", "Always remove intermediate containers"),
    Flag::text("iidfile", "Write the image ID to the file"),
    Flag::text("isolation", "Container isolation technology"),
    Flag::list("label", "Set metadata for an image"),
    Flag::switch(
        "load",
        "Shorthand for \"--output=type=docker\" (always done)",
    ),
    Flag::bytes("memory", "Memory limit").short('m'),
    Flag::bytes(
        "memory-swap",
        "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
    ),
    Flag::text(
        "network",
        "Set the networking mode for the RUN instructions during build",
    ),
    Flag::switch("no-cache", "Do not use cache when building the image"),
    Flag::list(
        "output",
        "Output destination (format: \"type=local,dest=path\")",
    )
    .short('o'),
    Flag::text(
        "platform",
        "Set platform if server is multi-platform capable",
    ),
    Flag::text(
        "progress",
        "Set type of progress output (\"auto\", \"plain\", \"tty\", \"quiet\", \"rawjson\")",
    ),
    Flag::switch(
        "pull",
        "Always attempt to pull a newer version of the image",
    ),
    Flag::switch("push", "Shorthand for \"--output=type=registry\""),
    Flag::switch(
        "quiet",
        "Suppress the build output and print image ID on success",
    )
    .short('q'),
    Flag::switch(
        "rm",
        "Remove intermediate containers after a successful build",
    ),
    Flag::list(
        "secret",
        "Secret to expose to the build (format: \"id=mysecret,src=/local/secret\")",
    ),
    Flag::strings("security-opt", "Security options"),
    Flag::bytes("shm-size", "Size of \"/dev/shm\""),
    Flag::switch("squash", "Squash newly built layers into one")
        .refused("is only supported on a Docker daemon with experimental features enabled"),
    Flag::list(
        "tag",
        "Name and optionally a tag in the \"name:tag\" format",
    )
    .short('t'),
    Flag::text("target", "Set the target build stage to build"),
    Flag::list("ulimit", "Ulimit options"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let Resolved {
        source,
        dockerfile,
        text,
        checkout: _checkout,
    } = source::resolve(&matches.operands[0], matches.text("file")).await?;
    if matches.on("check") {
        return lint::check(text.as_deref(), &dockerfile);
    }
    let mut targets: Vec<Target> = matches
        .all("output")
        .iter()
        .map(|text| export::parse(text))
        .collect::<Result<_, _>>()?;
    if matches.on("push") && !targets.contains(&Target::Registry) {
        targets.push(Target::Registry);
    }
    let names = matches.all("tag");
    if targets.contains(&Target::Registry) && names.is_empty() {
        return Err(CliError::Said(
            "ERROR: tag is needed when pushing to registry".into(),
        ));
    }
    let style = Style::of(matches)?;
    let mut query = query::of(matches, &dockerfile)?;
    let mut attached = Attached::default();
    let wanted = contexts::resolve(session, matches.all("build-context"), &mut attached).await?;
    if !wanted.is_empty() {
        query = query.with("contexts", &Value::Object(wanted).to_string());
    }
    let from = caches::sources(matches.all("cache-from"), &mut attached)?;
    if !from.is_empty() {
        query = query.with("cachefrom", &json!(from).to_string());
    }
    let to = caches::destinations(matches.all("cache-to"))?;
    let remote = caches::remote(&to);
    if !remote.is_empty() {
        query = query.with("cacheto", &json!(remote).to_string());
    }
    let mut headers = Vec::new();
    headers.extend(secrets::header(matches.all("secret"))?.map(|value| ("x-quai-secrets", value)));
    let config = credentials::header_for_all(session.config.directory())?;
    headers.extend(config.map(|value| ("x-registry-config", value)));
    let source = attached.to(source)?;
    let packing = if matches.on("compress") {
        Packing::Gzip
    } else {
        Packing::Plain
    };
    let (query, response) = send(session, query, headers, source, packing).await?;
    let shown = show(Messages::new(&query, response), style).await?;
    if style != Style::Quiet && style != Style::Json {
        lint::warn(text.as_deref());
    }
    let id = shown
        .id
        .ok_or_else(|| CliError::Said("the daemon did not say which image it built".into()))?;
    if style == Style::Quiet {
        output::line(&id)?;
    }
    if let Some(path) = matches.text("iidfile") {
        std::fs::write(path, &id).map_err(|source| CliError::File {
            what: "write",
            path: path.to_owned(),
            source,
        })?;
    }
    caches::write_local(session, &to, &id, &shown.steps).await?;
    for target in &targets {
        export::write(session, &id, names, target).await?;
    }
    Ok(0)
}

/// How a context that is a folder travels; one that comes packed stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    /// A plain archive.
    Plain,
    /// An archive packed with gzip, for an engine far away.
    Gzip,
}

/// Sends a context; gives the request and its answer.
async fn send(
    session: &Session,
    query: Query,
    headers: Vec<(&'static str, String)>,
    source: Source,
    packing: Packing,
) -> Result<(Query, Response<Incoming>), CliError> {
    let pieces: Pieces = match source {
        Source::Stream(reader) => Box::pin(upload::pieces(reader)),
        Source::Packed(packed) if packing == Packing::Gzip => {
            Box::pin(upload::written(move |out| {
                let mut packer = GzEncoder::new(out, Compression::default());
                packed.write(&mut packer)?;
                packer.finish().map(|_| ())
            }))
        }
        Source::Packed(packed) => Box::pin(upload::written(move |out| packed.write(out))),
    };
    let kind = "application/x-tar";
    let sent = session
        .client
        .send_stream_with(Method::POST, &query, kind, headers, pieces);
    let response = sent.await?;
    Ok((query, response))
}

type Pieces = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Quiet,
    Plain,
    Tree,
    Json,
}

impl Style {
    fn of(matches: &Matches) -> Result<Self, CliError> {
        if matches.on("quiet") {
            return Ok(Self::Quiet);
        }
        let variable = std::env::var("BUILDKIT_PROGRESS").unwrap_or_default();
        match matches.text("progress").unwrap_or(&variable) {
            "auto" | "" if tty::has_errors() => Ok(Self::Tree),
            "auto" | "" | "plain" => Ok(Self::Plain),
            "tty" => Ok(Self::Tree),
            "quiet" => Ok(Self::Quiet),
            "rawjson" => Ok(Self::Json),
            other => Err(CliError::Said(format!("invalid progress mode {other}"))),
        }
    }
}

/// What a build gave.
#[derive(Debug, Default)]
struct Shown {
    /// The image.
    id: Option<String>,
    /// The steps it went through, by the keys of their cache.
    steps: Value,
}

/// Shows the messages of a build.
async fn show(mut messages: Messages, style: Style) -> Result<Shown, CliError> {
    let (mut graph, mut live, mut shown) = (Graph::default(), Live::new(), Shown::default());
    let window = || {
        tty::size().map_or((80, 24), |size| {
            (usize::from(size.cols), usize::from(size.rows))
        })
    };
    let say = |text: &str| {
        let _ = stderr().write_all(text.as_bytes());
    };
    while let Some(message) = messages.next().await? {
        if style == Style::Json {
            say(&format!("{message}\n"));
        }
        if let Some(error) = message["error"].as_str() {
            match style {
                Style::Tree => {
                    graph.fail(error);
                    say(&live.finish(&graph, window(), true));
                }
                Style::Plain => graph
                    .fail(error)
                    .iter()
                    .for_each(|line| say(&format!("{line}\n"))),
                Style::Quiet | Style::Json => {}
            }
            let code = message["errorDetail"]["code"]
                .as_u64()
                .and_then(|code| u8::try_from(code).ok());
            return Err(match code {
                Some(code) if code > 0 => CliError::Coded {
                    message: format!("ERROR: {error}"),
                    code: 1,
                },
                _ => CliError::Said(format!("ERROR: {error}")),
            });
        }
        if let Some(built) = message["aux"]["ID"].as_str() {
            shown.id = Some(built.to_owned());
        }
        if message["id"] == "quai.steps" {
            shown.steps = message["aux"].clone();
        }
        if message["id"] == "quai.build" {
            let lines = graph.take(&message["aux"]);
            match style {
                Style::Plain => lines.iter().for_each(|line| say(&format!("{line}\n"))),
                Style::Tree => {
                    if let Some(picture) = live.tick(&graph, window()) {
                        say(&picture);
                    }
                }
                Style::Quiet | Style::Json => {}
            }
        } else if let Some(text) = message["stream"].as_str() {
            // An engine that knows the classic builder only.
            if graph.vertices.is_empty() && style != Style::Quiet {
                output::print(text)?;
            }
        }
    }
    if style == Style::Tree && !graph.vertices.is_empty() {
        say(&live.finish(&graph, window(), false));
    }
    Ok(shown)
}
