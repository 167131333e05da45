//! The end of a process: its last words, then who is told of it.

use std::io::Write;

use kernel::process::Patience;

use super::client::Mode;
use super::serve::{INIT, Shim};
use crate::logs::Stream;
use crate::runtime::cgroups;
use crate::runtime::handshake::{ExitRecord, Frame, Output, Reply};
use crate::runtime::request::Sharing;

impl Shim {
    /// The container has ended.
    pub(super) fn finish(&mut self) {
        if let Some(log) = &mut self.log {
            log.finish(Stream::Stdout);
            log.finish(Stream::Stderr);
        }
        if self.plan.namespaces.pid != Sharing::New {
            // No pid namespace dies with its init: what it started must be ended one by one.
            let _ = self.group.kill();
        }
        let ends: Vec<u64> = self.processes.keys().copied().collect();
        for number in ends {
            if let Some(process) = self.processes.get_mut(&number) {
                process.collect(Patience::Wait);
            }
        }
        let record = self.record(INIT, cgroups::oom_kills(&self.group));
        // Version 1 tells the removal of a group as if it were want of memory.
        self.memory = None;
        let _ = self.group.remove();
        self.save(&record);
        let others: Vec<u64> = self
            .processes
            .keys()
            .copied()
            .filter(|&n| n != INIT)
            .collect();
        for number in others {
            for stream in [Stream::Stdout, Stream::Stderr] {
                while self.pump(number, stream) {}
            }
            let record = self.record(number, 0);
            self.tell_end(number, &record);
        }
        self.tell_end(INIT, &record);
        for client in self.clients.values_mut() {
            if client.mode == Mode::Asking {
                client.mode = Mode::Leaving;
            }
        }
        self.end = Some(record);
    }

    /// Written whole or not at all: beside the name, then onto it.
    fn save(&self, record: &ExitRecord) {
        let path = self.plan.directory.join("exit.json");
        let beside = self.plan.directory.join("exit.json.new");
        let json = serde_json::to_vec(record).expect("a record has string keys only");
        let written = std::fs::File::create(&beside).and_then(|mut file| {
            file.write_all(&json)?;
            std::fs::rename(&beside, &path)
        });
        // The directory is gone: nobody will look for the container either.
        drop(written);
    }

    pub(super) fn record(&self, number: u64, oom_kills: u64) -> ExitRecord {
        let process = &self.processes[&number];
        let (code, finished_at) = process
            .ended()
            .unwrap_or_else(|| (137, jiff::Timestamp::now()));
        ExitRecord {
            code,
            oom_killed: oom_kills > 0,
            started_at: process.started(),
            finished_at,
        }
    }

    pub(super) fn tell_end(&mut self, number: u64, record: &ExitRecord) {
        for client in self.clients.values_mut() {
            let frame = match client.mode {
                Mode::Waiting(process) if process == number => {
                    Frame::json(&Reply::Exited(record.clone()))
                }
                Mode::Attached(process, _) if process == number => {
                    Frame::from(Output::Exited(record.clone()))
                }
                _ => continue,
            };
            client.send(&frame);
            client.mode = Mode::Leaving;
        }
    }
}
