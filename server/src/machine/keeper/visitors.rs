//! Connections that are not terminals: `watch`, `run`, `port`, `cable`, `status`.

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::Access;
use kernel::namespace::Namespaces;
use kernel::poll::{self, Interest};
use kernel::process::{self, Forked, Parent, Program};
use kernel::rights;
use kernel::signal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::engine::Engine;
use super::inner_stage::{InnerStage, Piped};
use super::wire::{FromKeeper, frame};
use crate::machine::cable::Cable;
use crate::machine::stage::story;

/// What visitors may come for.
pub(super) struct House<'a> {
    pub(super) inner: &'a InnerStage,
    pub(super) engine: &'a Engine,
    pub(super) cable: Option<&'a Cable>,
}

/// Serves a connection by what its first line asked for.
pub(super) fn receive(house: &House<'_>, mut stream: UnixStream, opening: &Value, early: Vec<u8>) {
    let inner = house.inner;
    let served = match opening["open"].as_str() {
        Some("status") => status(inner, house.engine, &mut stream),
        Some("watch") => watch(inner, &stream, opening, &early),
        Some("run") => run(inner, &stream, opening),
        Some("port") => port(inner, &stream, opening),
        Some("cable") => cable(house, &mut stream),
        _ => Err("the first line opens nothing that this keeper knows".into()),
    };
    if let Err(why) = served {
        let line = json!({ "error": why }).to_string();
        let _ = writeln!(stream, "{line}");
    }
}

fn status(inner: &InnerStage, engine: &Engine, stream: &mut UnixStream) -> Result<(), String> {
    let line = json!({ "inner": inner.init.pid, "engine": engine.pid() });
    // Whoever asked may have gone: nobody to tell.
    let _ = writeln!(stream, "{line}");
    Ok(())
}

/// Takes the end of the link to the exercise's other machine, which waits in the outer stage.
fn cable(house: &House<'_>, stream: &mut UnixStream) -> Result<(), String> {
    let cable = house.cable.ok_or("this machine has no other one")?;
    house.inner.take_cable(cable).map_err(|e| story(&e))?;
    // Whoever asked may have gone.
    let _ = writeln!(stream, "{}", json!({ "settled": true }));
    Ok(())
}

/// The watcher's own program: it reads the rest of the opening line, then this connection.
fn watch(
    inner: &InnerStage,
    stream: &UnixStream,
    opening: &Value,
    early: &[u8],
) -> Result<(), String> {
    let mut line = opening.to_string().into_bytes();
    line.push(b'\n');
    line.extend_from_slice(early);
    let line = kernel::memory::sealed(c"opening", &line).map_err(|e| story(&e))?;
    let stage = inner.init.pid.to_string();
    detached(|| {
        let executable = match kernel::fs::open(Path::new("/quai"), Access::Path) {
            Ok(executable) => executable,
            Err(e) => return e,
        };
        let word = |text: &str| CString::new(text).expect("our own words have no NUL");
        let argv = [
            word("quai"),
            word("watcher"),
            word("--stage-pid"),
            word(&stage),
            word("--opening-fd"),
            word("3"),
        ];
        let plan = [
            (stream.as_raw_fd(), 0),
            (1, 1),
            (2, 2),
            (line.as_raw_fd(), 3),
        ];
        process::execute_with(Program::Open(executable.as_fd()), &argv, &[], &plan)
    })
}

/// `{"open":"port","port":8000,"family":"v4"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    #[serde(rename = "open")]
    _open: String,
    port: NonZeroU16,
    family: Family,
}

/// Which loopback address is meant.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    V4,
    V6,
}

/// Begins a connection inside the machine and gives it away: `{"connecting":true}` with its
/// descriptor, or `{"refused":errno}`. Nothing waits here, and nothing but loopback can be named.
fn port(inner: &InnerStage, stream: &UnixStream, opening: &Value) -> Result<(), String> {
    let wanted: Port = serde_json::from_value(opening.clone()).map_err(|e| e.to_string())?;
    let address: IpAddr = match wanted.family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    };
    let begun = inner.connect(SocketAddr::new(address, wanted.port.get()));
    let sent = match &begun {
        Ok(socket) => {
            let line = json!({ "connecting": true }).to_string() + "\n";
            rights::send(stream.as_fd(), line.as_bytes(), &[socket.as_fd()])
        }
        Err(error) => {
            let errno = error.source.raw_os_error().unwrap_or(0);
            let line = json!({ "refused": errno }).to_string() + "\n";
            rights::send(stream.as_fd(), line.as_bytes(), &[])
        }
    };
    // Whoever asked may have gone.
    sent.map(drop).or(Ok(()))
}

/// `{"open":"run","argv":[…],"stdin":"…"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    #[serde(rename = "open")]
    _open: String,
    argv: Vec<String>,
    #[serde(default)]
    stdin: String,
}

fn run(inner: &InnerStage, stream: &UnixStream, opening: &Value) -> Result<(), String> {
    let run: Run = serde_json::from_value(opening.clone()).map_err(|e| e.to_string())?;
    let piped = inner.run(run.argv).map_err(|e| story(&e))?;
    // A process of its own: the loop must not wait for the program.
    detached(|| {
        relay(piped, run.stdin.as_bytes(), stream);
        process::exit(0)
    })
}

/// Copies the program's output as frames, then its exit code as a notice.
///
/// The program's end ends it, even when something it started keeps its output open.
fn relay(piped: Piped, input: &[u8], stream: &UnixStream) {
    let Piped {
        input: to,
        output,
        exit,
    } = piped;
    let _ = stream.set_nonblocking(false);
    feed(to, input);
    let mut relayed = Relayed {
        output: std::fs::File::from(output),
        stream,
        seq: 0,
    };
    loop {
        let set = [
            (relayed.output.as_fd(), Interest::Read),
            (exit.as_fd(), Interest::Read),
        ];
        let Ok(ready) = poll::wait(&set, None) else {
            return;
        };
        let more = ready[0].any() && relayed.copy();
        if ready[1].any() && !(more && ready[0].readable) {
            break;
        }
        if !more && ready[0].any() {
            // Its output has ended: only the exit code is missing.
            let _ = poll::wait(&[(exit.as_fd(), Interest::Read)], None);
            break;
        }
    }
    let mut line = String::new();
    let _ = std::fs::File::from(exit).read_to_string(&mut line);
    let code = line.trim().parse::<i32>().ok();
    relayed.say(&FromKeeper::Notice(json!({ "exit": code }).to_string()));
}

/// The output of a program on its way to who asked for it.
struct Relayed<'a> {
    output: std::fs::File,
    stream: &'a UnixStream,
    seq: u64,
}

impl Relayed<'_> {
    /// Passes on what is there; whether there may be more.
    fn copy(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let Ok(n @ 1..) = self.output.read(&mut buffer) else {
            return false;
        };
        let message = FromKeeper::Output {
            seq: self.seq,
            bytes: buffer[..n].to_vec(),
        };
        self.seq += n as u64;
        self.say(&message);
        true
    }

    fn say(&mut self, message: &FromKeeper) {
        if self.stream.write_all(&frame(&message.message())).is_err() {
            // Nobody listens any more.
            process::exit(0)
        }
    }
}

/// Writes the input from a process of its own, so that a program that answers while it reads
/// cannot block us.
fn feed(to: OwnedFd, input: &[u8]) {
    if let Ok(Forked::Child) = process::fork(Namespaces::NONE, Parent::Caller) {
        let _ = std::fs::File::from(to).write_all(input);
        process::exit(0)
    }
}

/// Runs `work` in a child, which the keeper reaps like any other.
fn detached(work: impl FnOnce() -> SysError) -> Result<(), String> {
    match process::fork(Namespaces::NONE, Parent::Caller) {
        Ok(Forked::Parent(_)) => Ok(()),
        Ok(Forked::Child) => {
            let _ = signal::reset_all();
            let error = work();
            eprintln!("keeper: {}", story(&error));
            process::exit(127)
        }
        Err(error) => Err(story(&error)),
    }
}
