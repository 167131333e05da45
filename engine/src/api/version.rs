//! The version at the head of a path.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;

use crate::daemon::{API_VERSION, MIN_API_VERSION};

use super::error::ApiError;

/// The version of the API that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(u32, u32);

impl ApiVersion {
    /// `ApiVersion::new(1, 41)` is 1.41.
    pub(crate) const fn new(major: u32, minor: u32) -> Self {
        Self(major, minor)
    }

    /// What is spoken where a path names no version.
    pub(crate) fn newest() -> Self {
        parse(API_VERSION).expect("ours is well formed")
    }
}

impl<S: Sync> FromRequestParts<S> for ApiVersion {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(Self::newest))
    }
}

/// Cuts `/v1.41` off; refuses versions that are too old or too new, in Docker's words.
pub(crate) fn strip(uri: &Uri) -> Result<(Uri, ApiVersion), ApiError> {
    let path = uri.path();
    let Some((version, rest)) = path
        .strip_prefix("/v")
        .and_then(|path| path.split_once('/'))
    else {
        return Ok((uri.clone(), ApiVersion::newest()));
    };
    let Some(number) = parse(version) else {
        return Ok((uri.clone(), ApiVersion::newest()));
    };
    if number < parse(MIN_API_VERSION).expect("ours is well formed") {
        return Err(ApiError::bad_request(format!(
            "client version {version} is too old. Minimum supported API version is {MIN_API_VERSION}, please upgrade \
             your client to a newer version"
        )));
    }
    if number > ApiVersion::newest() {
        return Err(ApiError::bad_request(format!(
            "client version {version} is too new. Maximum supported API version is {API_VERSION}"
        )));
    }
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let path = format!("/{rest}{query}");
    let path: PathAndQuery = path
        .parse()
        .map_err(|_| ApiError::bad_request("invalid path"))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    let uri = Uri::from_parts(parts).map_err(|_| ApiError::bad_request("invalid path"))?;
    Ok((uri, number))
}

/// `1.41` as numbers that compare.
fn parse(version: &str) -> Option<ApiVersion> {
    let (major, minor) = version.split_once('.')?;
    Some(ApiVersion(major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_cut_off() {
        let strip = |text: &str| strip(&text.parse().unwrap()).map(|(uri, _)| uri.to_string());
        assert_eq!(strip("/v1.41/info?a=b").unwrap(), "/info?a=b");
        assert_eq!(strip("/info").unwrap(), "/info");
        assert_eq!(strip("/volumes/x").unwrap(), "/volumes/x");
        let number = super::strip(&"/v1.41/info".parse().unwrap()).unwrap().1;
        assert_eq!(number, ApiVersion::new(1, 41));
        assert!(strip("/v1.12/info").is_err());
        assert!(strip("/v9.1/info").is_err());
    }
}
