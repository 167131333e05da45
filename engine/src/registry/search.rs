//! `docker search`: the old first version of the protocol, which only search still uses.

use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};

use super::client::collect;
use super::endpoint::Endpoint;
use super::{DOCUMENT_LIMIT, RegistryError, Settings};

/// One repository that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchHit {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Stars.
    pub star_count: i64,
    /// Docker's own.
    pub is_official: bool,
}

/// Asks a registry for repositories whose name or description holds `term`.
pub async fn search(
    settings: &Settings,
    domain: &str,
    term: &str,
    limit: u32,
) -> Result<Vec<SearchHit>, RegistryError> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        results: Vec<SearchHit>,
    }
    let endpoint = Endpoint::reach(
        settings,
        if domain == "docker.io" {
            "index.docker.io"
        } else {
            domain
        },
    )
    .await?;
    let mut url: Url = endpoint.url("v1/search")?;
    url.query_pairs_mut()
        .append_pair("q", term)
        .append_pair("n", &limit.to_string());
    let answer = endpoint.http.get(url.clone()).send().await;
    let answer = answer.map_err(RegistryError::http(&Method::GET, &url))?;
    if !answer.status().is_success() {
        return Err(endpoint.refusal(answer).await);
    }
    let bytes = collect(answer, DOCUMENT_LIMIT).await?;
    let page: Page = serde_json::from_slice(&bytes).map_err(|error| RegistryError::Answer {
        url: Box::new(url),
        why: error.to_string(),
    })?;
    Ok(page.results)
}
