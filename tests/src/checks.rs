//! The check list of an exercise, held by a test as the page holds it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::platform::Platform;

/// One open check list and the last colour of each item.
pub struct Checks {
    socket: WebSocket<TcpStream>,
    states: BTreeMap<String, String>,
}

impl Checks {
    /// Opens the list of the exercise at `path` for the learner who holds `cookie`.
    pub fn open(platform: &Platform, cookie: &str, path: &str) -> Result<Self> {
        let host = format!("127.0.0.1:{}", platform.port());
        let mut request = format!("ws://{host}{path}/checks").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", format!("http://{host}").parse()?);
        headers.insert("cookie", cookie.parse()?);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, platform.port()))?;
        let (socket, _) =
            tungstenite::client(request, stream).context("the server refused the check list")?;
        let timeout = Some(Duration::from_millis(200));
        socket.get_ref().set_read_timeout(timeout)?;
        let states = BTreeMap::new();
        Ok(Self { socket, states })
    }

    /// Asks for a fresh look at everything, as the page's button does.
    pub fn verify(&mut self) -> Result<()> {
        Ok(self.socket.send(Message::text(r#"{"verify":true}"#))?)
    }

    /// Listens for `time` and gives the colours that are then shown.
    pub fn after(&mut self, time: Duration) -> Result<&BTreeMap<String, String>> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.receive()?;
        }
        Ok(&self.states)
    }

    /// Waits until item `id` has the colour `state`.
    pub fn wait_for(&mut self, id: &str, state: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.states.get(id).is_none_or(|shown| shown != state) {
            if Instant::now() > deadline {
                bail!("{id} is not {state:?}: {:?}", self.states);
            }
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let message = match self.socket.read() {
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            message => message?,
        };
        let Message::Text(text) = message else {
            return Ok(());
        };
        let message: serde_json::Value = serde_json::from_str(&text)?;
        if let (Some(id), Some(state)) = (message["id"].as_str(), message["state"].as_str()) {
            self.states.insert(id.to_owned(), state.to_owned());
        }
        Ok(())
    }
}
