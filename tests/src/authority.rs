//! An authority that issues certificates for one test.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

pub use rcgen::ExtendedKeyUsagePurpose as Purpose;

/// An authority that nobody else knows.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("the kernel gives randomness");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("there are no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).expect("the key is good");
        Self {
            pem: own.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Puts `ca.pem`, `cert.pem` and `key.pem` for a name or an address into a folder, which is made.
    pub fn issue(&self, folder: &Path, name: &str, purposes: &[Purpose]) {
        let key = KeyPair::generate().expect("the kernel gives randomness");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("the name is one");
        params.extended_key_usages = purposes.to_vec();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the authority has a key");
        fs::create_dir_all(folder).expect("a folder can be made");
        let files = [
            ("ca.pem", &self.pem),
            ("cert.pem", &certificate.pem()),
            ("key.pem", &key.serialize_pem()),
        ];
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("a file can be written");
        }
    }
}
