//! Who we are at a registry: a name and password, or a token that was given for them.
//!
//! A password is sent to the registry it belongs to, or to the token server that this registry itself names when that
//! is the same party. It is never sent because of a challenge that came from elsewhere (CVE-2020-15157).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::challenge::Challenge;
use super::endpoint::{Endpoint, host_and_port};
use super::settings::host_name;
use super::{RegistryError, Settings};

/// Answers of token servers are smaller.
const TOKEN_LIMIT: usize = 1 << 20;

/// What `X-Registry-Auth` and credential files hold.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// The account.
    pub username: String,
    /// Its password.
    pub password: String,
    /// A token that stands for both.
    #[serde(rename = "identitytoken")]
    pub identity_token: String,
    /// A token that is sent as it is.
    #[serde(rename = "registrytoken")]
    pub registry_token: String,
}

/// Passwords are in no log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn basic(&self) -> HeaderValue {
        let pair = STANDARD.encode(format!("{}:{}", self.username, self.password));
        let mut value =
            HeaderValue::try_from(format!("Basic {pair}")).expect("base64 is plain text");
        value.set_sensitive(true);
        value
    }
}

/// What a login gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// A token that stands for the password from now on.
    pub identity_token: Option<String>,
}

/// The proof that goes with requests, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) header: Option<HeaderValue>,
    pub(super) until: Option<Instant>,
}

impl Proof {
    /// Whether it can still be used.
    pub(super) fn is_fresh(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Endpoint {
    /// Finds the proof that answers `challenge`, for these scopes.
    pub(super) async fn prove(
        &self,
        challenge: &Challenge,
        scopes: &[String],
        credentials: &Credentials,
        asked: (&Method, &Url),
    ) -> Result<Proof, RegistryError> {
        let plain = |header| Proof {
            header,
            until: None,
        };
        if !credentials.registry_token.is_empty() {
            return Ok(plain(Some(bearer(
                &credentials.registry_token,
                &self.base,
            )?)));
        }
        match challenge {
            Challenge::None => Ok(plain(None)),
            Challenge::Basic if credentials.username.is_empty() => {
                Err(RegistryError::NoCredentials {
                    method: asked.0.clone(),
                    url: Box::new(asked.1.clone()),
                })
            }
            Challenge::Basic => Ok(plain(Some(credentials.basic()))),
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => {
                let mut scopes = scopes.to_vec();
                scopes.extend(scope.clone().filter(|scope| !scopes.contains(scope)));
                let answer = self
                    .token(realm, service, &scopes, credentials, Offline::No)
                    .await?;
                let token = answer.any().ok_or_else(|| RegistryError::Answer {
                    url: Box::new(self.base.clone()),
                    why: format!("{realm} gave no token"),
                })?;
                let lives = Duration::from_secs(answer.expires_in.unwrap_or(60).clamp(10, 3600));
                Ok(Proof {
                    header: Some(bearer(token, &self.base)?),
                    // A little earlier, because clocks and requests take their time.
                    until: Some(Instant::now() + lives.mul_f32(0.8)),
                })
            }
        }
    }

    /// Asks the token server that this registry named.
    async fn token(
        &self,
        realm: &str,
        service: &str,
        scopes: &[String],
        credentials: &Credentials,
        offline: Offline,
    ) -> Result<TokenAnswer, RegistryError> {
        let mut url = Url::parse(realm).map_err(|_| RegistryError::Challenge {
            host: self.host(),
            challenge: realm.to_owned(),
        })?;
        self.check_target(&url)?;
        if !credentials.is_empty() && !is_same_party(&self.base, &url) {
            return Err(RegistryError::Realm {
                host: self.host(),
                realm: host_and_port(&url),
            });
        }
        let request = if credentials.identity_token.is_empty() {
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("service", service);
                for scope in scopes {
                    query.append_pair("scope", scope);
                }
                if !credentials.username.is_empty() {
                    query.append_pair("account", &credentials.username);
                }
                if offline == Offline::Yes {
                    query
                        .append_pair("offline_token", "true")
                        .append_pair("client_id", "docker");
                }
            }
            let request = self.http.get(url.clone());
            match credentials.username.is_empty() {
                true => request,
                false => request.header(AUTHORIZATION, credentials.basic()),
            }
        } else {
            let mut form = Url::parse("form:").expect("a constant");
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", service)
                .append_pair("client_id", "docker")
                .append_pair("scope", &scopes.join(" "))
                .append_pair("refresh_token", &credentials.identity_token);
            self.http
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.query().unwrap_or_default().to_owned())
        };
        let answer = request
            .send()
            .await
            .map_err(RegistryError::http(&Method::GET, &url))?;
        if answer.status().as_u16() == 401 {
            return Err(self.wrong_password());
        }
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        let bytes = super::client::collect(answer, TOKEN_LIMIT as u64).await?;
        serde_json::from_slice(&bytes).map_err(|error| RegistryError::Answer {
            url: Box::new(url),
            why: format!("no token: {error}"),
        })
    }

    /// Checks a name and password.
    pub async fn login(&self, credentials: &Credentials) -> Result<Login, RegistryError> {
        let url = self.url("v2/")?;
        let mut identity_token = None;
        let proof = match &self.challenge {
            Challenge::Bearer { realm, service, .. } => {
                let offline = if credentials.identity_token.is_empty() {
                    Offline::Yes
                } else {
                    Offline::No
                };
                let answer = self
                    .token(realm, service, &[], credentials, offline)
                    .await?;
                identity_token = answer
                    .refresh_token
                    .clone()
                    .filter(|token| !token.is_empty());
                let token = answer.any().unwrap_or_default();
                Proof {
                    header: Some(bearer(token, &self.base)?),
                    until: None,
                }
            }
            other => {
                self.prove(other, &[], credentials, (&Method::GET, &url))
                    .await?
            }
        };
        let mut request = self.http.get(url.clone());
        if let Some(header) = proof.header {
            request = request.header(AUTHORIZATION, header);
        }
        let answer = request
            .send()
            .await
            .map_err(RegistryError::http(&Method::GET, &url))?;
        match answer.status().as_u16() {
            200 => Ok(Login { identity_token }),
            401 => Err(self.wrong_password()),
            _ => Err(self.refusal(answer).await),
        }
    }

    fn wrong_password(&self) -> RegistryError {
        let url = self.url("v2/").unwrap_or_else(|_| self.base.clone());
        RegistryError::Unauthorized {
            url: Box::new(url),
            message: "incorrect username or password".to_owned(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offline {
    Yes,
    No,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

impl TokenAnswer {
    fn any(&self) -> Option<&str> {
        let both = [self.token.as_deref(), self.access_token.as_deref()];
        both.into_iter().flatten().find(|token| !token.is_empty())
    }
}

fn bearer(token: &str, base: &Url) -> Result<HeaderValue, RegistryError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| RegistryError::Answer {
            url: Box::new(base.clone()),
            why: "the token is no plain text".to_owned(),
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a token server belongs to whom the registry belongs: the same host, or a domain in common.
fn is_same_party(registry: &Url, realm: &Url) -> bool {
    let (Some(a), Some(b)) = (registry.host_str(), realm.host_str()) else {
        return false;
    };
    if a == b {
        return true;
    }
    let is_name =
        |name: &str| host_name(name).parse::<std::net::IpAddr>().is_err() && !name.starts_with('[');
    let last_two = |name: &str| -> Option<String> {
        let mut labels = name.trim_end_matches('.').rsplit('.');
        let (last, second) = (labels.next()?, labels.next()?);
        Some(format!("{second}.{last}"))
    };
    is_name(a) && is_name(b) && last_two(a).is_some() && last_two(a) == last_two(b)
}

impl Settings {
    /// The settings with another patience, for tests and slow links.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration, attempts: u32) -> Self {
        self.patience = patience;
        self.attempts = attempts;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_the_same_party_only() {
        for (registry, realm, same) in [
            (
                "https://registry-1.docker.io/",
                "https://auth.docker.io/token",
                true,
            ),
            ("https://r.test:5000/", "https://r.test/token", true),
            ("https://registry.git.test/", "https://git.test/jwt", true),
            ("https://r.test/", "https://evil.example/token", false),
            ("https://10.0.0.1/", "https://10.0.0.2/token", false),
            (
                "http://127.0.0.1:5000/",
                "http://127.0.0.1:5001/token",
                true,
            ),
            ("http://localhost:5000/", "http://otherhost/token", false),
        ] {
            let (registry, realm) = (Url::parse(registry).unwrap(), Url::parse(realm).unwrap());
            assert_eq!(is_same_party(&registry, &realm), same, "{registry} {realm}");
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        let credentials = Credentials {
            username: "me".into(),
            password: "hidden".into(),
            ..Credentials::default()
        };
        assert!(!format!("{credentials:?}").contains("hidden"));
    }
}
