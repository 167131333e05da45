//! The role `quai helper`: one request after the other, until the socket closes.

use std::ffi::OsString;
use std::io::{BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use kernel::lock::FileLock;
use kernel::poll::{self, Interest};
use kernel::process;
use web::messages::say;

use super::cause;
use super::machines::{MachineFault, Machines};
use super::owner::Owner;
use super::verbs::{Done, Failure, Reply, Verb};
use crate::machine::data::DataDir;
use crate::machine::stage::story;

/// Longest request.
const MAX_LINE: usize = 64 * 1024;

/// Runs the role with the words `DATA UID GID` and the socket as descriptor 0.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let Some((data, owner)) = parse(words) else {
        eprintln!("quai helper: only `quai local` starts this");
        return ExitCode::from(2);
    };
    // Ctrl-C is for the web process: machines go on.
    let _ = process::setsid();
    let _ = process::set_name(c"helper");
    let socket = match process::inherited(0) {
        Ok(fd) => UnixStream::from(fd),
        Err(error) => return fail(&error),
    };
    let _lock = match FileLock::wait(&data.helper_lock()) {
        Ok(lock) => lock,
        Err(error) => return fail(&error),
    };
    match Machines::adopt(data, owner) {
        Ok(mut machines) => serve(&socket, &mut machines),
        Err(error) => fail(&error),
    }
}

fn parse(words: &[OsString]) -> Option<(DataDir, Owner)> {
    let [data, uid, gid] = words else {
        return None;
    };
    let owner = Owner {
        uid: uid.to_str()?.parse().ok()?,
        gid: gid.to_str()?.parse().ok()?,
    };
    Some((DataDir::new(PathBuf::from(data)), owner))
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("helper: {}", story(error));
    ExitCode::FAILURE
}

fn serve(socket: &UnixStream, machines: &mut Machines) -> ExitCode {
    let mut line = Vec::new();
    let mut reader = BufReader::new(socket);
    loop {
        let ready = {
            let mut set = vec![(socket.as_fd(), Interest::Read)];
            set.extend(
                machines
                    .watched()
                    .into_iter()
                    .map(|fd| (fd, Interest::Read)),
            );
            poll::wait(&set, None)
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => return fail(&error),
        };
        machines.bury();
        if !ready[0].any() {
            continue;
        }
        let mut buffer = [0; 4096];
        match reader.read(&mut buffer) {
            // The web process is gone; machines go on, and the next helper finds them.
            Ok(0) | Err(_) => return ExitCode::SUCCESS,
            Ok(n) => line.extend_from_slice(&buffer[..n]),
        }
        while let Some(end) = line.iter().position(|b| *b == b'\n') {
            let rest = line.split_off(end + 1);
            let request = std::mem::replace(&mut line, rest);
            let reply = answer(machines, &request);
            let mut text = serde_json::to_vec(&reply).expect("replies are plain data");
            text.push(b'\n');
            if (&mut &*socket).write_all(&text).is_err() {
                return ExitCode::SUCCESS;
            }
        }
        if line.len() > MAX_LINE {
            eprintln!("helper: a request of more than {MAX_LINE} bytes");
            return ExitCode::FAILURE;
        }
    }
}

fn answer(machines: &mut Machines, line: &[u8]) -> Reply {
    let verb = match serde_json::from_slice::<Verb>(line) {
        Ok(verb) => verb,
        Err(error) => {
            return Reply::Error(Failure {
                what: say("machine.failed-to.understand", &[]),
                why: error.to_string(),
                remedy: say("machine.remedy.understand", &[]),
            });
        }
    };
    match obey(machines, &verb) {
        Ok(done) => Reply::Ok(done),
        Err(error) => {
            eprintln!("helper: {verb:?}: {}", story(&error));
            Reply::Error(cause::failure(&verb, &error))
        }
    }
}

fn obey(machines: &mut Machines, verb: &Verb) -> Result<Done, MachineFault> {
    let machines = match verb {
        Verb::Start(wish) => vec![machines.start(wish)?],
        Verb::Reset(wish) => vec![machines.reset(wish)?],
        Verb::Stop { id } => machines.stop(id).map(|()| Vec::new())?,
        Verb::Delete { id } => machines.delete(id).map(|()| Vec::new())?,
        Verb::List => machines.list()?,
    };
    Ok(Done { machines })
}
