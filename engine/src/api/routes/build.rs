//! `build`, as the classic builder's clients ask for it.
//!
//! Parameters beyond Docker's, for our own client: `progress=events` (events instead of sentences), `contexts` (named
//! contexts, JSON), `cacheto` (a list), `POST /build/export`, and the header `X-Quai-Secrets` (base64 of JSON: id → base64 of the content), which no log shows.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use futures_util::{StreamExt, stream};

use crate::api::body::json_lines;
use crate::api::error::ApiError;
use crate::api::peer::Peer;
use crate::api::pipe::{BodyReader, BodyWriter};
use crate::api::query::Query;
use crate::api::types::{HostConfig, Ulimit};
use crate::build::{CachePolicy, CacheScope, Platform};
use crate::daemon::{
    BuildOptions, BuildReport, CacheTarget, DaemonError, Intermediate, PullPolicy, ReportStyle,
};
use crate::image::Reference;
use crate::oci::Digest;
use crate::registry::Credentials;

use super::Shared;

pub(super) async fn build(
    State(daemon): Shared,
    query: Query,
    peer: Peer,
    request: Request,
) -> Result<Response, ApiError> {
    if query.get("version") == Some("2") {
        return Err(
            DaemonError::Unsupported("BuildKit's protocol (set DOCKER_BUILDKIT=0)".into()).into(),
        );
    }
    let style = match (query.flag("q"), query.get("progress")) {
        (true, _) => ReportStyle::Quiet,
        (false, Some("events")) => ReportStyle::Events,
        _ => ReportStyle::Classic,
    };
    let options = options(&query, request.headers())?;
    let body = BodyReader::new(request.into_body());
    let prepared = daemon.prepare_build(options, body).await?;
    let (report, messages) = BuildReport::new(style);
    tokio::spawn(async move { daemon.run_build(prepared, report).await });
    let lines = stream::unfold(messages, |mut messages| async {
        messages.recv().await.map(|message| (message, messages))
    });
    // A command may say nothing for hours: the build ends with its client all the same.
    Ok(json_lines(lines.take_until(Box::pin(peer.gone()))))
}

/// The steps of a build as the archive of an OCI layout; for our own client.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ExportRequest {
    image: String,
    steps: Vec<String>,
    #[serde(default)]
    all: bool,
}

pub(super) async fn export(
    State(daemon): Shared,
    Json(request): Json<ExportRequest>,
) -> Result<Response, ApiError> {
    let digest = |text: &str| {
        text.parse::<Digest>()
            .map_err(|error| ApiError::bad_request(error.to_string()))
    };
    let image = digest(&request.image)?;
    let keys = request.steps.iter().map(|text| digest(text));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let scope = if request.all {
        CacheScope::All
    } else {
        CacheScope::Result
    };
    let export = daemon.cache_of(image, keys, scope).await?;
    let (writer, body, breaker) = BodyWriter::new();
    tokio::spawn(async move {
        let written = tokio::task::spawn_blocking(move || export.write(writer)).await;
        let failure = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        breaker.fail(failure).await;
    });
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

pub(super) async fn cancel() -> Result<Response, ApiError> {
    // BuildKit's builds only; the classic builder's end with their connection.
    Ok(Json(serde_json::Value::Null).into_response())
}

fn options(query: &Query, headers: &HeaderMap) -> Result<BuildOptions, ApiError> {
    let mut names = Vec::new();
    for text in query.all("t").iter().filter(|text| !text.is_empty()) {
        let name = Reference::parse(text).map_err(DaemonError::from)?;
        if name.tag().is_none() {
            return Err(ApiError::bad_request("build tag cannot contain a digest"));
        }
        names.push(name);
    }
    let platform = query.get("platform").map(Platform::parse).transpose();
    let intermediate = match (query.flag("forcerm"), query.get("rm")) {
        (true, _) => Intermediate::RemovedAlways,
        (false, Some(_)) if !query.flag("rm") => Intermediate::Kept,
        _ => Intermediate::RemovedOnSuccess,
    };
    if query.flag("squash") {
        return Err(ApiError::bad_request(
            "squash is only supported with experimental mode",
        ));
    }
    let cache_from: Vec<String> = json(query, "cachefrom")?;
    Ok(BuildOptions {
        dockerfile: query.get("dockerfile").unwrap_or_default().to_owned(),
        names,
        remote: query
            .get("remote")
            .filter(|remote| *remote != "client-session")
            .unwrap_or_default()
            .to_owned(),
        cache: match (query.flag("nocache"), query.get("progress")) {
            (true, _) => CachePolicy::Ignore,
            (false, None) if !cache_from.is_empty() => CachePolicy::Sources,
            (false, _) => CachePolicy::Use,
        },
        cache_from,
        cache_to: json::<Vec<String>>(query, "cacheto")?
            .iter()
            .map(|text| CacheTarget::parse(text))
            .collect::<Result<_, _>>()?,
        pull: if query.flag("pull") {
            PullPolicy::Always
        } else {
            PullPolicy::Missing
        },
        intermediate,
        host_config: host_config(query)?,
        build_args: json(query, "buildargs")?,
        labels: json(query, "labels")?,
        target: query.get("target").map(str::to_owned),
        platform: platform.map_err(DaemonError::from)?,
        credentials: credentials(headers),
        secrets: secrets(headers)?,
        contexts: json(query, "contexts")?,
    })
}

fn host_config(query: &Query) -> Result<HostConfig, ApiError> {
    // Docker's sentence for what its daemon on Linux does not do either.
    let options = query.get("securityopt").unwrap_or_default();
    if !matches!(options, "" | "null" | "[]") {
        return Err(DaemonError::Invalid(
            "The daemon on this platform does not support setting security options on build".into(),
        )
        .into());
    }
    if let Some(isolation) = query
        .get("isolation")
        .filter(|text| !matches!(*text, "" | "default"))
    {
        return Err(DaemonError::Invalid(format!("Unsupported isolation: {isolation:?}")).into());
    }
    let extra_hosts = extra_hosts(&query.all("extrahosts"));
    let ulimits: Vec<Ulimit> = json(query, "ulimits")?;
    Ok(HostConfig {
        memory: query.number("memory")?.unwrap_or(0),
        memory_swap: query.number("memswap")?.unwrap_or(0),
        cpu_shares: query.number("cpushares")?.unwrap_or(0),
        cpu_quota: query.number("cpuquota")?.unwrap_or(0),
        cpu_period: query.number("cpuperiod")?.unwrap_or(0),
        cpuset_cpus: query.get("cpusetcpus").unwrap_or_default().to_owned(),
        cpuset_mems: query.get("cpusetmems").unwrap_or_default().to_owned(),
        shm_size: query.number("shmsize")?.unwrap_or(0),
        network_mode: query.get("networkmode").unwrap_or_default().to_owned(),
        cgroup_parent: query.get("cgroupparent").unwrap_or_default().to_owned(),
        ulimits: (!ulimits.is_empty()).then_some(ulimits),
        extra_hosts,
        ..HostConfig::default()
    })
}

/// One host for each parameter, as Docker's client and docker-py say it; a list in JSON or with commas is taken too.
fn extra_hosts(values: &[String]) -> Option<Vec<String>> {
    let hosts = values.iter().flat_map(|text| {
        let list = serde_json::from_str::<Vec<String>>(text);
        list.unwrap_or_else(|_| text.split(',').map(str::to_owned).collect())
    });
    let hosts: Vec<String> = hosts.filter(|host| !host.is_empty()).collect();
    (!hosts.is_empty()).then_some(hosts)
}

fn json<T: serde::de::DeserializeOwned + Default>(
    query: &Query,
    name: &str,
) -> Result<T, ApiError> {
    match query.get(name) {
        None | Some("null") => Ok(T::default()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| ApiError::bad_request(format!("error reading {name}: {error}"))),
    }
}

fn secrets(headers: &HeaderMap) -> Result<BTreeMap<String, Vec<u8>>, ApiError> {
    let Some(value) = headers.get("x-quai-secrets") else {
        return Ok(BTreeMap::new());
    };
    let bad = || ApiError::bad_request("X-Quai-Secrets cannot be understood");
    let document = STANDARD.decode(value.as_bytes()).map_err(|_| bad())?;
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&document).map_err(|_| bad())?;
    secrets
        .into_iter()
        .map(|(id, text)| Ok((id, STANDARD.decode(text).map_err(|_| bad())?)))
        .collect()
}

/// `X-Registry-Config`: JSON in base64 for addresses; what cannot be read counts as nothing, as in Docker.
fn credentials(headers: &HeaderMap) -> BTreeMap<String, Credentials> {
    let text = headers
        .get("x-registry-config")
        .map(|value| value.as_bytes().to_vec());
    let bytes = text.and_then(|text| {
        URL_SAFE
            .decode(&text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(&text))
            .ok()
    });
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::extra_hosts;

    #[track_caller]
    fn check(values: &[&str], expected: &[&str]) {
        let values: Vec<String> = values.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(extra_hosts(&values).unwrap_or_default(), expected);
    }

    #[test]
    fn every_host_of_a_build_is_kept() {
        check(&[], &[]);
        check(&[""], &[]);
        check(&["a:127.0.0.1", "b:::1"], &["a:127.0.0.1", "b:::1"]);
        check(&["a:127.0.0.1,b:::1"], &["a:127.0.0.1", "b:::1"]);
        check(&["[\"a:127.0.0.1\",\"b:::1\"]"], &["a:127.0.0.1", "b:::1"]);
        check(&["[]"], &[]);
    }
}
