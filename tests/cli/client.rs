//! The two clients: ours, through a link named `docker`, and Docker's own.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::executable;

/// A program that is called as `docker`.
pub(crate) struct Client {
    program: PathBuf,
    /// Whether it is Quai's.
    pub(crate) is_ours: bool,
}

/// Where a real client may be, besides `$DOCKER`.
const PLACES: [&str; 3] = ["/usr/local/bin/docker", "/usr/bin/docker", "/bin/docker"];

impl Client {
    /// Quai's.
    pub(crate) fn ours() -> Self {
        Self {
            program: executable::path().expect("the executable is built"),
            is_ours: true,
        }
    }

    /// Docker's, of the version that the transcripts are recorded with; else why there is none.
    pub(crate) fn real() -> Result<Self, String> {
        let program = std::env::var_os("DOCKER").map(PathBuf::from);
        let program = program
            .or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.is_file()))
            .ok_or("Docker's own client is not installed")?;
        let said = Command::new(&program).arg("--version").output();
        let said = said.map_err(|error| format!("{}: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        if !said.starts_with("Docker version 28.") {
            return Err(format!(
                "it needs Docker's client 28, not {:?}",
                said.trim()
            ));
        }
        Ok(Self {
            program,
            is_ours: false,
        })
    }

    /// The executable.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Makes it the `docker` of the directory `bin`.
    pub(crate) fn link_into(&self, bin: &Path) {
        symlink(&self.program, bin.join("docker")).expect("the directory is the test's own");
    }
}
