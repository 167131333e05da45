//! Manifests and indexes: stored as they come, and only when everything they name is there.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::oci::Digest;

use super::answer::{Refusal, empty, with};
use super::names::{RepositoryName, Selector};
use super::repository::{Needs, Repository};
use super::routes::{Registry, block};

/// No manifest is larger, as the specification advises.
const LIMIT: usize = 4 << 20;
/// Longest time for one to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A manifest on its way out.
struct Found {
    digest: Digest,
    media_type: String,
    bytes: Vec<u8>,
}

pub(super) async fn get(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    selector: &Selector,
) -> Result<Response, Refusal> {
    let (name, selector) = (name.clone(), selector.clone());
    let found = block(registry, move |registry| find(registry, &name, &selector)).await?;
    let heads = [
        ("content-type", found.media_type),
        ("content-length", found.bytes.len().to_string()),
        ("docker-content-digest", found.digest.to_string()),
        ("etag", format!("\"{}\"", found.digest)),
    ];
    Ok(with(StatusCode::OK, &heads, Body::from(found.bytes)))
}

fn find(registry: &Registry, name: &RepositoryName, selector: &Selector) -> Result<Found, Refusal> {
    let repository = registry.storage.repository(name);
    if !repository.exists() {
        return Err(Refusal::NameUnknown);
    }
    let digest = match selector {
        Selector::Digest(digest) => digest.clone(),
        Selector::Tag(tag) => repository.tag(tag)?.ok_or(Refusal::ManifestUnknown)?,
    };
    let media_type = repository
        .manifest_type(&digest)?
        .ok_or(Refusal::ManifestUnknown)?;
    Ok(Found {
        bytes: registry.storage.blobs().document(&digest)?,
        digest,
        media_type,
    })
}

pub(super) async fn put(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    selector: &Selector,
    request: Request,
) -> Result<Response, Refusal> {
    let told = request.headers().get(header::CONTENT_TYPE);
    let told = told
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = tokio::time::timeout(PATIENCE, axum::body::to_bytes(request.into_body(), LIMIT));
    let bytes = match body.await {
        Ok(Ok(bytes)) => bytes.to_vec(),
        Ok(Err(_)) => return Err(Refusal::TooLarge(LIMIT as u64)),
        Err(_) => return Err(Refusal::ManifestInvalid("it did not arrive in time".into())),
    };
    let digest = Digest::of(&bytes);
    let needs: Needs = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::ManifestInvalid(error.to_string()))?;
    let media_type = check(&needs, told.as_deref())?;
    if let Selector::Digest(expected) = selector
        && *expected != digest
    {
        return Err(Refusal::DigestInvalid);
    }
    let mut heads = vec![
        (
            "location",
            format!("/v2/{}/manifests/{digest}", name.as_str()),
        ),
        ("docker-content-digest", digest.to_string()),
        ("content-length", "0".to_owned()),
    ];
    if let Some(subject) = &needs.subject {
        heads.push(("oci-subject", subject.digest.to_string()));
    }
    let (name, selector) = (name.clone(), selector.clone());
    block(registry, move |registry| {
        let _linking = registry.storage.linking();
        let repository = registry.storage.repository(&name);
        has_all(&repository, &needs)?;
        registry.storage.blobs().put(&bytes)?;
        repository.link_manifest(&digest, &media_type)?;
        if let Some(subject) = &needs.subject {
            let line = json!({
                "mediaType": media_type,
                "digest": digest,
                "size": bytes.len(),
                "artifactType": artifact_type(&needs),
                "annotations": needs.annotations,
            });
            repository.refer(&subject.digest, &digest, &line)?;
        }
        // The name last: whoever sees it finds everything.
        if let Selector::Tag(tag) = &selector {
            repository.set_tag(tag, &digest)?;
        }
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::CREATED, &heads))
}

/// What it is: its own word and that of the request must agree.
fn check(needs: &Needs, told: Option<&str>) -> Result<String, Refusal> {
    let told = told.map(|told| told.split(';').next().unwrap_or(told).trim().to_owned());
    let media_type = match (&needs.media_type, told) {
        (Some(own), Some(told)) if *own != told => {
            return Err(Refusal::ManifestInvalid(format!("{own} sent as {told}")));
        }
        (Some(own), _) => own.clone(),
        (None, Some(told)) => told,
        (None, None) => {
            return Err(Refusal::ManifestInvalid(
                "it does not say what it is".into(),
            ));
        }
    };
    let known = media_type.starts_with("application/vnd.oci.image.")
        || media_type.starts_with("application/vnd.docker.distribution.manifest.");
    if !known {
        return Err(Refusal::ManifestInvalid(format!(
            "unsupported media type {media_type}"
        )));
    }
    if media_type.contains(".v1+prettyjws")
        || media_type.ends_with(".manifest.v1+json") && media_type.contains("docker")
    {
        return Err(Refusal::ManifestInvalid("schema 1 is not supported".into()));
    }
    if needs.config.is_some() == needs.manifests.is_empty() {
        return Ok(media_type);
    }
    if needs.config.is_none() && needs.layers.is_empty() {
        // An index may be empty.
        return Ok(media_type);
    }
    Err(Refusal::ManifestInvalid(
        "it is both a manifest and an index, or neither".into(),
    ))
}

fn has_all(repository: &Repository, needs: &Needs) -> Result<(), Refusal> {
    let needed = needs
        .config
        .iter()
        .chain(&needs.layers)
        .chain(&needs.manifests);
    for one in needed {
        let elsewhere =
            one.media_type.contains("foreign") || one.media_type.contains("nondistributable");
        if !elsewhere && !repository.has_blob(&one.digest) {
            return Err(Refusal::ManifestBlobUnknown(format!(
                "{} ({} bytes)",
                one.digest, one.size
            )));
        }
    }
    Ok(())
}

fn artifact_type(needs: &Needs) -> Option<String> {
    let config = needs
        .config
        .as_ref()
        .map(|config| config.media_type.clone());
    needs.artifact_type.clone().or(config)
}

pub(super) async fn delete(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    selector: &Selector,
) -> Result<Response, Refusal> {
    let (name, selector) = (name.clone(), selector.clone());
    block(registry, move |registry| {
        let repository = registry.storage.repository(&name);
        let was_there = match &selector {
            Selector::Tag(tag) => repository.remove_tag(tag)?,
            Selector::Digest(digest) => repository.unlink_manifest(digest)?,
        };
        if was_there {
            Ok(())
        } else {
            Err(Refusal::ManifestUnknown)
        }
    })
    .await?;
    Ok(empty(StatusCode::ACCEPTED, &[]))
}
