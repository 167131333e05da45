//! A collector that speaks TLS, and asks for a certificate.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::Case;
use crate::engine_process::Engine;

pub(crate) const CASES: &[Case] = &[("syslog_goes_over_tls_to_who_proves_its_name", tls)];

fn tls(engine: &mut Engine) {
    let folder = engine.dir.join("syslog-tls");
    std::fs::create_dir_all(&folder).unwrap();
    let config = Arc::new(certificates(&folder));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "tcp+tls://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let file = |name: &str| folder.join(name).display().to_string();
    let log = |options: Value| json!({ "LogConfig": { "Type": "syslog", "Config": options } });
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let connection = ServerConnection::new(config).unwrap();
        let mut text = Vec::new();
        // The shim ends without a word of farewell, as a process does.
        let _ = StreamOwned::new(connection, stream).read_to_end(&mut text);
        (String::from_utf8(text).unwrap(), listener)
    });
    let options = json!({
        "syslog-address": address, "syslog-format": "rfc5424", "tag": "secret",
        "syslog-tls-ca-cert": file("ca.pem"), "syslog-tls-cert": file("cert.pem"),
        "syslog-tls-key": file("key.pem"),
    });
    engine.run("tls", "seq 2000; echo last", log(options), json!({}));
    let (text, listener) = served.join().unwrap();
    assert_eq!(text.lines().count(), 2001, "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("<30>1 ") && last.ends_with(" secret - last"),
        "{last}"
    );
    assert!(last.contains(" secret "), "{last}");

    // Without the authority nobody is believed, and a container that cannot log does not start.
    let answering = std::thread::spawn(move || drop(listener.accept()));
    let options = json!({ "syslog-address": address, "syslog-tls-ca-cert": file("stranger.pem") });
    let mut body = log(options);
    body["NetworkMode"] = "none".into();
    let body = json!({ "Image": "busybox", "Cmd": ["true"], "HostConfig": body });
    let made = engine
        .client
        .post("/containers/create?name=tls-stranger", &body);
    assert_eq!(made.status, 201);
    let started = engine
        .client
        .post("/containers/tls-stranger/start", &Value::Null);
    assert_eq!(started.status, 500);
    let why = started.json()["message"].to_string();
    assert!(why.contains("failed to initialize logging driver"), "{why}");
    answering.join().unwrap();
    engine.client.delete("/containers/tls-stranger");
}

/// Writes `ca.pem`, `cert.pem`, `key.pem` for the client and `stranger.pem`; gives what the collector is.
fn certificates(folder: &Path) -> ServerConfig {
    let (authority, issuer) = authority();
    let (stranger, _) = self::authority();
    let (client, client_key) = signed(&issuer);
    let (server, server_key) = signed(&issuer);
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("stranger.pem", stranger.pem()),
        ("cert.pem", client.pem()),
        ("key.pem", client_key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap()
}

fn authority() -> (Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

fn signed(issuer: &Issuer<'static, KeyPair>) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}
