//! A script that runs as root in the machine, through the keeper's `run`.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use labs::exercise::Value;
use labs::exercise::variables::environment;
use serde_json::json;
use web::messages::say;

use crate::machine::keeper::wire::{Deframer, FromKeeper, MAX_FROM_KEEPER};

/// What a script did.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Its exit status; nothing when it was still running at the end of our patience.
    pub(super) status: Option<i64>,
    /// The end of its output, for people.
    pub(super) output: String,
}

/// Runs `script`; every line `::answer ID VALUE` of its output is given to `answer`.
pub(super) fn run(
    mut stream: UnixStream,
    script: &str,
    vars: &BTreeMap<String, Value>,
    patience: Duration,
    mut answer: impl FnMut(&str, &str) -> std::io::Result<()>,
) -> std::io::Result<Ran> {
    let mut argv = vec!["/usr/bin/env".to_owned(), "-C".into(), "/root".into()];
    argv.extend(
        environment(vars)
            .into_iter()
            .map(|(n, v)| format!("{n}={v}")),
    );
    argv.extend(["/bin/bash".into(), "-c".into(), script.to_owned()]);
    writeln!(stream, "{}", json!({ "open": "run", "argv": argv }))?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let until = Instant::now() + patience;
    let mut cutter = Deframer::new(MAX_FROM_KEEPER);
    let mut ran = Ran::default();
    let mut pending = String::new();
    let mut buffer = [0; 16 << 10];
    while Instant::now() < until {
        match stream.read(&mut buffer) {
            Ok(0) => {
                ran.output.push_str(&say("content.wrong.closed", &[]));
                break;
            }
            Ok(n) => cutter.push(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(e) => return Err(e),
        }
        while let Some(message) = cutter.next().map_err(std::io::Error::other)? {
            match FromKeeper::parse(&message).map_err(std::io::Error::other)? {
                FromKeeper::Output { bytes, .. } => {
                    pending.push_str(&String::from_utf8_lossy(&bytes));
                    while let Some((line, rest)) = pending.split_once('\n') {
                        said(line, &mut ran, &mut answer)?;
                        pending = rest.to_owned();
                    }
                }
                FromKeeper::Notice(text) => {
                    said(&pending, &mut ran, &mut answer)?;
                    let notice: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                    ran.status = notice["exit"].as_i64();
                    return Ok(ran);
                }
                FromKeeper::Screen { .. } => {}
            }
        }
    }
    Ok(ran)
}

fn said(
    line: &str,
    ran: &mut Ran,
    answer: &mut impl FnMut(&str, &str) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let line = line.trim_end_matches('\r');
    if let Some((id, value)) = line
        .strip_prefix("::answer ")
        .and_then(|rest| rest.split_once(' '))
    {
        return answer(id, value);
    }
    ran.output.push_str(line);
    ran.output.push('\n');
    // Only the end is shown.
    let excess = ran.output.len().saturating_sub(2000);
    if let Some((at, _)) = ran.output.char_indices().find(|(at, _)| *at >= excess) {
        ran.output.drain(..at);
    }
    Ok(())
}
