//! Frames from one side to the other, until one of them ends.

use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout};

use super::wanted::Wanted;
use crate::machine::keeper::wire::{
    FromClient, FromKeeper, MAX_FROM_CLIENT, MAX_FROM_KEEPER, WireError, frame,
};

/// How often a silent browser is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// A browser that said nothing for so long, not even a pong, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A browser that takes nothing for so long is gone.
const STUCK: Duration = Duration::from_secs(120);

/// Why a relay ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// The keeper is not there.
    #[error("cannot reach the machine's keeper")]
    Connect(#[source] std::io::Error),
    /// The keeper's side broke.
    #[error("the machine's keeper went away")]
    Keeper(#[source] std::io::Error),
    /// The keeper sent what it may not.
    #[error("the machine's keeper broke the protocol")]
    KeeperFrame(#[source] WireError),
    /// The browser sent what no page of ours sends.
    #[error("the browser broke the protocol: {0}")]
    Browser(WireError),
    /// A message type we do not use.
    #[error("the browser sent a text message")]
    Text,
    /// The browser's side broke, or fell silent.
    #[error("the browser went away")]
    BrowserGone,
}

/// Connects to a keeper and opens the terminal.
pub(crate) async fn open(keeper: &Path, wanted: &Wanted) -> Result<UnixStream, RelayError> {
    let mut stream = UnixStream::connect(keeper)
        .await
        .map_err(RelayError::Connect)?;
    let line = serde_json::json!({
        "open": "terminal",
        "name": wanted.name,
        "cols": wanted.cols,
        "rows": wanted.rows,
        "resume": wanted.resume,
    });
    stream
        .write_all(format!("{line}\n").as_bytes())
        .await
        .map_err(RelayError::Connect)?;
    Ok(stream)
}

/// The upgrade with the limits of a terminal's messages.
pub(crate) fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_FROM_CLIENT)
        .max_frame_size(MAX_FROM_CLIENT)
        // At most one frame is held here as well; see `send`.
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FROM_KEEPER)
}

/// Carries frames both ways until one side ends; then closes the other.
pub(crate) async fn run(browser: WebSocket, keeper: UnixStream) -> Result<(), RelayError> {
    let (mut to_browser, mut from_browser) = browser.split();
    let (mut from_keeper, mut to_keeper) = keeper.into_split();
    let ended = tokio::select! {
        ended = upstream(&mut from_browser, &mut to_keeper) => ended,
        ended = downstream(&mut from_keeper, &mut to_browser) => ended,
    };
    let farewell = match &ended {
        Ok(()) => None,
        Err(RelayError::Browser(WireError::Oversized { .. })) => {
            Some((close_code::SIZE, "frame too large"))
        }
        Err(RelayError::Browser(_) | RelayError::Text) => {
            Some((close_code::PROTOCOL, "frame not understood"))
        }
        Err(RelayError::BrowserGone) => None,
        Err(_) => Some((close_code::AWAY, "machine gone")),
    };
    if let Some((code, reason)) = farewell {
        close(&mut to_browser, code, reason).await;
    }
    ended
}

/// Says one thing to a browser whose terminal is not open yet.
pub(crate) async fn tell(browser: &mut WebSocket, notice: &serde_json::Value) {
    let message = FromKeeper::Notice(notice.to_string()).message();
    // A browser that left is found out by what comes next.
    let _sent = timeout(PING, browser.send(Message::Binary(message.into()))).await;
}

/// Says why a terminal cannot be opened, and closes: *try again later*.
pub(crate) async fn refuse(mut browser: WebSocket, notice: &serde_json::Value) {
    tell(&mut browser, notice).await;
    let frame = CloseFrame {
        code: close_code::AGAIN,
        reason: "no machine".into(),
    };
    let _closed = timeout(PING, browser.send(Message::Close(Some(frame)))).await;
}

async fn upstream(
    browser: &mut SplitStream<WebSocket>,
    keeper: &mut OwnedWriteHalf,
) -> Result<(), RelayError> {
    loop {
        let message = match timeout(SILENCE, browser.next()).await {
            Err(_) => return Err(RelayError::BrowserGone),
            Ok(None) => return Ok(()),
            Ok(Some(message)) => message.map_err(|error| judge(&error))?,
        };
        match message {
            Message::Binary(bytes) => {
                let parsed = FromClient::parse(&bytes).map_err(RelayError::Browser)?;
                let framed = frame(&parsed.message());
                keeper
                    .write_all(&framed)
                    .await
                    .map_err(RelayError::Keeper)?;
            }
            Message::Text(_) => return Err(RelayError::Text),
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// A message longer than the socket's limit reaches us as an error of the socket.
fn judge(error: &axum::Error) -> RelayError {
    use std::error::Error as _;
    let told = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    if told.contains("too long") || told.contains("too big") {
        let max = MAX_FROM_CLIENT;
        return RelayError::Browser(WireError::Oversized { len: max + 1, max });
    }
    RelayError::BrowserGone
}

async fn downstream(
    keeper: &mut OwnedReadHalf,
    browser: &mut SplitSink<WebSocket, Message>,
) -> Result<(), RelayError> {
    let mut ping_at = Instant::now() + PING;
    let mut head = Head::default();
    loop {
        let length = tokio::select! {
            length = head.read(keeper) => length.map_err(RelayError::Keeper)?,
            () = tokio::time::sleep_until(ping_at) => {
                ping_at = Instant::now() + PING;
                send(browser, Message::Ping(Bytes::new())).await?;
                continue;
            }
        };
        let Some(length) = length else {
            return Ok(());
        };
        if length > MAX_FROM_KEEPER {
            let max = MAX_FROM_KEEPER;
            return Err(RelayError::KeeperFrame(WireError::Oversized {
                len: length,
                max,
            }));
        }
        let mut message = vec![0; length];
        keeper
            .read_exact(&mut message)
            .await
            .map_err(RelayError::Keeper)?;
        send(browser, Message::Binary(message.into())).await?;
    }
}

/// The length of the next frame, read so that an interruption loses no byte.
#[derive(Default)]
struct Head {
    bytes: [u8; 4],
    filled: usize,
}

impl Head {
    async fn read(&mut self, keeper: &mut OwnedReadHalf) -> std::io::Result<Option<usize>> {
        while self.filled < 4 {
            match keeper.read(&mut self.bytes[self.filled..]).await? {
                0 => return Ok(None),
                n => self.filled += n,
            }
        }
        self.filled = 0;
        Ok(Some(u32::from_be_bytes(self.bytes) as usize))
    }
}

async fn send(
    browser: &mut SplitSink<WebSocket, Message>,
    message: Message,
) -> Result<(), RelayError> {
    match timeout(STUCK, browser.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(RelayError::BrowserGone),
    }
}

async fn close(browser: &mut SplitSink<WebSocket, Message>, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let _closed = timeout(PING, browser.send(Message::Close(Some(frame)))).await;
}
