//! One repository of one registry, and requests to it.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Body, Method, Response, Url};
use tokio::sync::Mutex;

use super::auth::Proof;
use super::challenge::Challenge;
use super::endpoint::{Endpoint, challenge_of};
use super::{Credentials, RegistryError};

/// How often we let ourselves be sent on.
const HOPS: usize = 5;

/// A repository of a registry that answers.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(super) endpoint: Endpoint,
    /// `library/busybox`
    pub(super) path: String,
    credentials: Credentials,
    /// `repository:library/busybox:pull`
    scopes: Vec<String>,
    proof: Arc<Mutex<Option<Proof>>>,
}

impl Repository {
    /// A repository that is read.
    pub fn to_pull(endpoint: Endpoint, path: &str, credentials: Credentials) -> Self {
        Self::new(
            endpoint,
            path,
            credentials,
            vec![format!("repository:{path}:pull")],
        )
    }

    /// A repository that is written, with blobs of `others` of the same registry at hand.
    pub fn to_push(
        endpoint: Endpoint,
        path: &str,
        credentials: Credentials,
        others: &[String],
    ) -> Self {
        let mut scopes = vec![format!("repository:{path}:pull,push")];
        scopes.extend(
            others
                .iter()
                .map(|other| format!("repository:{other}:pull")),
        );
        Self::new(endpoint, path, credentials, scopes)
    }

    fn new(endpoint: Endpoint, path: &str, credentials: Credentials, scopes: Vec<String>) -> Self {
        Self {
            endpoint,
            path: path.to_owned(),
            credentials,
            scopes,
            proof: Arc::default(),
        }
    }

    /// The registry it is in.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// An address in this repository: `manifests/latest`, `blobs/sha256:…`.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.endpoint.url(&format!("v2/{}/{path}", self.path))
    }

    /// Asks, follows redirects, proves who we are when asked; any answer that is not an error.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: Url,
        headers: &HeaderMap,
    ) -> Result<Response, RegistryError> {
        let (mut url, mut asked_again) = (url, false);
        let mut hops = 0;
        loop {
            let answer = self.send_once(&method, &url, headers, None).await?;
            match answer.status().as_u16() {
                401 if self.endpoint.owns(&url) && !asked_again => {
                    asked_again = true;
                    self.renew(&answer, &method, &url).await?;
                }
                301 | 302 | 303 | 307 | 308 => {
                    hops += 1;
                    url = self.next_hop(&answer, &url, hops)?;
                }
                _ if answer.status().is_success() => return Ok(answer),
                _ => return Err(self.endpoint.refusal(answer).await),
            }
        }
    }

    /// Sends a request with a body, once: a redirect of an upload is not followed.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, RegistryError> {
        let answer = self.send_once(&method, url, headers, Some(body)).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(self.endpoint.refusal(answer).await)
        }
    }

    async fn send_once(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: Option<Body>,
    ) -> Result<Response, RegistryError> {
        let client = if body.is_some() {
            &self.endpoint.upload
        } else {
            &self.endpoint.http
        };
        let mut request = client
            .request(method.clone(), url.clone())
            .headers(headers.clone());
        if self.endpoint.owns(url)
            && let Some(header) = self.proof(method, url).await?.header
        {
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request
            .send()
            .await
            .map_err(RegistryError::http(method, url))
    }

    async fn proof(&self, method: &Method, url: &Url) -> Result<Proof, RegistryError> {
        let mut known = self.proof.lock().await;
        if let Some(proof) = known.as_ref().filter(|proof| proof.is_fresh()) {
            return Ok(proof.clone());
        }
        let challenge = &self.endpoint.challenge;
        let proof = self
            .endpoint
            .prove(challenge, &self.scopes, &self.credentials, (method, url))
            .await?;
        *known = Some(proof.clone());
        Ok(proof)
    }

    /// Answers a challenge that came with a refusal.
    async fn renew(
        &self,
        answer: &Response,
        method: &Method,
        url: &Url,
    ) -> Result<(), RegistryError> {
        let challenge = match challenge_of(answer, &self.endpoint.host())? {
            Challenge::None => self.endpoint.challenge.clone(),
            challenge => challenge,
        };
        let proof = self
            .endpoint
            .prove(&challenge, &self.scopes, &self.credentials, (method, url))
            .await?;
        *self.proof.lock().await = Some(proof);
        Ok(())
    }

    fn next_hop(&self, answer: &Response, from: &Url, hops: usize) -> Result<Url, RegistryError> {
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let refuse = |to: &str, why| RegistryError::Redirect {
            host: self.endpoint.host(),
            to: to.chars().take(200).collect(),
            why,
        };
        let location = location.ok_or_else(|| refuse("", "it does not say where"))?;
        if hops > HOPS {
            return Err(refuse(location, "it is the sixth redirect in a row"));
        }
        let to = from
            .join(location)
            .map_err(|_| refuse(location, "it is no address"))?;
        self.endpoint.check_target(&to)?;
        Ok(to)
    }
}

/// Reads a whole small body.
pub(super) async fn collect(mut answer: Response, limit: u64) -> Result<Vec<u8>, RegistryError> {
    let url = answer.url().clone();
    let mut bytes = Vec::new();
    let failed = |source| RegistryError::http(&Method::GET, &url)(source);
    while let Some(piece) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > limit {
            return Err(RegistryError::TooLarge {
                url: Box::new(url),
                limit,
            });
        }
    }
    Ok(bytes)
}
