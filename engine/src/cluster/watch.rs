//! A stream of changes.

use super::ClusterError;
use super::error::in_one_line;
use super::wire::{KeyValue, Line, WatchAnswer};

/// One change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has this value now.
    Put(KeyValue),
    /// It is gone: removed, or its lease has ended.
    Deleted(String),
}

/// Changes as they happen.
#[derive(Debug)]
pub struct Watch {
    server: String,
    answer: reqwest::Response,
    /// What has come of the next line.
    rest: Vec<u8>,
}

impl Watch {
    pub(super) fn new(server: String, answer: reqwest::Response) -> Self {
        Self {
            server,
            answer,
            rest: Vec::new(),
        }
    }

    /// Waits for the next changes. Dropped in between nothing is lost.
    pub async fn next(&mut self) -> Result<Vec<Event>, ClusterError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return self.read(&line);
            }
            let piece = self.answer.chunk().await;
            let piece = piece.map_err(|error| self.broken(in_one_line(&error)))?;
            let piece = piece.ok_or_else(|| self.broken("it closed the connection".into()))?;
            self.rest.extend_from_slice(&piece);
        }
    }

    fn broken(&self, why: String) -> ClusterError {
        ClusterError::Unreachable {
            server: self.server.clone(),
            why,
        }
    }

    fn read(&self, line: &[u8]) -> Result<Vec<Event>, ClusterError> {
        let line: Line<WatchAnswer> =
            serde_json::from_slice(line).map_err(|source| ClusterError::Answer {
                server: self.server.clone(),
                call: "watch",
                source,
            })?;
        if let Some(error) = line.error {
            return Err(ClusterError::Refused {
                server: self.server.clone(),
                call: "watch",
                why: error.to_string(),
            });
        }
        let answer = line.result.unwrap_or_default();
        if answer.canceled {
            return Err(ClusterError::Compacted);
        }
        if answer.created {
            tracing::debug!("watching {}", self.server);
        }
        let event = |event: super::wire::WireEvent| match event.kind.as_str() {
            "DELETE" => Event::Deleted(event.kv.key),
            _ => Event::Put(event.kv),
        };
        Ok(answer.events.into_iter().map(event).collect())
    }
}
