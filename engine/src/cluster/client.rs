//! Requests to the store: lists, transactions, leases.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::registry::Resolver;

use super::error::in_one_line;
use super::watch::Watch;
use super::wire::{
    KeyValue, LeaseAnswer, Line, RangeAnswer, Refusal, TransactionAnswer, encoded, end_of,
};
use super::{ClusterError, Settings, tls};

/// How long one server may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);

/// A client of one store.
#[derive(Clone, Debug)]
pub struct Client {
    servers: Vec<Server>,
}

#[derive(Clone, Debug)]
struct Server {
    name: String,
    url: String,
    http: reqwest::Client,
}

/// All keys below a prefix at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The store's revision then: what came later is watched from here.
    pub revision: i64,
    /// The keys, in order.
    pub keys: Vec<KeyValue>,
}

/// What must hold for a transaction to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no such key.
    Absent(String),
    /// There is.
    Present(String),
    /// It has this value.
    Equals(String, Vec<u8>),
    /// No key begins so.
    NoneBelow(String),
    /// The key has not changed since this revision; 0: there is none.
    Unchanged(String, i64),
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a key, which ends with a lease if that is not 0.
    Put {
        /// Which.
        key: String,
        /// To what.
        value: Vec<u8>,
        /// With which lease.
        lease: i64,
    },
    /// Removes a key.
    Delete(String),
    /// Removes all keys that begin so.
    DeleteBelow(String),
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was done.
    Done,
    /// A condition did not hold: nothing was done.
    Refused,
}

impl Client {
    /// Prepares requests; nothing is sent. Names are looked up as the files below `root` say. Connections belong to the
    /// runtime that makes them.
    pub fn new(settings: &Settings, root: &Path) -> Result<Self, ClusterError> {
        let scheme = settings.tls.as_ref().map_or("http", |_| "https");
        let tls = tls::config(settings.tls.as_ref())?;
        let server = |name: &String| -> Result<Server, ClusterError> {
            let host = name
                .rsplit_once(':')
                .map_or(name.as_str(), |(host, _)| host);
            let http = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Resolver::new(root, host))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .tcp_keepalive(ANSWER)
                .http1_only()
                .no_proxy()
                .build()
                .map_err(ClusterError::Http)?;
            Ok(Server {
                name: name.clone(),
                url: format!("{scheme}://{name}/v3/"),
                http,
            })
        };
        Ok(Self {
            servers: settings
                .servers
                .iter()
                .map(server)
                .collect::<Result<_, _>>()?,
        })
    }

    /// All keys that begin so.
    pub async fn list(&self, prefix: &str) -> Result<Snapshot, ClusterError> {
        let body = json!({"key": encoded(prefix), "range_end": end_of(prefix)});
        let answer: RangeAnswer = self.call("kv/range", &body).await?;
        Ok(Snapshot {
            revision: answer.header.revision,
            keys: answer.kvs,
        })
    }

    /// Carries out all changes at once, if all conditions hold.
    pub async fn transact(
        &self,
        conditions: &[Condition],
        changes: &[Change],
    ) -> Result<Outcome, ClusterError> {
        let body = json!({
            "compare": conditions.iter().map(Condition::to_json).collect::<Vec<_>>(),
            "success": changes.iter().map(Change::to_json).collect::<Vec<_>>(),
        });
        let answer: TransactionAnswer = self.call("kv/txn", &body).await?;
        tracing::trace!("transaction at revision {}", answer.header.revision);
        Ok(if answer.succeeded {
            Outcome::Done
        } else {
            Outcome::Refused
        })
    }

    /// A lease that ends after so many seconds of silence.
    pub async fn grant(&self, seconds: u32) -> Result<i64, ClusterError> {
        let body = json!({"TTL": seconds.to_string()});
        let answer: LeaseAnswer = self.call("lease/grant", &body).await?;
        Ok(answer.id)
    }

    /// Says that the holder of a lease is alive.
    pub async fn keep_alive(&self, lease: i64) -> Result<(), ClusterError> {
        let body = json!({"ID": lease.to_string()});
        let answer: Line<LeaseAnswer> = self.call("lease/keepalive", &body).await?;
        // A lease that has ended has no time to live.
        match answer.result {
            Some(answer) if answer.ttl > 0 => Ok(()),
            _ => Err(ClusterError::LeaseEnded),
        }
    }

    /// What changes below a prefix, from this revision on.
    pub async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, ClusterError> {
        let body = json!({"create_request": {
            "key": encoded(prefix),
            "range_end": end_of(prefix),
            "start_revision": from.to_string(),
        }});
        let (server, answer) = self.send("watch", &body, None).await?;
        Ok(Watch::new(server.name.clone(), answer))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        call: &'static str,
        body: &Value,
    ) -> Result<T, ClusterError> {
        let (server, answer) = self.send(call, body, Some(ANSWER)).await?;
        let bytes = answer.bytes().await;
        let bytes = bytes.map_err(|error| unreachable(server, &error))?;
        serde_json::from_slice(&bytes).map_err(|source| ClusterError::Answer {
            server: server.name.clone(),
            call,
            source,
        })
    }

    /// Asks the servers in order until one answers.
    async fn send(
        &self,
        call: &'static str,
        body: &Value,
        patience: Option<Duration>,
    ) -> Result<(&Server, reqwest::Response), ClusterError> {
        let mut last = ClusterError::Unreachable {
            server: String::new(),
            why: "no server is configured".into(),
        };
        for server in &self.servers {
            let mut request = server
                .http
                .post(format!("{}{call}", server.url))
                .body(body.to_string());
            if let Some(patience) = patience {
                request = request.timeout(patience);
            }
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok((server, answer)),
                Ok(answer) => last = refused(server, call, answer).await,
                Err(error) => last = unreachable(server, &error),
            }
        }
        Err(last)
    }
}

fn unreachable(server: &Server, error: &reqwest::Error) -> ClusterError {
    ClusterError::Unreachable {
        server: server.name.clone(),
        why: if error.is_timeout() {
            "it does not answer in time".into()
        } else {
            in_one_line(error)
        },
    }
}

async fn refused(server: &Server, call: &'static str, answer: reqwest::Response) -> ClusterError {
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap_or_default();
    let told: Refusal = serde_json::from_slice(&bytes).unwrap_or_default();
    ClusterError::Refused {
        server: server.name.clone(),
        call,
        why: if told.error.is_empty() {
            status.to_string()
        } else {
            told.error
        },
    }
}

impl Condition {
    fn to_json(&self) -> Value {
        let created = |key: &str, result: &str| {
            json!({"key": encoded(key), "target": "CREATE", "result": result,
                   "create_revision": "0"})
        };
        match self {
            Self::Absent(key) => created(key, "EQUAL"),
            Self::Present(key) => created(key, "GREATER"),
            Self::Equals(key, value) => json!({
                "key": encoded(key), "target": "VALUE", "result": "EQUAL", "value": encoded(value),
            }),
            Self::NoneBelow(prefix) => json!({
                "key": encoded(prefix), "range_end": end_of(prefix), "target": "CREATE",
                "result": "EQUAL", "create_revision": "0",
            }),
            Self::Unchanged(key, revision) => json!({
                "key": encoded(key), "target": "MOD", "result": "EQUAL",
                "mod_revision": revision.to_string(),
            }),
        }
    }
}

impl Change {
    fn to_json(&self) -> Value {
        match self {
            Self::Put { key, value, lease } => json!({"request_put": {
                "key": encoded(key), "value": encoded(value), "lease": lease.to_string(),
            }}),
            Self::Delete(key) => json!({"request_delete_range": {"key": encoded(key)}}),
            Self::DeleteBelow(prefix) => json!({"request_delete_range": {
                "key": encoded(prefix), "range_end": end_of(prefix),
            }}),
        }
    }
}
