//! Streams of JSON messages: progress, events, statistics.

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::Value;

use super::error::CliError;
use super::path::Query;

/// The messages of one answer, as they arrive.
#[derive(Debug)]
pub(crate) struct Messages {
    doing: String,
    body: Incoming,
    buffer: Vec<u8>,
}

impl Messages {
    /// Reads the messages of an answer to `query`.
    pub(crate) fn new(query: &Query, response: Response<Incoming>) -> Self {
        Self {
            doing: query.as_str().to_owned(),
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }

    /// The next one; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, CliError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| CliError::Broken {
                doing: self.doing.clone(),
                source,
            })?;
            if let Ok(bytes) = frame.into_data() {
                self.buffer.extend_from_slice(&bytes);
            }
        }
    }

    /// A whole message of the buffer, if there is one.
    fn take(&mut self) -> Result<Option<Value>, CliError> {
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Value>();
        match values.next() {
            None => Ok(None),
            Some(Err(error)) if error.is_eof() => Ok(None),
            Some(Err(error)) => Err(CliError::Nonsense {
                doing: self.doing.clone(),
                why: error.to_string(),
            }),
            Some(Ok(message)) => {
                let end = values.byte_offset();
                self.buffer.drain(..end);
                Ok(Some(message))
            }
        }
    }
}
