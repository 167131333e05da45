//! Whom we trust: the system's authorities, and those that `/etc/docker/certs.d/HOST` adds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of `certs.d` cannot be read.
    #[error("cannot read the certificates in {}: {source}", .path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A client's certificate has no key beside it. The wording is Docker's.
    #[error("missing key {} for client certificate {}", .key.display(), .certificate.display())]
    MissingKey {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// A certificate or key is none that TLS can use.
    #[error("cannot use the certificates of {host}: {source}")]
    Rustls {
        /// The registry.
        host: String,
        /// Why.
        source: rustls::Error,
    },
}

/// How much a server has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A certificate that a known authority signed for its name.
    Certificate,
    /// Nothing: the registry is listed as insecure.
    None,
}

/// The TLS side of requests to `host`.
pub(super) fn config(root: &Path, host: &str, proof: Proof) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = files_for(&root.join("etc/docker/certs.d").join(host));
    let bad = |source| TlsError::Rustls {
        host: host.to_owned(),
        source,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(bad)?;
    let builder = match proof {
        Proof::None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        Proof::Certificate => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(system_roots(root));
            for certificate in added(&own)? {
                roots.add(certificate).map_err(bad)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let Some(path) = own.iter().find(|path| has_extension(path, "cert")) else {
        return Ok(builder.with_no_client_auth());
    };
    let key_path = path.with_extension("key");
    if !key_path.is_file() {
        return Err(TlsError::MissingKey {
            key: key_path,
            certificate: path.clone(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|source| TlsError::Pem {
        path: key_path.clone(),
        source,
    })?;
    builder
        .with_client_auth_cert(certificates(path)?, key)
        .map_err(bad)
}

/// Whom `host` may be vouched for by, as a file of PEM blocks for other programs; empty when there is nobody.
pub fn authorities(root: &Path, host: &str) -> Result<String, TlsError> {
    let own = files_for(&root.join("etc/docker/certs.d").join(host));
    let all = system_roots(root).into_iter().chain(added(&own)?);
    Ok(all.map(|certificate| pem(&certificate)).collect())
}

/// One certificate in the textual encoding of RFC 7468.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// The authorities among the files of a host.
fn added(own: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for path in own.iter().filter(|path| has_extension(path, "crt")) {
        found.extend(certificates(path)?);
    }
    Ok(found)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|known| known == extension)
}

fn files_for(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |source| TlsError::Pem {
        path: path.to_owned(),
        source,
    };
    CertificateDer::pem_file_iter(path)
        .map_err(bad)?
        .collect::<Result<_, _>>()
        .map_err(bad)
}

/// The authorities that this system, or the one below `root`, knows.
fn system_roots(root: &Path) -> Vec<CertificateDer<'static>> {
    if root == Path::new("/") {
        return rustls_native_certs::load_native_certs().certs;
    }
    let bundles = [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/ssl/cert.pem",
        "etc/pki/tls/certs/ca-bundle.crt",
    ];
    let found = bundles
        .iter()
        .find_map(|bundle| certificates(&root.join(bundle)).ok());
    found.unwrap_or_default()
}

/// Accepts any certificate: what `insecure-registries` asks for, and collectors of logs that nobody verifies.
#[derive(Debug)]
pub(crate) struct AnyCertificate(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
