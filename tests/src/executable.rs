//! The executable under test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// Where `quai` is: `$QUAI`, else beside the test binaries that cargo built.
pub fn path() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("QUAI") {
        let path = PathBuf::from(path);
        ensure!(
            path.is_file(),
            "QUAI names {}, which is no file",
            path.display()
        );
        return Ok(path);
    }
    let test = std::env::current_exe().context("cannot find this test's own executable")?;
    let path = test
        .parent()
        .and_then(|deps| deps.parent())
        .context("a test binary always lies in target/…/deps")?
        .join("quai");
    ensure!(
        path.is_file(),
        "{} does not exist: build it with `cargo build --bin quai`, or set QUAI",
        path.display()
    );
    Ok(path)
}

/// Makes a copy that everybody may execute: the one under test may lie in a folder of root's.
///
/// A process of its own writes it: what another test starts meanwhile would keep our descriptor, and the kernel executes
/// no file that is open for writing (`ETXTBSY`, execve(2)).
pub fn copy_to(copy: &Path) -> Result<()> {
    let made = Command::new("install")
        .args(["-m", "755"])
        .args([path()?.as_path(), copy])
        .status()
        .context("cannot execute install")?;
    ensure!(made.success(), "{} cannot be made", copy.display());
    Ok(())
}

/// A command that runs `quai` with these arguments and without the caller's Docker settings.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Command> {
    let mut command = Command::new(path()?);
    command.args(arguments);
    command
        .env_remove("DOCKER_HOST")
        .env_remove("DOCKER_CONTEXT");
    Ok(command)
}

/// Runs `quai` to its end and keeps both its outputs.
pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Output> {
    command(arguments)?.output().context("cannot execute quai")
}

/// Runs `quai`, which must succeed, and returns its standard output as text.
#[track_caller]
pub fn stdout<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let output = run(arguments).expect("quai can be executed");
    assert!(
        output.status.success(),
        "quai ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
