//! TLS between engine and store: whom it trusts, and what it shows.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::{ClusterError, TlsFiles};

/// The TLS side of requests to the store; without TLS nobody is trusted, and the host's authorities are not even read.
pub(super) fn config(files: Option<&TlsFiles>) -> Result<ClientConfig, ClusterError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    match files.map(|files| &files.authorities) {
        None => {}
        Some(Some(path)) => {
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
        }
        Some(None) => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let Some((certificate, key)) = files.and_then(|files| files.own.as_ref()) else {
        return Ok(builder.with_no_client_auth());
    };
    let own = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| ClusterError::Pem {
        path: key.clone(),
        source,
    })?;
    Ok(builder.with_client_auth_cert(own, key)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClusterError> {
    let bad = |source| ClusterError::Pem {
        path: path.to_owned(),
        source,
    };
    CertificateDer::pem_file_iter(path)
        .map_err(bad)?
        .collect::<Result<_, _>>()
        .map_err(bad)
}
