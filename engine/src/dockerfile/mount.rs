//! `RUN --mount=type=…`: what a command sees and the image does not keep.

/// One mount of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildMount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where; relative to the working directory. Empty only for secrets that become variables.
    pub target: String,
    /// Name of a cache or a secret.
    pub id: String,
    /// Stage, image or named context a bind comes from.
    pub from: Option<String>,
    /// Path in it.
    pub source: String,
    /// Nothing may be written; the default for binds.
    pub read_only: bool,
    /// Bytes of a tmpfs; 0 means no limit.
    pub size: u64,
    /// Owner of a cache or a secret.
    pub uid: u32,
    /// Group of a cache or a secret.
    pub gid: u32,
    /// Mode of a cache (0755) or a secret (0400).
    pub mode: u32,
    /// A secret that is not given is an error.
    pub required: bool,
    /// A secret in a variable of this name.
    pub env: Option<String>,
    /// How simultaneous builds share a cache.
    pub sharing: Sharing,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// Files of a stage, an image or the context.
    Bind,
    /// A directory kept between builds.
    Cache,
    /// Memory.
    Tmpfs,
    /// A file of the client that never enters a layer.
    Secret,
    /// The client's SSH agent.
    Ssh,
}

/// How simultaneous builds share a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// At the same time.
    #[default]
    Shared,
    /// Each its own.
    Private,
    /// One after the other.
    Locked,
}

impl BuildMount {
    /// Reads `type=cache,target=/x,…`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pairs: Vec<(String, Option<&str>)> = text
            .split(',')
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (
                    name.trim().to_ascii_lowercase(),
                    Some(value.trim().trim_matches('"')),
                ),
                None => (word.trim().to_ascii_lowercase(), None),
            })
            .collect();
        let kind = match pairs
            .iter()
            .find(|(name, _)| name == "type")
            .and_then(|(_, value)| *value)
        {
            None | Some("bind") => MountKind::Bind,
            Some("cache") => MountKind::Cache,
            Some("tmpfs") => MountKind::Tmpfs,
            Some("secret") => MountKind::Secret,
            Some("ssh") => MountKind::Ssh,
            Some(other) => return Err(format!("unsupported mount type {other:?}")),
        };
        let mut mount = Self {
            kind,
            target: String::new(),
            id: String::new(),
            from: None,
            source: String::new(),
            read_only: kind == MountKind::Bind,
            size: 0,
            uid: 0,
            gid: 0,
            mode: if kind == MountKind::Cache {
                0o755
            } else {
                0o400
            },
            required: false,
            env: None,
            sharing: Sharing::Shared,
        };
        for (name, value) in &pairs {
            mount.set(name, *value)?;
        }
        mount.complete()
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let bool_of = |value: Option<&str>| match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(format!(
                "invalid value {other:?} for {name}: expected true or false"
            )),
        };
        match (name, value) {
            ("readonly" | "ro", value) => self.read_only = bool_of(value)?,
            ("readwrite" | "rw", value) => self.read_only = !bool_of(value)?,
            ("required", value) => self.required = bool_of(value)?,
            (_, None) => return Err(format!("invalid field {name:?} must be a key=value pair")),
            ("type", _) => {}
            ("target" | "dst" | "destination", Some(value)) => value.clone_into(&mut self.target),
            ("id", Some(value)) => value.clone_into(&mut self.id),
            ("from", Some(value)) => self.from = Some(value.to_owned()),
            ("source" | "src", Some(value)) => value.clone_into(&mut self.source),
            ("env", Some(value)) => self.env = Some(value.to_owned()),
            ("size", Some(value)) => {
                self.size = bytes(value).ok_or_else(|| format!("invalid size {value:?}"))?
            }
            ("mode", Some(value)) => {
                self.mode = u32::from_str_radix(value, 8)
                    .map_err(|_| format!("invalid value {value} for mode"))?;
            }
            ("uid", Some(value)) => {
                self.uid = value
                    .parse()
                    .map_err(|_| format!("invalid value {value} for uid"))?
            }
            ("gid", Some(value)) => {
                self.gid = value
                    .parse()
                    .map_err(|_| format!("invalid value {value} for gid"))?
            }
            ("sharing", Some(value)) => {
                self.sharing = match value {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    other => return Err(format!("unsupported sharing value {other:?}")),
                };
            }
            _ => return Err(format!("unexpected key {name:?}")),
        }
        Ok(())
    }

    fn complete(mut self) -> Result<Self, String> {
        match self.kind {
            MountKind::Secret => {
                if self.id.is_empty() {
                    let from = if self.source.is_empty() {
                        &self.target
                    } else {
                        &self.source
                    };
                    self.id = from.rsplit('/').next().unwrap_or_default().to_owned();
                }
                if self.id.is_empty() {
                    return Err("an id is required for secret mounts".into());
                }
                if self.target.is_empty() && self.env.is_none() {
                    self.target = format!("/run/secrets/{}", self.id);
                }
            }
            MountKind::Ssh => {}
            MountKind::Bind | MountKind::Cache | MountKind::Tmpfs if self.target.is_empty() => {
                return Err("target is required".into());
            }
            MountKind::Cache if self.id.is_empty() => self.id.clone_from(&self.target),
            _ => {}
        }
        Ok(self)
    }
}

fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
