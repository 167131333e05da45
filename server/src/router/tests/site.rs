//! A running site for one test, and the smallest client that can speak to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::exercise::Exercise;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc;

use crate::app::{App, Lack, Shared};
use crate::config::{Browser, Config};
use crate::course::load::load;
use crate::course::source::Source;
use crate::machine::identity::MachineId;
use crate::machine::pool::{Answer, Capacity, Launcher, Pool};
use crate::machine::spec::Network;
use crate::progress::Progress;
use crate::published::Published;
use crate::published::address::Domain;
use crate::session::origin::AllowedHosts;
use crate::session::watches::Watches;

/// The TP of these tests.
pub(super) const TP: &str = "---\nschema: 1\nid: essai/tp\ntitle: Un TP\nduration: 5m\n\
    checks:\n  - { id: a, text: Premier, assert: { x.y: 1 } }\n\
    \x20 - { id: b, text: Second, needs: [a], assert: { x.z: 1 } }\n\
    ask:\n  - { id: q, text: Combien ?, type: integer, equals: 3 }\n\
    solve: s.sh\ncounterexamples: []\n---\n## Objectif\n\nTexte.\n";

/// A site that listens, and the lines its keepers receive.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) app: Shared,
    pub(super) folder: PathBuf,
    /// One entry per connection to a keeper.
    pub(super) keepers: mpsc::Receiver<Keeper>,
    cookie: String,
}

/// One connection to a keeper, seen from the keeper.
pub(super) struct Keeper {
    pub(super) lines: tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    pub(super) write: OwnedWriteHalf,
}

/// Starts machines that are listening sockets.
struct Sockets {
    folder: PathBuf,
    accepted: mpsc::Sender<Keeper>,
}

impl Launcher for Sockets {
    fn start(&self, id: MachineId, _: &Exercise) -> Answer<()> {
        let path = self.folder.join(format!("{id}.sock"));
        let accepted = self.accepted.clone();
        Box::pin(async move {
            let _ = std::fs::remove_file(&path);
            let listener = UnixListener::bind(path).unwrap();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (read, write) = stream.into_split();
                    let lines = BufReader::new(read).lines();
                    if accepted.send(Keeper { lines, write }).await.is_err() {
                        return;
                    }
                }
            });
            Ok(())
        })
    }

    fn stop(&self, _: MachineId) -> Answer<()> {
        Box::pin(async { Ok(()) })
    }

    fn reset(&self, id: MachineId, exercise: &Exercise) -> Answer<()> {
        self.start(id, exercise)
    }

    fn list(&self) -> Answer<Vec<MachineId>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl Site {
    /// A site with one module: two pages, one of them broken, a TP and a broken TP.
    pub(super) async fn start(name: &str) -> Self {
        Self::with_lacks(name, Vec::new()).await
    }

    pub(super) async fn with_lacks(name: &str, lacks: Vec<Lack>) -> Self {
        let folder = crate::test_folder(name);
        let files: BTreeMap<String, String> = [
            ("01-essai/index.md", "---\ntitle: Essai\n---\n"),
            (
                "01-essai/01-page.md",
                "---\ntitle: Une page\n---\n## A\n<script>x</script>\n",
            ),
            ("01-essai/02-cassee.md", "sans tête"),
            ("01-essai/03-tp/tp.md", TP),
            ("01-essai/04-casse/tp.md", "---\nschema: 1\ntitel: x\n---\n"),
            (
                "01-essai/05-exigeant/tp.md",
                &TP.replace("essai/tp", "essai/exigeant")
                    .replace("duration: 5m", "duration: 5m\nrequires: [apparmor]"),
            ),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
        let source = Source::Literal(files);
        let progress = Progress::open(&folder.join("quai.db")).unwrap();
        let (accepted, keepers) = mpsc::channel(8);
        let launcher = Sockets {
            folder: folder.clone(),
            accepted,
        };
        let pool = Arc::new(Pool::new(Arc::new(launcher), folder.clone(), Capacity(4)));
        let app = Arc::new(App {
            config: config(&folder),
            course: load(&source).unwrap(),
            source,
            watches: Arc::new(Watches::new(Arc::clone(&pool), progress.clone())),
            progress,
            pool,
            published: Published::below(Domain::localhost()),
            lacks,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = crate::router::router(Arc::clone(&app));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut site = Self {
            address,
            app,
            folder,
            keepers,
            cookie: String::new(),
        };
        let home = site.get("/").await;
        let line = home
            .lines()
            .find(|line| line.starts_with("set-cookie: "))
            .unwrap();
        site.cookie = line["set-cookie: ".len()..]
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        site
    }

    /// The answer to a GET, headers included.
    pub(super) async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "").await
    }

    /// The answer to a POST from one of our pages.
    pub(super) async fn post(&self, path: &str) -> String {
        let origin = format!("Origin: http://{}\r\n", self.address);
        self.send(&format!("POST {path} HTTP/1.1\r\n"), &origin)
            .await
    }

    /// The answer to any request line and headers.
    pub(super) async fn send(&self, line: &str, headers: &str) -> String {
        let mut stream = self.open(line, headers, "Connection: close\r\n").await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn open(&self, line: &str, headers: &str, connection: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (address, cookie) = (self.address, &self.cookie);
        let cookie = if cookie.is_empty() {
            String::new()
        } else {
            format!("Cookie: {cookie}\r\n")
        };
        let request = format!(
            "{line}Host: {address}\r\n{cookie}{connection}{headers}Content-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Goes on as a browser that has never been here.
    pub(super) fn forget_session(&mut self) {
        self.cookie.clear();
    }

    /// Opens a websocket; the server's frames are read by `Tab`.
    pub(super) async fn tab(&self, path: &str) -> Tab {
        let line = format!("GET {path} HTTP/1.1\r\n");
        let headers = format!(
            "Origin: http://{}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            self.address
        );
        let stream = self.open(&line, &headers, "Connection: Upgrade\r\n").await;
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Tab(stream)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A browser's tab that watches checks.
pub(super) struct Tab(BufReader<TcpStream>);

impl Tab {
    /// The next JSON message.
    pub(super) async fn next(&mut self) -> serde_json::Value {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await.unwrap();
        let length = match head[1] {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            short => usize::from(short),
        };
        let mut text = vec![0; length];
        self.0.read_exact(&mut text).await.unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Messages until one is of this kind.
    pub(super) async fn until(&mut self, kind: &str) -> serde_json::Value {
        loop {
            let message = self.next().await;
            if message["kind"] == kind {
                return message;
            }
        }
    }

    /// Sends a text frame, masked with zeros as a client must mask.
    pub(super) async fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 126);
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }
}

fn config(folder: &Path) -> Config {
    Config {
        port: 8080,
        data: folder.to_owned(),
        content: None,
        browser: Browser::Leave,
        network: Network::Closed,
        hosts: AllowedHosts::loopback(),
        published: Domain::localhost(),
    }
}
