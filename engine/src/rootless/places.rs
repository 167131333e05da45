//! Where an ordinary user's engine keeps its things, by the XDG Base Directory specification.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::RootlessError;

/// The directories of the user, found when they are needed.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    variable: fn(&str) -> Option<OsString>,
}

impl Places {
    /// Those that the environment names.
    pub fn of_environment() -> Self {
        Self {
            variable: |name| std::env::var_os(name),
        }
    }

    /// Images, containers and volumes.
    pub fn data_root(self) -> Result<PathBuf, RootlessError> {
        Ok(self
            .below_home("XDG_DATA_HOME", ".local/share")?
            .join("quai"))
    }

    /// The state of running containers.
    pub fn exec_root(self) -> Result<PathBuf, RootlessError> {
        Ok(self.runtime()?.join("quai"))
    }

    /// The socket of the API; where Docker's own rootless engine has it.
    pub fn socket(self) -> Result<PathBuf, RootlessError> {
        Ok(self.runtime()?.join("docker.sock"))
    }

    /// `daemon.json`; where Docker's own rootless engine has it.
    pub fn config_file(self) -> Result<PathBuf, RootlessError> {
        let home = self.below_home("XDG_CONFIG_HOME", ".config")?;
        Ok(home.join("docker/daemon.json"))
    }

    fn runtime(self) -> Result<PathBuf, RootlessError> {
        self.path("XDG_RUNTIME_DIR")
    }

    fn below_home(self, variable: &'static str, usual: &str) -> Result<PathBuf, RootlessError> {
        self.path(variable)
            .or_else(|_| Ok(self.path("HOME")?.join(usual)))
    }

    /// A relative path is to be taken for none, says the specification.
    fn path(self, variable: &'static str) -> Result<PathBuf, RootlessError> {
        (self.variable)(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .ok_or(RootlessError::Unset { variable })
    }
}

/// What the parent keeps below an exec root, beside the containers' directories.
#[derive(Clone, Debug)]
pub(super) struct State(PathBuf);

impl State {
    /// Makes the directory, for this user only.
    pub(super) fn make(exec_root: &Path) -> Result<Self, RootlessError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = exec_root.join("rootless");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(RootlessError::file("make", &path))?;
        Ok(Self(path))
    }

    /// Where the parent waits for engines.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("parent.sock")
    }

    /// One parent at a time.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Whatever the parent and its helper have to say once they run.
    pub(super) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The number of the network helper.
    pub(super) fn uplink(&self) -> PathBuf {
        self.0.join("uplink.pid")
    }

    /// The name servers of the namespaces.
    pub(super) fn resolv_conf(&self) -> PathBuf {
        self.0.join("resolv.conf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_the_specification() {
        let places = Places {
            variable: |name| match name {
                "HOME" => Some("/home/ada".into()),
                "XDG_CONFIG_HOME" => Some("relative".into()),
                "XDG_RUNTIME_DIR" => Some("/run/user/1000".into()),
                _ => None,
            },
        };
        assert_eq!(
            places.data_root().unwrap(),
            Path::new("/home/ada/.local/share/quai")
        );
        assert_eq!(
            places.config_file().unwrap(),
            Path::new("/home/ada/.config/docker/daemon.json")
        );
        assert_eq!(
            places.socket().unwrap(),
            Path::new("/run/user/1000/docker.sock")
        );
        let none = Places { variable: |_| None };
        let error = none.exec_root().unwrap_err().to_string();
        assert!(error.starts_with("XDG_RUNTIME_DIR is not set: "), "{error}");
    }
}
