//! Machines without a web server: a `quai helper` of the test's own, spoken to as `quai local` does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::executable;
use crate::scratch::Scratch;

/// A helper, and the machines it started; all end with this value.
pub struct Machines {
    helper: Child,
    socket: BufReader<UnixStream>,
    scratch: Scratch,
}

/// What a program in a machine did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i64,
    /// Both its outputs.
    pub output: String,
}

/// The image of the machines' roots.
const IMAGE: &str = "quai/machine:latest";

impl Machines {
    /// Starts a helper on the images of `catalogue`.
    pub fn new(catalogue: &Path) -> Result<Self> {
        let scratch = Scratch::create("machines")?;
        for folder in ["machines", "ranges", "run", "bin"] {
            fs::create_dir(scratch.join(folder))?;
        }
        symlink(catalogue, scratch.join("store"))?;
        let executable = scratch.join("bin/quai");
        if fs::hard_link(executable::path()?, &executable).is_err() {
            executable::copy_to(&executable)?;
        }
        let (helper, socket) = spawn(scratch.path())?;
        Ok(Self {
            helper,
            socket,
            scratch,
        })
    }

    /// Kills the helper as a crash would and starts another on the same data.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.helper.kill()?;
        self.helper.wait()?;
        (self.helper, self.socket) = spawn(self.scratch.path())?;
        Ok(())
    }

    /// The folder of data.
    pub fn data(&self) -> &Path {
        self.scratch.path()
    }

    /// Sends a request; the answer's `ok`.
    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.socket.get_mut(), "{request}")?;
        let mut line = String::new();
        self.socket.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("the helper ended")?;
        ensure!(answer["error"].is_null(), "{request}: {}", answer["error"]);
        Ok(answer["ok"].clone())
    }

    /// Starts a machine with these limits; the first of its ids.
    pub fn start(&mut self, id: &str, limits: Value) -> Result<u32> {
        let request = json!({"verb": "start", "id": id, "image": IMAGE, "limits": limits});
        let base = self.ask(&request)?["machines"][0]["base"].as_u64();
        Ok(u32::try_from(base.context("a machine has a base")?)?)
    }

    /// Gives a machine its first disk again.
    pub fn reset(&mut self, id: &str) -> Result<()> {
        let request = json!({"verb": "reset", "id": id, "image": IMAGE});
        self.ask(&request).map(drop)
    }

    /// Stops a machine; its disk stays.
    pub fn stop(&mut self, id: &str) -> Result<()> {
        self.ask(&json!({"verb": "stop", "id": id})).map(drop)
    }

    /// Stops a machine and forgets it.
    pub fn delete(&mut self, id: &str) -> Result<()> {
        self.ask(&json!({"verb": "delete", "id": id})).map(drop)
    }

    /// The keeper of a machine, as the host numbers it.
    pub fn keeper(&self, id: &str) -> Result<u32> {
        let record = fs::read(self.scratch.join(format!("machines/{id}/record.json")))?;
        let record: Value = serde_json::from_slice(&record)?;
        let pid = record["pid"].as_u64().context("a record has a pid")?;
        Ok(u32::try_from(pid)?)
    }

    /// PID 1 of a machine, as the host numbers it.
    pub fn init(&self, id: &str) -> Result<u32> {
        let keeper = self.keeper(id)?;
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"))?;
        let is_init = |pid: &u32| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.contains("machine-init")
        };
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .find(is_init)
            .context("a machine has an init")
    }

    /// Runs a script as the machine's root, to its end.
    #[track_caller]
    pub fn run(&self, id: &str, script: &str) -> Ran {
        run(&self.socket_of(id), script).unwrap_or_else(|e| {
            let log = fs::read_to_string(self.scratch.join(format!("machines/{id}/keeper.log")));
            panic!("{script}: {e:#}\n{}", log.unwrap_or_default())
        })
    }

    fn socket_of(&self, id: &str) -> PathBuf {
        self.scratch.join(format!("run/{id}.sock"))
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
        let data = self.scratch.path().as_os_str();
        match executable::run(["down".as_ref(), "--data".as_ref(), data]) {
            Ok(output) if output.status.success() => {}
            other => eprintln!("quai down: {other:?}"),
        }
    }
}

fn spawn(data: &Path) -> Result<(Child, BufReader<UnixStream>)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(Duration::from_secs(60)))?;
    let helper = executable::command(["helper"])?
        .arg(data)
        .args(["0", "0"])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .context("cannot execute the helper")?;
    Ok((helper, BufReader::new(ours)))
}

/// Reads frames until the notice with the exit code; ARCHITECTURE.md describes them.
fn run(socket: &Path, script: &str) -> Result<Ran> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let line = json!({"open": "run", "argv": ["/bin/sh", "-c", script]});
    writeln!(stream, "{line}")?;
    let mut output = Vec::new();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame)?;
        match frame.split_first() {
            Some((0, payload)) if payload.len() >= 8 => output.extend_from_slice(&payload[8..]),
            Some((2, payload)) => {
                let notice: Value = serde_json::from_slice(payload)?;
                return Ok(Ran {
                    code: notice["exit"].as_i64().context("no exit code")?,
                    output: String::from_utf8_lossy(&output).into_owned(),
                });
            }
            other => anyhow::bail!("unexpected frame {other:?}"),
        }
    }
}
