//! Lists: tags of a repository, repositories of the registry, what is about a manifest, and search.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::oci::{Digest, OCI_INDEX};

use super::answer::Refusal;
use super::names::RepositoryName;
use super::routes::{Registry, block, parameter};

/// Lines of one page when the client names no number.
const PAGE: usize = 1000;

pub(super) async fn list(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    uri: &Uri,
) -> Result<Response, Refusal> {
    let wanted = name.clone();
    let tags = block(registry, move |registry| {
        let repository = registry.storage.repository(&wanted);
        if !repository.exists() {
            return Err(Refusal::NameUnknown);
        }
        Ok(repository.tags()?)
    })
    .await?;
    page(
        uri,
        tags,
        |tags| json!({ "name": name.as_str(), "tags": tags }),
    )
}

pub(super) async fn catalogue(registry: &Arc<Registry>, uri: &Uri) -> Result<Response, Refusal> {
    let names = names(registry).await?;
    page(uri, names, |names| json!({ "repositories": names }))
}

async fn names(registry: &Arc<Registry>) -> Result<Vec<String>, Refusal> {
    block(registry, |registry| {
        let names = registry.storage.names()?;
        Ok(names.iter().map(|name| name.as_str().to_owned()).collect())
    })
    .await
}

/// `n` lines after `last`, with the address of the next page.
fn page(
    uri: &Uri,
    all: Vec<String>,
    body: impl FnOnce(&[String]) -> Value,
) -> Result<Response, Refusal> {
    let count = match parameter(uri, "n") {
        None => PAGE,
        Some(text) => text.parse().map_err(|_| Refusal::Parameter("n"))?,
    };
    let last = parameter(uri, "last");
    let rest: Vec<String> = all
        .into_iter()
        .filter(|line| last.as_ref().is_none_or(|last| line > last))
        .collect();
    let shown = &rest[..count.min(rest.len())];
    let mut response = Json(body(shown)).into_response();
    if let Some(end) = shown.last().filter(|_| shown.len() < rest.len()) {
        let link = format!("<{}?n={count}&last={end}>; rel=\"next\"", uri.path());
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

pub(super) async fn referrers(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    subject: &Digest,
    uri: &Uri,
) -> Result<Response, Refusal> {
    let (name, subject) = (name.clone(), subject.clone());
    let mut lines = block(registry, move |registry| {
        Ok(registry.storage.repository(&name).referrers(&subject)?)
    })
    .await?;
    let wanted = parameter(uri, "artifactType");
    if let Some(wanted) = &wanted {
        lines.retain(|line| line["artifactType"] == wanted.as_str());
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": lines });
    let mut response = Json(index).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if wanted.is_some() {
        headers.insert(
            "oci-filters-applied",
            HeaderValue::from_static("artifactType"),
        );
    }
    Ok(response)
}

/// What `docker search HOST/TERM` asks.
pub(super) async fn search(registry: &Arc<Registry>, uri: &Uri) -> Result<Response, Refusal> {
    let term = parameter(uri, "q").unwrap_or_default();
    let most = parameter(uri, "n")
        .and_then(|n| n.parse().ok())
        .unwrap_or(25);
    let names = names(registry).await?.into_iter();
    let results: Vec<Value> = names
        .filter(|name| name.contains(&term))
        .take(most)
        .map(|name| json!({ "name": name, "description": "", "star_count": 0, "is_official": false, "is_automated": false }))
        .collect();
    Ok(
        Json(json!({ "num_results": results.len(), "query": term, "results": results }))
            .into_response(),
    )
}
