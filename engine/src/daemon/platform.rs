//! `--platform`: whether an image here is one for it.

use std::sync::Arc;

use crate::image::Image;

use super::{Daemon, DaemonError};

/// `os[/architecture[/variant]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Platform {
    os: String,
    architecture: Option<String>,
}

impl Platform {
    fn parse(text: &str) -> Result<Self, DaemonError> {
        let mut parts = text.split('/');
        let first = parts.next().unwrap_or_default().to_ascii_lowercase();
        let second = parts.next().map(architecture);
        let known = ["linux", "windows", "darwin", "freebsd"].contains(&first.as_str());
        match (known, second) {
            (true, second) => Ok(Self {
                os: first,
                architecture: second,
            }),
            // An architecture alone is Linux's.
            (false, None) if ARCHITECTURES.contains(&architecture(&first).as_str()) => Ok(Self {
                os: "linux".into(),
                architecture: Some(architecture(&first)),
            }),
            _ => Err(DaemonError::Invalid(format!(
                "\"{text}\": unknown operating system or architecture: invalid argument"
            ))),
        }
    }
}

const ARCHITECTURES: [&str; 8] = [
    "386", "amd64", "arm", "arm64", "ppc64le", "riscv64", "s390x", "mips64le",
];

/// Go's name of an architecture.
fn architecture(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" => "amd64".into(),
        "aarch64" => "arm64".into(),
        "i386" => "386".into(),
        other => other.to_owned(),
    }
}

impl Daemon {
    /// Refuses an image of another platform, as one that is not there: clients then pull the right one.
    pub async fn check_platform(
        self: &Arc<Self>,
        image: &str,
        platform: &str,
    ) -> Result<(), DaemonError> {
        let wanted = Platform::parse(platform)?;
        let (name, platform) = (image.to_owned(), platform.to_owned());
        self.block(move |daemon| {
            let found = Image::find(&daemon.store, &name)?;
            let (os, arch) = (&found.config.os, &found.config.architecture);
            let same = *os == wanted.os
                && wanted
                    .architecture
                    .as_ref()
                    .is_none_or(|wanted| wanted == arch);
            if same {
                return Ok(());
            }
            Err(DaemonError::NotFoundText(format!(
                "image with reference {name} was found but does not match the specified platform: wanted {platform}, \
                 actual: {os}/{arch}"
            )))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_one_to_three_parts() {
        let parsed = |text| Platform::parse(text).map(|p| (p.os, p.architecture)).ok();
        let linux = |arch: &str| Some(("linux".to_owned(), Some(arch.to_owned())));
        assert_eq!(parsed("linux/arm64/v8"), linux("arm64"));
        assert_eq!(parsed("linux/x86_64"), linux("amd64"));
        assert_eq!(parsed("arm64"), linux("arm64"));
        assert_eq!(parsed("linux"), Some(("linux".to_owned(), None)));
        assert_eq!(parsed("foo"), None);
    }
}
