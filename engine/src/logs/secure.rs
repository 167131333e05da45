//! A stream to a collector that is protected by TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::place::Place;
use super::spec::{Proof, TlsSpec};
use crate::registry::AnyCertificate;

/// An open connection; nothing here waits once it is made.
#[derive(Debug)]
pub(super) struct Secure {
    stream: TcpStream,
    connection: ClientConnection,
}

impl Secure {
    /// Agrees on TLS over a connection.
    pub(super) fn agree(
        mut stream: TcpStream,
        wanted: &TlsSpec,
        place: &Place,
        patience: Duration,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(wanted.name.clone()).map_err(io::Error::other)?;
        let config = Arc::new(config(wanted, place)?);
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        stream.set_nonblocking(true)?;
        Ok(Self { stream, connection })
    }

    /// Takes what fits; what has been taken may still have to be sent.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.settle()?;
        let taken = self.connection.writer().write(bytes)?;
        match self.settle() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends what has been taken, and hears what the collector says about the connection.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        loop {
            match self.connection.read_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::BrokenPipe.into()),
                Ok(_) => {
                    let heard = self.connection.process_new_packets();
                    let plain = heard.map_err(io::Error::other)?.plaintext_bytes_to_read();
                    // Collectors have nothing to tell.
                    let mut said = vec![0; plain];
                    self.connection.reader().read_exact(&mut said)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Whether something that has been taken has still to be sent.
    pub(super) fn is_unsettled(&self) -> bool {
        self.connection.wants_write()
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn config(wanted: &TlsSpec, place: &Place) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match (wanted.proof, &wanted.authority) {
        (Proof::None, _) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        (Proof::Certificate, authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(match authority {
                Some(path) => certificates(place, path)?,
                None => rustls_native_certs::load_native_certs().certs,
            });
            builder.with_root_certificates(roots)
        }
    };
    let (Some(certificate), Some(key)) = (&wanted.certificate, &wanted.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_slice(&place.read(key)?).map_err(io::Error::other)?;
    builder
        .with_client_auth_cert(certificates(place, certificate)?, key)
        .map_err(io::Error::other)
}

fn certificates(place: &Place, path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = place.read(path)?;
    let all: Result<_, _> = CertificateDer::pem_slice_iter(&text).collect();
    all.map_err(io::Error::other)
}
