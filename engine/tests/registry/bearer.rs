//! A registry behind a token server: the password goes to that server only, and tokens allow what they say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use engine::registry::{Credentials, Endpoint};

use crate::place::{Place, me, settings, skip, told};
use crate::server::{Asked, Reply, Server};

/// `me:secret` in base64.
const BASIC: &str = "Basic bWU6c2VjcmV0";

/// A gate before a registry: it lets through what has a token for it.
struct Gate {
    port: u16,
    /// `Authorization` of every request.
    proofs: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    fn start(registry: SocketAddr, tokens: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proofs = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&proofs);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || pass(stream, registry, tokens, &log));
            }
        });
        Self { port, proofs }
    }
}

/// One request: refused with a challenge, or handed on with everything that follows it.
fn pass(mut stream: TcpStream, registry: SocketAddr, tokens: u16, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut proof) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                value.trim().clone_into(&mut proof);
            }
            // One request for each connection: the next one is looked at again.
            Some((name, _)) if name.eq_ignore_ascii_case("connection") => {}
            _ => head.push_str(&line),
        }
    }
    log.lock().unwrap().push(proof.clone());
    let reads = head.starts_with("GET ") || head.starts_with("HEAD ");
    let allowed = match proof.as_str() {
        "Bearer may-push" => true,
        "Bearer may-pull" => reads,
        _ => false,
    };
    if !allowed {
        let error = if proof.is_empty() {
            ""
        } else {
            ",error=\"insufficient_scope\""
        };
        let refusal = format!(
            "HTTP/1.1 401 X\r\nConnection: close\r\nContent-Length: 0\r\nWWW-Authenticate: Bearer \
             realm=\"http://127.0.0.1:{tokens}/token\",service=\"gate\"{error}\r\n\r\n"
        );
        let _ = stream.write_all(refusal.as_bytes());
        return;
    }
    let mut to = TcpStream::connect(registry).unwrap();
    write!(to, "{head}Connection: close\r\n\r\n").unwrap();
    let mut up = to.try_clone().unwrap();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut up);
        let _ = up.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut to, &mut stream);
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Everybody may pull; who knows the password may push.
fn token(asked: &Asked) -> Reply {
    let wants_push = asked.path.contains("push");
    match (asked.header("authorization"), wants_push) {
        (Some(BASIC), true) => Reply::new(200, r#"{"token":"may-push","expires_in":300}"#),
        (Some(BASIC) | None, _) => Reply::new(200, r#"{"access_token":"may-pull"}"#),
        _ => Reply::new(401, ""),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_opens_the_registry_for_those_it_knows() {
    if skip("a_token_server_opens_the_registry_for_those_it_knows") {
        return;
    }
    let place = Place::new();
    let tokens = Server::start(token);
    let gate = Gate::start(place.registry(&[]).await, tokens.port);
    let name = format!("127.0.0.1:{}/class/app:1", gate.port);
    let engine = place.engine("a").await;
    engine.import(&name, &[("hello", b"hello")]).await;

    let error = engine
        .push(&name, Credentials::default())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("denied") || text.contains("authoriz"),
        "{text}"
    );
    let pushed = engine.push(&name, me()).await.unwrap();
    assert!(told(&pushed, "Pushed"));
    let scope = "scope=repository%3Aclass%2Fapp%3Apull%2Cpush";
    assert!(
        tokens
            .asked()
            .iter()
            .any(|asked| asked.path.contains(scope))
    );

    let other = place.engine("b").await;
    other.pull(&name, Credentials::default()).await.unwrap();
    assert_eq!(other.id(&name).await, engine.id(&name).await);

    let settings = settings(&place.path("root"), "unused.test");
    let host = format!("127.0.0.1:{}", gate.port);
    let endpoint = Endpoint::reach(&settings, &host).await.unwrap();
    assert!(endpoint.login(&me()).await.is_ok());
    let wrong = Credentials {
        password: "guess".into(),
        ..me()
    };
    assert!(endpoint.login(&wrong).await.unwrap_err().is_unauthorized());

    let proofs = gate.proofs.lock().unwrap();
    assert!(
        proofs.iter().all(|proof| !proof.starts_with("Basic")),
        "{proofs:?}"
    );
}
