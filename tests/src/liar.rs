//! Means to lie inside a machine: a library to preload and a Docker server of the learner's own.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::host;

/// A false server for `perl`, which every Debian has: it knows two containers and says so to everybody.
pub const SERVER: &str = include_str!("liar.pl");

/// Builds the library at `library`, to tell what lies below `folder`; `None`, with a printed reason, where there
/// is no C compiler.
#[track_caller]
pub fn library(test: &str, library: &Path, folder: &str) -> Option<Vec<u8>> {
    if Command::new("cc")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        host::report(test, "needs cc, to build the library that lies");
        return None;
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/liar.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-s", "-nostdlib", "-fno-builtin"])
        .args(["-fno-stack-protector", "-Wl,-z,noseparate-code", "-o"])
        .arg(library)
        .arg(format!("-DLIAR=\"{folder}\""))
        .arg(source)
        .output()
        .expect("cc was there a moment ago");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}");
    Some(std::fs::read(library).expect("cc has just written it"))
}

/// One shell command that makes the file `path` of these bytes.
pub fn making(path: &str, bytes: &[u8]) -> Result<String> {
    let mut packer = Command::new("sh")
        .args(["-c", "gzip -9c | base64 -w0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run gzip")?;
    let mut input = packer.stdin.take().context("a pipe was asked for")?;
    std::io::Write::write_all(&mut input, bytes)?;
    drop(input);
    let packed = packer.wait_with_output()?;
    ensure!(packed.status.success(), "gzip ended with {}", packed.status);
    let text = String::from_utf8(packed.stdout)?;
    Ok(format!("echo {text} | base64 -d | gzip -d >{path}"))
}
