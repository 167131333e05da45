//! Blobs: given out whole or in part, taken in one piece, in several, or from another repository.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc};

use crate::oci::{Digest, Hasher};

use super::answer::{Refusal, empty, with};
use super::names::RepositoryName;
use super::routes::{Registry, block, parameter};
use super::upload::Upload;

/// Bytes that travel at once.
const PIECE: usize = 256 << 10;
/// Bytes collected before the disk is asked.
const COLLECTED: usize = 1 << 20;
/// Longest silence of a client.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn get(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let (known, wanted) = (name.clone(), digest.clone());
    let (file, size) = block(registry, move |registry| {
        if !registry.storage.repository(&known).has_blob(&wanted) {
            return Err(Refusal::BlobUnknown);
        }
        let blobs = registry.storage.blobs();
        Ok((blobs.open(&wanted)?, blobs.size(&wanted)?))
    })
    .await?;
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let range = range.map(|range| part(range, size)).transpose()?.flatten();
    let (from, count) = range.map_or((0, size), |(from, to)| (from, to - from + 1));
    let mut heads = vec![
        ("content-type", "application/octet-stream".to_owned()),
        ("content-length", count.to_string()),
        ("docker-content-digest", digest.to_string()),
        ("etag", format!("\"{digest}\"")),
        ("accept-ranges", "bytes".to_owned()),
        ("cache-control", "max-age=31536000".to_owned()),
    ];
    let mut status = StatusCode::OK;
    if let Some((from, to)) = range {
        status = StatusCode::PARTIAL_CONTENT;
        heads.push(("content-range", format!("bytes {from}-{to}/{size}")));
    }
    // Only a whole blob can be compared with its name.
    let expected = (count == size).then(|| digest.clone());
    Ok(with(status, &heads, stream(file, from, count, expected)))
}

/// `bytes=100-`, `bytes=100-199`, `bytes=-100`; several parts at once are answered with the whole.
fn part(range: &str, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let refuse = || Refusal::Range(range.chars().take(100).collect());
    let Some(range) = range
        .strip_prefix("bytes=")
        .filter(|range| !range.contains(','))
    else {
        return Ok(None);
    };
    let (from, to) = range.split_once('-').ok_or_else(refuse)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| refuse());
    let (from, to) = match (from, to) {
        ("", last) => (size.saturating_sub(number(last)?), size.saturating_sub(1)),
        (from, "") => (number(from)?, size.saturating_sub(1)),
        (from, to) => (number(from)?, number(to)?.min(size.saturating_sub(1))),
    };
    if from > to || from >= size {
        return Err(refuse());
    }
    Ok(Some((from, to)))
}

/// Sends a part of a file; a blob that is not what its name says breaks off before its end.
fn stream(mut file: std::fs::File, from: u64, count: u64, expected: Option<Digest>) -> Body {
    let (give, take) = mpsc::channel::<std::io::Result<Bytes>>(4);
    tokio::task::spawn_blocking(move || {
        let mut send = || -> std::io::Result<()> {
            file.seek(SeekFrom::Start(from))?;
            let mut hasher = Hasher::default();
            let mut left = count;
            let mut held: Option<Bytes> = None;
            while left > 0 {
                let mut piece = Vec::with_capacity(PIECE);
                let read = (&mut file)
                    .take(left.min(PIECE as u64))
                    .read_to_end(&mut piece)?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                left -= read as u64;
                hasher.update(&piece);
                // The last piece waits for the comparison.
                if let Some(piece) = held.replace(Bytes::from(piece))
                    && give.blocking_send(Ok(piece)).is_err()
                {
                    return Ok(());
                }
            }
            if let Some(expected) = &expected
                && hasher.finish() != *expected
            {
                tracing::error!("blob {expected} is damaged on disk");
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            if let Some(piece) = held {
                // The client went away.
                let _ = give.blocking_send(Ok(piece));
            }
            Ok(())
        };
        if let Err(error) = send() {
            let _ = give.blocking_send(Err(error));
        }
    });
    let pieces = futures_util::stream::unfold(take, |mut take| async {
        take.recv().await.map(|piece| (piece, take))
    });
    Body::from_stream(pieces)
}

pub(super) async fn delete(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Refusal> {
    let (name, digest) = (name.clone(), digest.clone());
    block(registry, move |registry| {
        if !registry.storage.repository(&name).unlink_blob(&digest)? {
            return Err(Refusal::BlobUnknown);
        }
        Ok(registry.storage.sweep_unlinked()?)
    })
    .await?;
    Ok(empty(StatusCode::ACCEPTED, &[]))
}

/// Opens an upload; takes the blob from another repository, or whole from this request, when that is asked.
pub(super) async fn begin(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    uri: &Uri,
    request: Request,
) -> Result<Response, Refusal> {
    if let Some(mount) = parameter(uri, "mount") {
        let digest: Digest = mount.parse().map_err(|_| Refusal::DigestInvalid)?;
        let from = parameter(uri, "from").and_then(|from| RepositoryName::parse(&from));
        let (target, wanted) = (name.clone(), digest.clone());
        let mounted = block(registry, move |registry| {
            let _linking = registry.storage.linking();
            let there =
                from.is_some_and(|from| registry.storage.repository(&from).has_blob(&wanted));
            if there && registry.storage.blobs().has(&wanted) {
                registry.storage.repository(&target).link_blob(&wanted)?;
                return Ok(true);
            }
            Ok(false)
        })
        .await?;
        if mounted {
            return Ok(created(name, &digest));
        }
    }
    let owner = name.clone();
    let id = block(registry, move |registry| {
        Ok(registry
            .uploads
            .begin(owner, registry.storage.blobs().writer()?))
    })
    .await?;
    if parameter(uri, "digest").is_some() {
        return finish(registry, name, &id, uri, request).await;
    }
    Ok(accepted(name, &id, 0, StatusCode::ACCEPTED))
}

pub(super) async fn status(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    id: &str,
) -> Result<Response, Refusal> {
    let size = find(registry, name, id).await?.lock().await.size;
    Ok(accepted(name, id, size, StatusCode::NO_CONTENT))
}

pub(super) async fn append(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    id: &str,
    request: Request,
) -> Result<Response, Refusal> {
    let upload = find(registry, name, id).await?;
    let range = request.headers().get(header::CONTENT_RANGE);
    if let Some(range) = range.and_then(|value| value.to_str().ok()) {
        let size = upload.lock().await.size;
        let plain = range
            .trim_start_matches("bytes ")
            .split('/')
            .next()
            .unwrap_or_default();
        let from = plain
            .split('-')
            .next()
            .and_then(|from| from.parse::<u64>().ok());
        if from != Some(size) {
            return Err(Refusal::Range(format!(
                "{size} bytes are here, the next piece begins there"
            )));
        }
    }
    receive(registry, &upload, request.into_body()).await?;
    let size = upload.lock().await.size;
    Ok(accepted(name, id, size, StatusCode::ACCEPTED))
}

pub(super) async fn finish(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    id: &str,
    uri: &Uri,
    request: Request,
) -> Result<Response, Refusal> {
    let upload = find(registry, name, id).await?;
    let digest = parameter(uri, "digest").ok_or(Refusal::DigestInvalid)?;
    let digest: Digest = digest.parse().map_err(|_| Refusal::DigestInvalid)?;
    receive(registry, &upload, request.into_body()).await?;
    let (target, wanted, ended) = (name.clone(), digest.clone(), id.to_owned());
    block(registry, move |registry| {
        let _linking = registry.storage.linking();
        let committed = upload.blocking_lock().commit(&wanted);
        registry.uploads.end(&ended);
        committed?;
        Ok(registry.storage.repository(&target).link_blob(&wanted)?)
    })
    .await?;
    Ok(created(name, &digest))
}

pub(super) async fn cancel(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    id: &str,
) -> Result<Response, Refusal> {
    find(registry, name, id).await?;
    registry.uploads.end(id);
    Ok(empty(StatusCode::NO_CONTENT, &[]))
}

async fn find(
    registry: &Arc<Registry>,
    name: &RepositoryName,
    id: &str,
) -> Result<Arc<Mutex<Upload>>, Refusal> {
    let upload = registry.uploads.get(id).ok_or(Refusal::BlobUploadUnknown)?;
    if upload.lock().await.repository != *name {
        return Err(Refusal::BlobUploadUnknown);
    }
    Ok(upload)
}

/// Takes a body into an upload.
async fn receive(
    registry: &Arc<Registry>,
    upload: &Arc<Mutex<Upload>>,
    body: Body,
) -> Result<(), Refusal> {
    let mut body = body.into_data_stream();
    let mut collected: Vec<u8> = Vec::new();
    loop {
        let next = tokio::time::timeout(PATIENCE, body.next()).await;
        let next = next
            .map_err(|_| Refusal::BlobUploadInvalid("the client was silent for too long".into()))?;
        let end = next.is_none();
        if let Some(piece) = next {
            let piece = piece.map_err(|error| Refusal::BlobUploadInvalid(error.to_string()))?;
            collected.extend_from_slice(&piece);
        }
        if collected.len() >= COLLECTED || (end && !collected.is_empty()) {
            let (upload, bytes) = (Arc::clone(upload), std::mem::take(&mut collected));
            block(registry, move |registry| {
                let mut upload = upload.blocking_lock();
                let limit = registry.limits.blob;
                if upload.size + bytes.len() as u64 > limit {
                    return Err(Refusal::TooLarge(limit));
                }
                upload.write(&bytes).map_err(|source| {
                    Refusal::Failed(crate::store::StoreError::io(
                        "write",
                        std::path::Path::new("the upload"),
                        source,
                    ))
                })
            })
            .await?;
        }
        if end {
            return Ok(());
        }
    }
}

fn accepted(name: &RepositoryName, id: &str, size: u64, status: StatusCode) -> Response {
    let heads = [
        (
            "location",
            format!("/v2/{}/blobs/uploads/{id}", name.as_str()),
        ),
        ("docker-upload-uuid", id.to_owned()),
        ("range", format!("0-{}", size.saturating_sub(1))),
        ("content-length", "0".to_owned()),
    ];
    // A body-less 204 has no length.
    let heads = if status == StatusCode::NO_CONTENT {
        &heads[..3]
    } else {
        &heads[..]
    };
    empty(status, heads)
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let heads = [
        ("location", format!("/v2/{}/blobs/{digest}", name.as_str())),
        ("docker-content-digest", digest.to_string()),
        ("content-length", "0".to_owned()),
    ];
    empty(StatusCode::CREATED, &heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        for (range, expected) in [
            ("bytes=0-", Some((0, 9))),
            ("bytes=4-6", Some((4, 6))),
            ("bytes=4-100", Some((4, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=0-1,3-4", None),
            ("lines=1", None),
        ] {
            assert_eq!(part(range, 10).unwrap(), expected, "{range}");
        }
        for bad in ["bytes=10-", "bytes=6-4", "bytes=x-", "bytes=5"] {
            assert!(part(bad, 10).is_err(), "{bad}");
        }
    }
}
