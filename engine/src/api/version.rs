//! The version at the head of a path.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

use crate::daemon::{API_VERSION, MIN_API_VERSION};

use super::error::ApiError;

/// Cuts `/v1.41` off; refuses versions that are too old or too new, in Docker's words.
pub(crate) fn strip(uri: &Uri) -> Result<Uri, ApiError> {
    let path = uri.path();
    let Some((version, rest)) = path
        .strip_prefix("/v")
        .and_then(|path| path.split_once('/'))
    else {
        return Ok(uri.clone());
    };
    let Some(number) = parse(version) else {
        return Ok(uri.clone());
    };
    if number < parse(MIN_API_VERSION).expect("ours is well formed") {
        return Err(ApiError::bad_request(format!(
            "client version {version} is too old. Minimum supported API version is {MIN_API_VERSION}, please upgrade \
             your client to a newer version"
        )));
    }
    if number > parse(API_VERSION).expect("ours is well formed") {
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
    Uri::from_parts(parts).map_err(|_| ApiError::bad_request("invalid path"))
}

/// `1.41` as numbers that compare.
fn parse(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_cut_off() {
        let strip = |text: &str| strip(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(strip("/v1.41/info?a=b").unwrap(), "/info?a=b");
        assert_eq!(strip("/info").unwrap(), "/info");
        assert_eq!(strip("/volumes/x").unwrap(), "/volumes/x");
        assert!(strip("/v1.12/info").is_err());
        assert!(strip("/v9.1/info").is_err());
    }
}
