//! A hostile registry: it learns no password, sends us nowhere, and cannot make us wait or swallow for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::oci::Digest;
use engine::registry::{BlobReader, Credentials, Endpoint, RegistryError, Repository, Wanted};

use crate::place::{Place, me, settings};
use crate::server::{Asked, Reply, Server};

const BLOB: &[u8] = &[7; 300_000];

/// A repository of a server that is known as `r.test`; `evil.test` leads to this machine too.
async fn repository(
    place: &Place,
    server: &Server,
    credentials: Credentials,
) -> Result<Repository, RegistryError> {
    place.write("root/etc/hosts", "127.0.0.1 r.test evil.test\n");
    let host = format!("r.test:{}", server.port);
    let settings =
        settings(&place.path("root"), &host).with_patience(Duration::from_millis(500), 3);
    let endpoint = Endpoint::reach(&settings, &host).await?;
    Ok(Repository::to_pull(endpoint, "a/b", credentials))
}

fn greeting(asked: &Asked) -> Option<Reply> {
    (asked.path == "/v2/").then(|| Reply::new(200, "{}"))
}

async fn manifest_error(
    handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> RegistryError {
    let place = Place::new();
    let server = Server::start(move |asked| greeting(asked).unwrap_or_else(|| handler(asked)));
    let repository = repository(&place, &server, me()).await.unwrap();
    repository.manifest_of_tag("latest").await.unwrap_err()
}

#[tokio::test]
async fn circles_and_places_of_this_machine_are_not_followed() {
    for target in [
        "/v2/a/b/manifests/latest",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/x",
        "http://[::1]:1/x",
        "http://localhost:1/x",
        "file:///etc/passwd",
    ] {
        let error = manifest_error(move |_| Reply::new(302, "").with("Location", target)).await;
        assert!(
            matches!(error, RegistryError::Redirect { .. }),
            "{target}: {error}"
        );
    }
    // A name that only turns out to be this machine when it is looked up.
    let error =
        manifest_error(|_| Reply::new(302, "").with("Location", "http://evil.test:1/x")).await;
    assert!(
        error.to_string().contains("an address of this machine"),
        "{error}"
    );
}

#[tokio::test]
async fn a_password_is_not_sent_to_another_party() {
    let place = Place::new();
    let evil = Server::start(|_| Reply::new(200, r#"{"token":"t"}"#));
    let realm = format!(
        "Bearer realm=\"http://evil.example:{}/token\",service=\"x\"",
        evil.port
    );
    let server =
        Server::start(move |_| Reply::new(401, "").with("WWW-Authenticate", realm.clone()));
    let repository = repository(&place, &server, me()).await.unwrap();
    let error = repository.manifest_of_tag("latest").await.unwrap_err();
    assert!(matches!(error, RegistryError::Realm { .. }), "{error}");
    assert!(evil.asked().is_empty());
}

#[tokio::test]
async fn a_challenge_from_elsewhere_gets_no_password() {
    // Both on loopback by number, so that the redirect itself is allowed.
    let elsewhere =
        Server::start(|_| Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""));
    let to = format!("http://127.0.0.1:{}/blob", elsewhere.port);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/v2/" => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
        _ => Reply::new(307, "").with("Location", to.clone()),
    });
    let place = Place::new();
    let settings = settings(&place.path("root"), "unused.test");
    let endpoint = Endpoint::reach(&settings, &format!("127.0.0.1:{}", server.port))
        .await
        .unwrap();
    let repository = Repository::to_pull(endpoint, "a/b", me());
    assert!(repository.manifest_of_tag("latest").await.is_err());
    let asked = elsewhere.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None);
    let own = server.asked();
    assert!(own.last().unwrap().header("authorization").is_some());
}

#[tokio::test]
async fn documents_have_a_limit_and_a_digest() {
    let error = manifest_error(|_| Reply::new(200, vec![b' '; 5 << 20])).await;
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let other = Digest::of(b"other").to_string();
    let error = manifest_error(move |_| {
        Reply::new(200, index).with("Docker-Content-Digest", other.clone())
    })
    .await;
    assert!(matches!(error, RegistryError::Digest { .. }), "{error}");
    let error = manifest_error(|_| Reply::new(200, "[".repeat(100_000))).await;
    assert!(matches!(error, RegistryError::Document { .. }), "{error}");
}

#[tokio::test]
async fn too_many_requests_are_told_clearly() {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}"#;
    let error = manifest_error(move |_| Reply::new(429, body).with("Retry-After", "60")).await;
    let text = error.to_string();
    for part in [
        "toomanyrequests: You have reached",
        "wait 60 seconds",
        "docker login",
        "registry-mirrors",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// Fetches [`BLOB`] from a server with this way of sending it.
async fn fetch(
    handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<u8>, RegistryError>, Vec<Asked>) {
    let place = Place::new();
    let server = Server::start(move |asked| greeting(asked).unwrap_or_else(|| handler(asked)));
    let repository = repository(&place, &server, Credentials::default())
        .await
        .unwrap();
    let wanted = Wanted {
        digest: Digest::of(BLOB),
        size: BLOB.len() as u64,
    };
    let (give, mut reader) = BlobReader::new(wanted.size);
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
    });
    let fetched = repository.fetch_blob(&wanted, give, |_| ()).await;
    let read = reading.await.unwrap();
    assert_eq!(
        fetched.is_ok(),
        read.is_ok(),
        "the reader and the transfer must agree"
    );
    (fetched.map(|()| read.unwrap()), server.asked())
}

#[tokio::test]
async fn a_transfer_is_taken_up_where_it_broke_off() {
    let (fetched, asked) = fetch(|asked| {
        let from = asked.header("range").map_or(0, |range| {
            let from = range.strip_prefix("bytes=").unwrap().trim_end_matches('-');
            from.parse::<usize>().unwrap()
        });
        let rest = &BLOB[from..];
        let mut reply = Reply::new(
            if from == 0 { 200 } else { 206 },
            &rest[..rest.len().min(100_000)],
        );
        reply.told = Some(rest.len());
        reply.with(
            "Content-Range",
            format!("bytes {from}-{}/{}", BLOB.len() - 1, BLOB.len()),
        )
    })
    .await;
    assert!(fetched.unwrap() == BLOB);
    assert_eq!(asked.last().unwrap().header("range"), Some("bytes=200000-"));
}

#[tokio::test]
async fn a_server_without_ranges_sends_it_again() {
    let count = AtomicUsize::new(0);
    let (fetched, _) = fetch(move |_| {
        let mut reply = Reply::new(200, BLOB);
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            reply.body.truncate(1000);
            reply.told = Some(BLOB.len());
        }
        reply
    })
    .await;
    assert!(fetched.unwrap() == BLOB);
}

#[tokio::test]
async fn a_wrong_part_or_length_is_refused() {
    let (fetched, _) = fetch(|_| Reply::new(200, [BLOB, b"more"].concat())).await;
    assert!(matches!(fetched, Err(RegistryError::Size { .. })));
    let (fetched, _) = fetch(|_| Reply::new(200, &BLOB[1..])).await;
    assert!(matches!(fetched, Err(RegistryError::Size { .. })));
    let (fetched, _) = fetch(|asked| match asked.header("range") {
        None => Reply {
            told: Some(BLOB.len()),
            ..Reply::new(200, &BLOB[..1000])
        },
        Some(_) => Reply::new(206, &BLOB[7..]).with("Content-Range", "bytes 7-299999/300000"),
    })
    .await;
    assert!(matches!(fetched, Err(RegistryError::Answer { .. })));
}

#[tokio::test]
async fn a_server_that_drips_is_given_up() {
    let (fetched, _) = fetch(|_| Reply {
        pause: Some(Duration::from_millis(100)),
        ..Reply::new(200, BLOB)
    })
    .await;
    let error = fetched.unwrap_err();
    assert!(matches!(error, RegistryError::Stalled { .. }), "{error}");
}

#[tokio::test]
async fn a_name_without_an_address_is_told_as_such() {
    let place = Place::new();
    let settings = settings(&place.path("root"), "unused.test");
    let error = Endpoint::reach(&settings, "absent.test").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Get \"https://absent.test/v2/\": dial tcp: lookup absent.test: no such host"
    );
}
