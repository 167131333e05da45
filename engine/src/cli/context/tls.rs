//! TLS of connections to daemons: which certificates, and whom they make us believe.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::cli::config::{Config, file_error};
use crate::cli::error::CliError;
use crate::cli::flags::Matches;

/// Where Linux distributions keep the certificates of public authorities.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// How connections to one daemon are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificates.
    pub(crate) material: Material,
    /// Whether the daemon must prove who it is.
    pub(crate) verify: Verify,
}

/// The files of certificates, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Material {
    /// The authority that signed the daemon's certificate.
    pub(crate) ca: Option<Vec<u8>>,
    /// Our own certificate.
    pub(crate) cert: Option<Vec<u8>>,
    /// Its key.
    pub(crate) key: Option<Vec<u8>>,
}

/// Who must prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// The daemon, by a certificate.
    Daemon,
    /// Nobody: the connection is secret, but may lead to anybody.
    Nobody,
}

impl Material {
    /// The three files, in the order of their names.
    pub(crate) fn all(&self) -> [Option<&[u8]>; 3] {
        [
            self.ca.as_deref(),
            self.cert.as_deref(),
            self.key.as_deref(),
        ]
    }

    /// Whether there is no file.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().iter().all(Option::is_none)
    }
}

impl Tls {
    /// What `--tls`, `--tlsverify` and their companions ask for.
    pub(crate) fn of_options(global: &Matches, config: &Config) -> Result<Option<Self>, CliError> {
        let env = |name: &str| super::variable(name).is_some();
        let verify = match global.given("tlsverify") {
            true => global.on("tlsverify"),
            false => env("DOCKER_TLS_VERIFY"),
        };
        let wanted = verify
            || global.given("tlsverify")
            || match global.given("tls") {
                true => global.on("tls"),
                false => env("DOCKER_TLS"),
            };
        if !wanted {
            return Ok(None);
        }
        let folder = super::variable("DOCKER_CERT_PATH")
            .map_or_else(|| config.directory().to_owned(), PathBuf::from);
        let read = |flag: &'static str, file: &str| -> Result<Option<Vec<u8>>, CliError> {
            let given = global.given(flag);
            let path = match global.text(flag).filter(|_| given) {
                Some(path) => PathBuf::from(path),
                None => folder.join(file),
            };
            match fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes)),
                // Only what was named must exist, and an authority that is to be believed.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && !given
                        && !(file == "ca.pem" && verify) =>
                {
                    Ok(None)
                }
                Err(error) => Err(file_error("open", &path, error)),
            }
        };
        Ok(Some(Self {
            material: Material {
                ca: read("tlscacert", "ca.pem")?,
                cert: read("tlscert", "cert.pem")?,
                key: read("tlskey", "key.pem")?,
            },
            verify: if verify {
                Verify::Daemon
            } else {
                Verify::Nobody
            },
        }))
    }

    /// Protects a connection. What comes out is one end of a pair of plain sockets, whose other
    /// end a task connects to the protected stream: the rest of the client needs to know no TLS.
    pub(crate) async fn protect(
        &self,
        stream: TcpStream,
        address: &str,
    ) -> Result<UnixStream, io::Error> {
        let name = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let settings = self.settings().map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(settings));
        let mut protected = connector.connect(name, stream).await?;
        let (ours, mut theirs) = UnixStream::pair()?;
        tokio::spawn(async move {
            // Whoever ends the conversation closes both: there is nobody left to be told.
            let _ = tokio::io::copy_bidirectional(&mut protected, &mut theirs).await;
        });
        Ok(ours)
    }

    fn settings(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match self.verify {
            Verify::Daemon => builder.with_root_certificates(self.roots()?),
            Verify::Nobody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let unusable =
            |_| Error::General("tls: failed to find any PEM data in our own certificate".into());
        match (&self.material.cert, &self.material.key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
                builder.with_client_auth_cert(chain, key)
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    /// The authorities to believe: the one that was given, else those of this system.
    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        match &self.material.ca {
            Some(ca) => {
                for certificate in certificates(ca)? {
                    roots.add(certificate)?;
                }
            }
            None => {
                let found = SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok());
                roots.add_parsable_certificates(certificates(&found.unwrap_or_default())?);
            }
        }
        Ok(roots)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::General(format!("could not read certificates: {error}")))
}

/// Believes any certificate, and still checks that its owner signed the handshake.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
