//! Platforms: which operating system and processor an image is for.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `linux/amd64`, `linux/arm64/v8`: an entry of an index, and what `--platform` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64` …: Go's names.
    pub architecture: String,
    /// `v7`, `v8`; empty when there is only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// A text that names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: invalid platform: expected OS/ARCHITECTURE[/VARIANT], such as linux/arm64")]
pub struct BadPlatform {
    text: String,
}

impl Platform {
    /// That of this machine.
    pub fn host() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture_of(std::env::consts::ARCH).to_owned(),
            variant: String::new(),
        }
    }

    /// Whether an image for `self` is what `wanted` asks for. A variant that is not asked for does not matter.
    pub fn fits(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.plain_variant().is_empty() || self.plain_variant() == wanted.plain_variant())
    }

    /// The variant, unless it is the one that every processor of this kind has.
    fn plain_variant(&self) -> &str {
        match (self.architecture.as_str(), self.variant.as_str()) {
            ("arm64", "v8") | ("amd64", "v1") => "",
            (_, variant) => variant,
        }
    }
}

/// Names that other systems use for the same processor.
fn architecture_of(name: &str) -> &str {
    match name {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "armhf" | "armel" => "arm",
        "i386" | "i686" | "x86" => "386",
        other => other,
    }
}

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Self, BadPlatform> {
        let bad = || BadPlatform {
            text: text.chars().take(100).collect(),
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let word = |part: &&str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            !part.is_empty() && part.bytes().all(plain)
        };
        if !parts.iter().all(word) {
            return Err(bad());
        }
        let new = |os: &str, architecture: &str, variant: &str| Self {
            os: os.to_owned(),
            architecture: architecture_of(architecture).to_owned(),
            variant: variant.to_owned(),
        };
        match parts[..] {
            ["linux"] => Ok(new("linux", &Self::host().architecture, "")),
            [architecture] => Ok(new("linux", architecture, "")),
            [os, architecture] => Ok(new(os, architecture, "")),
            [os, architecture, variant] => Ok(new(os, architecture, variant)),
            _ => Err(bad()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_docker_reads_them() {
        for (text, normal) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("arm64", "linux/arm64"),
            ("linux/ARM/v7", "linux/arm/v7"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), normal);
        }
        for bad in ["", "linux/", "a/b/c/d", "linux/a b"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_variant_counts_only_when_it_is_asked_for() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (has, wants, fits) in [
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/amd64", "linux/arm64", false),
            ("windows/amd64", "linux/amd64", false),
        ] {
            assert_eq!(platform(has).fits(&platform(wants)), fits, "{has} {wants}");
        }
    }
}
