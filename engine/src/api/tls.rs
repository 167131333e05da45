//! TLS on TCP: the engine's certificate, and whether clients have to show one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::VerifierBuilderError;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::daemon::TlsFiles;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The authority of the clients is none.
    #[error("cannot believe {}: {source}", .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// Certificate and key do not fit.
    #[error("cannot use the certificate {}: {source}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// Reads the files.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let unusable = |source| TlsError::Certificate {
        path: files.certificate.clone(),
        source,
    };
    let provider = Arc::new(default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = match &files.clients {
        None => config.with_no_client_auth(),
        Some(path) => {
            let mut authorities = RootCertStore::empty();
            authorities.add_parsable_certificates(chain(path)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(authorities.into(), provider);
            config.with_client_cert_verifier(verifier.build().map_err(|source| {
                TlsError::Authority {
                    path: path.clone(),
                    source,
                }
            })?)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let mut config = config
        .with_single_cert(chain(&files.certificate)?, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .map_err(pem(path))?
        .collect::<Result<_, _>>()
        .map_err(pem(path))
}

fn pem(path: &Path) -> impl FnOnce(rustls::pki_types::pem::Error) -> TlsError {
    let path = path.to_owned();
    |source| TlsError::Pem { path, source }
}
