//! A browser's side of the wire: a real websocket, the relay, the keeper's loop and a real bash.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Sent;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use axum::extract::ws::close_code;

use super::{Asked, limited, open, run};
use crate::machine::keeper::tests::house;
use crate::machine::keeper::wire::{FromClient, FromKeeper, MAX_FROM_CLIENT};

/// How each relay of a site ended, in words.
type Ends = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Site {
    keeper: PathBuf,
    ends: Ends,
}

async fn route(
    State(site): State<Site>,
    Query(query): Query<Asked>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let wanted = query.wanted("1");
    limited(upgrade).on_upgrade(async move |socket| {
        let keeper = open(&site.keeper, &wanted).await.unwrap();
        let end = run(socket, keeper).await;
        let words = end.map_or_else(|error| error.to_string(), |()| "ok".into());
        site.ends.lock().unwrap().push(words);
    })
}

async fn serve(keeper: PathBuf) -> (SocketAddr, Ends) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let ends = Ends::default();
    let site = Site {
        keeper,
        ends: Arc::clone(&ends),
    };
    let router = Router::new().route("/", get(route)).with_state(site);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, ends)
}

struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    text: String,
    last: u64,
}

impl Browser {
    async fn open(site: SocketAddr, query: &str) -> Self {
        let url = format!("ws://{site}/?{query}");
        let (socket, _) = connect_async(url).await.unwrap();
        Self {
            socket,
            text: String::new(),
            last: 0,
        }
    }

    async fn send(&mut self, frame: &FromClient) {
        let message = Sent::Binary(frame.message().into());
        self.socket.send(message).await.unwrap();
    }

    async fn wait_for(&mut self, what: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.text.contains(what) {
            assert!(
                Instant::now() < end,
                "never saw {what:?} in {:?}",
                self.text
            );
            let message = self.socket.next().await.unwrap().unwrap();
            let Sent::Binary(bytes) = message else {
                continue;
            };
            match FromKeeper::parse(&bytes).unwrap() {
                FromKeeper::Output { seq, bytes } => {
                    self.last = seq + bytes.len() as u64 - 1;
                    self.text.push_str(&String::from_utf8_lossy(&bytes));
                }
                FromKeeper::Screen { seq, bytes, .. } => {
                    self.last = seq;
                    self.text.push_str(&String::from_utf8_lossy(&bytes));
                }
                FromKeeper::Notice(_) => {}
            }
            self.send(&FromClient::Ack(self.last)).await;
        }
    }

    /// The code with which the server closes.
    async fn close_code(&mut self) -> u16 {
        loop {
            match self.socket.next().await {
                Some(Ok(Sent::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_browser_types_and_comes_back_where_it_was() {
    let house = house::start(house::bash());
    let (site, _) = serve(house.path().to_owned()).await;
    let mut first = Browser::open(site, "cols=80&rows=24").await;
    let line = b"PS1=; stty -echo; echo un-$((1+1))\r".to_vec();
    first.send(&FromClient::Input(line)).await;
    first.wait_for("un-2\r\n").await;
    let resume = first.last;
    drop(first);
    let query = format!("cols=80&rows=24&resume={resume}");
    let mut second = Browser::open(site, &query).await;
    second
        .send(&FromClient::Input(b"echo deux-$((2+2))\r".to_vec()))
        .await;
    second.wait_for("deux-4\r\n").await;
    assert!(
        !second.text.contains("un-2"),
        "{:?}: no byte twice",
        second.text
    );
}

#[tokio::test]
async fn an_oversized_message_is_refused_and_others_stay() {
    let house = house::start(house::bash());
    let (site, ends) = serve(house.path().to_owned()).await;
    let mut good = Browser::open(site, "cols=80&rows=24").await;
    let mut bad = Browser::open(site, "cols=80&rows=24").await;
    let huge = vec![0; MAX_FROM_CLIENT + 1];
    let _refused_while_sending = bad.socket.send(Sent::Binary(huge.into())).await;
    assert_eq!(bad.close_code().await, close_code::SIZE);
    let told = ends.lock().unwrap().join("\n");
    assert!(told.contains("at most"), "{told}");
    good.send(&FromClient::Input(b"echo $((5+5))-ok\r".to_vec()))
        .await;
    good.wait_for("10-ok").await;
}

#[tokio::test]
async fn text_and_unknown_frames_are_refused() {
    let house = house::start(house::bash());
    let (site, _) = serve(house.path().to_owned()).await;
    for message in [Sent::Text("ls".into()), Sent::Binary(vec![9, 9].into())] {
        let mut browser = Browser::open(site, "cols=80&rows=24").await;
        browser.socket.send(message).await.unwrap();
        assert_eq!(browser.close_code().await, close_code::PROTOCOL);
    }
}

#[tokio::test]
async fn a_keeper_that_ends_closes_the_browser() {
    let house = house::start(house::bash());
    let (site, _) = serve(house.path().to_owned()).await;
    let mut browser = Browser::open(site, "cols=80&rows=24").await;
    browser
        .send(&FromClient::Input(b"echo la-$((3+3))\r".to_vec()))
        .await;
    browser.wait_for("la-6").await;
    tokio::task::spawn_blocking(move || drop(house))
        .await
        .unwrap();
    while let Some(Ok(_)) = browser.socket.next().await {}
}

#[test]
fn a_query_is_read_with_bounds_left_to_the_keeper() {
    let asked: Asked = serde_json::from_str(r#"{"cols":80,"rows":24,"resume":5}"#).unwrap();
    let wanted = asked.wanted("2");
    assert_eq!((wanted.cols, wanted.rows), (80, 24));
    assert_eq!((wanted.name.as_str(), wanted.resume), ("2", Some(5)));
    let missing: Asked = serde_json::from_str("{}").unwrap();
    assert_eq!(
        (missing.wanted("1").cols, missing.wanted("1").rows),
        (80, 24)
    );
}
