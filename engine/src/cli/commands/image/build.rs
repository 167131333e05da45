//! `docker build`.

use std::io::{Write, stderr};

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::cli::build::live::Live;
use crate::cli::build::output::Target;
use crate::cli::build::progress::Graph;
use crate::cli::build::source::{Resolved, Source};
use crate::cli::build::{output as export, secrets, source};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::messages::Messages;
use crate::cli::options::{size, ulimit};
use crate::cli::path::Query;
use crate::cli::{Session, output, tty, upload};
use crate::dockerfile;

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
        "Additional build contexts (name=docker-image://IMAGE)",
    ),
    Flag::list("cache-from", "Images to consider as cache sources"),
    Flag::switch(
        "check",
        "Show the warnings of the Dockerfile and build nothing",
    ),
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
    Flag::text(
        "file",
        "Name of the Dockerfile (default: \"PATH/Dockerfile\")",
    )
    .short('f'),
    Flag::switch("force-rm", "Always remove intermediate containers"),
    Flag::text("iidfile", "Write the image ID to the file"),
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
    Flag::bytes("shm-size", "Size of \"/dev/shm\""),
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
    } = source::resolve(&matches.operands[0], matches.text("file"))?;
    if matches.on("check") {
        return check(text.as_deref(), &dockerfile);
    }
    let targets: Vec<Target> = matches
        .all("output")
        .iter()
        .map(|text| export::parse(text))
        .collect::<Result<_, _>>()?;
    let style = Style::of(matches)?;
    let query = query(matches, &dockerfile, style)?;
    let header = secrets::header(matches.all("secret"))?.map(|value| ("x-quai-secrets", value));
    let (query, response) = match source {
        Source::Remote(url) => {
            let query = query.with("remote", &url);
            let empty = futures_util::stream::empty();
            let sent = session.client.send_stream_with(
                Method::POST,
                &query,
                "application/x-tar",
                header,
                empty,
            );
            let response = sent.await?;
            (query, response)
        }
        Source::Stream(reader) => {
            let pieces = upload::pieces(reader);
            let sent = session.client.send_stream_with(
                Method::POST,
                &query,
                "application/x-tar",
                header,
                pieces,
            );
            let response = sent.await?;
            (query, response)
        }
        Source::Packed(packed) => {
            let pieces = upload::written(move |out| packed.write(out));
            let sent = session.client.send_stream_with(
                Method::POST,
                &query,
                "application/x-tar",
                header,
                pieces,
            );
            let response = sent.await?;
            (query, response)
        }
    };
    let id = show(Messages::new(&query, response), style).await?;
    if style != Style::Quiet && style != Style::Json {
        warn(text.as_deref());
    }
    let id =
        id.ok_or_else(|| CliError::Said("the daemon did not say which image it built".into()))?;
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
    for target in &targets {
        export::write(session, &id, target).await?;
    }
    Ok(0)
}

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

fn query(matches: &Matches, dockerfile: &str, style: Style) -> Result<Query, CliError> {
    let document = |value: Value| value.to_string();
    let mut query = Query::new(&["build"])
        .with("dockerfile", dockerfile)
        .with("rm", if matches.switched_off("rm") { "0" } else { "1" })
        .with_switch("forcerm", matches.on("force-rm"))
        .with_switch("nocache", matches.on("no-cache"))
        .with_switch("pull", matches.on("pull"))
        .with_switch("q", style == Style::Quiet)
        .with_some("target", matches.text("target"))
        .with_some("platform", matches.text("platform"))
        .with_some(
            "networkmode",
            matches.text("network").filter(|mode| *mode != "default"),
        )
        .with_some("cpusetcpus", matches.text("cpuset-cpus"))
        .with_some("cpusetmems", matches.text("cpuset-mems"))
        .with_some("cpuperiod", matches.text("cpu-period"))
        .with_some("cpuquota", matches.text("cpu-quota"))
        .with_some("cpushares", matches.text("cpu-shares"));
    if style != Style::Quiet {
        query = query.with("progress", "events");
    }
    for (flag, key) in [
        ("memory", "memory"),
        ("memory-swap", "memswap"),
        ("shm-size", "shmsize"),
    ] {
        if let Some(bytes) = matches.text(flag).and_then(size::parse) {
            query = query.with(key, &bytes.to_string());
        }
    }
    for name in matches.all("tag") {
        query = query.with("t", name);
    }
    let arguments = pairs(matches.all("build-arg"), Missing::Environment);
    if !arguments.is_empty() {
        query = query.with("buildargs", &document(Value::Object(arguments)));
    }
    let labels = pairs(matches.all("label"), Missing::Empty);
    if !labels.is_empty() {
        query = query.with("labels", &document(Value::Object(labels)));
    }
    if !matches.all("cache-from").is_empty() {
        query = query.with("cachefrom", &document(json!(matches.all("cache-from"))));
    }
    if !matches.all("add-host").is_empty() {
        query = query.with("extrahosts", &document(json!(matches.all("add-host"))));
    }
    let mut limits = Vec::new();
    for text in matches.all("ulimit") {
        limits.push(ulimit::parse(text).map_err(CliError::Said)?);
    }
    if !limits.is_empty() {
        query = query.with("ulimits", &document(Value::Array(limits)));
    }
    let mut contexts = Map::new();
    for text in matches.all("build-context") {
        let bad = || CliError::Said(format!("invalid context value: {text}, expected key=value"));
        let (name, value) = text.split_once('=').ok_or_else(bad)?;
        if !value.starts_with("docker-image://") {
            return Err(CliError::Said(format!(
                "--build-context {name}: only images are supported, as {name}=docker-image://NAME"
            )));
        }
        contexts.insert(name.to_owned(), value.into());
    }
    if !contexts.is_empty() {
        query = query.with("contexts", &document(Value::Object(contexts)));
    }
    Ok(query)
}

/// What a name without value means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// The client's own variable of that name.
    Environment,
    /// An empty value.
    Empty,
}

fn pairs(words: &[String], missing: Missing) -> Map<String, Value> {
    let mut pairs = Map::new();
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Value::from(value)),
            None if missing == Missing::Empty => (word.as_str(), Value::from("")),
            None => (
                word.as_str(),
                std::env::var(word).map_or(Value::Null, Value::from),
            ),
        };
        pairs.insert(name.to_owned(), value);
    }
    pairs
}

/// Shows the messages of a build; gives the id of the image.
async fn show(mut messages: Messages, style: Style) -> Result<Option<String>, CliError> {
    let (mut graph, mut live, mut id) = (Graph::default(), Live::new(), None);
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
            id = Some(built.to_owned());
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
    Ok(id)
}

/// Prints the warnings of a Dockerfile below its progress.
fn warn(text: Option<&[u8]>) {
    let Some(Ok(file)) = text.map(dockerfile::parse) else {
        return;
    };
    let warnings = dockerfile::lint(&file);
    if warnings.is_empty() {
        return;
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    output::complain(&format!("\n {} warning{plural} found:", warnings.len()));
    for warning in warnings {
        output::complain(&format!(" - {warning}"));
    }
}

/// `--check`: warnings with the lines they are about; any of them is a failure.
fn check(text: Option<&[u8]>, name: &str) -> Result<u8, CliError> {
    let text = text.ok_or_else(|| {
        CliError::Said("--check needs a Dockerfile that this client can read".into())
    })?;
    let file = dockerfile::parse(text).map_err(|error| CliError::Said(error.rendered()))?;
    let warnings = dockerfile::lint(&file);
    if warnings.is_empty() {
        output::line("Check complete, no warnings found.")?;
        return Ok(0);
    }
    let source = String::from_utf8_lossy(text);
    let lines: Vec<&str> = source.lines().collect();
    let plural = if warnings.len() == 1 {
        " has"
    } else {
        "s have"
    };
    output::line(&format!(
        "Check complete, {} warning{plural} been found!",
        warnings.len()
    ))?;
    for warning in &warnings {
        output::line(&format!(
            "\nWARNING: {:?}\n{}\n{name}:{}",
            warning.rule, warning.message, warning.line
        ))?;
        output::line("--------------------")?;
        let (first, last) = (
            warning.line.saturating_sub(2).max(1),
            (warning.end + 2).min(lines.len()),
        );
        for number in first..=last {
            let mark = if (warning.line..=warning.end).contains(&number) {
                ">>>"
            } else {
                "   "
            };
            output::line(&format!("{number:4} | {mark} {}", lines[number - 1]))?;
        }
        output::line("--------------------")?;
    }
    Ok(1)
}
