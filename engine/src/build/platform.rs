//! `os/architecture[/variant]`.

use std::fmt::{self, Display};

use super::BuildError;

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// `v8`, or nothing.
    pub variant: String,
}

impl Platform {
    /// That of this machine.
    pub fn own() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self {
            os: "linux".into(),
            architecture: architecture.into(),
            variant: String::new(),
        }
    }

    /// Reads `linux/arm64/v8`, `linux` or `arm64`.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let bad = || BuildError::Platform(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let own = Self::own();
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os] if is_os(os) => ((*os).to_owned(), own.architecture, String::new()),
            [word] => {
                let (architecture, variant) = normal(word, "").ok_or_else(bad)?;
                (own.os, architecture, variant)
            }
            [os, word] if is_os(os) => {
                let (architecture, variant) = normal(word, "").ok_or_else(bad)?;
                ((*os).to_owned(), architecture, variant)
            }
            [os, word, variant] if is_os(os) => {
                let (architecture, variant) = normal(word, variant).ok_or_else(bad)?;
                ((*os).to_owned(), architecture, variant)
            }
            _ => return Err(bad()),
        };
        Ok(Self {
            os,
            architecture,
            variant,
        })
    }
}

impl Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.variant)
        }
    }
}

fn is_os(word: &str) -> bool {
    matches!(word, "linux" | "windows" | "darwin" | "freebsd" | "wasip1")
}

fn normal(word: &str, variant: &str) -> Option<(String, String)> {
    let (architecture, variant) = match (word, variant) {
        ("x86_64" | "x86-64" | "amd64", variant) => {
            ("amd64", if variant == "v1" { "" } else { variant })
        }
        ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", ""),
        ("aarch64" | "arm64", variant) => ("arm64", variant),
        ("armhf" | "arm", "" | "7") => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("i386" | "i686" | "386", _) => ("386", ""),
        ("arm" | "riscv64" | "ppc64le" | "s390x" | "mips64le" | "loong64" | "wasm", variant) => {
            (word, variant)
        }
        _ => return None,
    };
    Some((architecture.to_owned(), variant.to_owned()))
}
