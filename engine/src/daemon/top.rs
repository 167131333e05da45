//! `top`: the processes of a container, in the columns that `ps` has for the arguments given.
//!
//! Docker executes the host's `ps`. Here the usual columns are made from `/proc`, so that nothing has to be installed in
//! a learner's machine and pids are those that the machine shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kernel::namespace;

use crate::api::types::ContainerTop;
use crate::runtime::cgroups;

use super::container::{Container, State, not_running};
use super::{Daemon, DaemonError};

/// Ticks in a second; the same on every Linux that this engine runs on.
const TICKS: u64 = 100;

/// A column: its names in `-o`, and its title.
struct Column {
    names: &'static [&'static str],
    title: &'static str,
    value: fn(&Process) -> String,
}

const COLUMNS: [Column; 17] = [
    Column {
        names: &["user", "euser", "uname"],
        title: "USER",
        value: |p| p.user.clone(),
    },
    Column {
        names: &["uid", "euid"],
        title: "UID",
        value: |p| p.uid.clone(),
    },
    Column {
        names: &["pid", "tgid"],
        title: "PID",
        value: |p| p.pid.clone(),
    },
    Column {
        names: &["ppid"],
        title: "PPID",
        value: |p| p.parent.clone(),
    },
    Column {
        names: &["c"],
        title: "C",
        value: |p| format!("{:.0}", p.cpu()),
    },
    Column {
        names: &["%cpu", "pcpu"],
        title: "%CPU",
        value: |p| format!("{:.1}", p.cpu()),
    },
    Column {
        names: &["%mem", "pmem"],
        title: "%MEM",
        value: |p| format!("{:.1}", p.memory()),
    },
    Column {
        names: &["vsz", "vsize"],
        title: "VSZ",
        value: |p| p.virtual_kib.to_string(),
    },
    Column {
        names: &["rss", "rssize"],
        title: "RSS",
        value: |p| p.resident_kib.to_string(),
    },
    Column {
        names: &["tty", "tt", "tname"],
        title: "TTY",
        value: |p| p.tty().to_owned(),
    },
    Column {
        names: &["stat"],
        title: "STAT",
        value: |p| p.stat(),
    },
    Column {
        names: &["s", "state"],
        title: "S",
        value: |p| p.state.clone(),
    },
    Column {
        names: &["stime", "start_time"],
        title: "STIME",
        value: |p| p.since("%H:%M"),
    },
    Column {
        names: &["start", "lstart"],
        title: "STARTED",
        value: |p| p.since("%H:%M:%S"),
    },
    Column {
        names: &["time", "cputime"],
        title: "TIME",
        value: |p| p.time(),
    },
    Column {
        names: &["comm", "ucmd", "ucomm"],
        title: "COMMAND",
        value: |p| p.name.clone(),
    },
    Column {
        names: &["args", "cmd", "command"],
        title: "CMD",
        value: |p| p.command.clone(),
    },
];

impl Daemon {
    /// The processes of a container, in the columns of `ps` and its arguments; `-ef` without any.
    pub async fn top(
        self: &Arc<Self>,
        text: &str,
        arguments: Option<&str>,
    ) -> Result<ContainerTop, DaemonError> {
        let container = self.container(text)?;
        match container.lock().record.state {
            State::Running(_) | State::Paused(_) => {}
            State::Restarting(_) => {
                return Err(DaemonError::Conflict(format!(
                    "Container {} is restarting, wait until the container is running",
                    container.id
                )));
            }
            _ => return Err(not_running(&container.id)),
        }
        let columns = columns(arguments.unwrap_or("-ef"))?;
        self.block(move |daemon| {
            let users = users(&daemon.machine_root());
            let pids = daemon.processes(&container)?;
            // A process may end between the list and the look at it.
            let mut processes: Vec<_> = pids
                .into_iter()
                .filter_map(|pid| Process::read(pid, &users))
                .collect();
            processes.sort_by_key(|process| process.number);
            let row = |process: &Process| columns.iter().map(|(_, value)| value(process)).collect();
            Ok(ContainerTop {
                titles: columns.iter().map(|(title, _)| title.clone()).collect(),
                processes: processes.iter().map(row).collect(),
            })
        })
        .await
    }
}

impl Daemon {
    /// The processes of a container: those of its group, or without control groups those of its first process's
    /// namespace.
    fn processes(&self, container: &Container) -> Result<Vec<i32>, DaemonError> {
        let group = self.group_path(&container.record());
        if cgroups::of(&group)?.exists() {
            return Ok(cgroups::processes(&group)?);
        }
        let Some(running) = container.lock().record.state.process().cloned() else {
            return Ok(Vec::new());
        };
        let number = |pid: u32| i32::try_from(pid).unwrap_or(i32::MAX);
        let own = namespace::inode(number(running.engine_pid), "pid")?;
        let all = kernel::procfs::process::pids()?;
        let is_in = |pid: &i32| namespace::inode(*pid, "pid").is_ok_and(|inode| inode == own);
        Ok(all.into_iter().filter(is_in).collect())
    }
}

type Chosen = Vec<(String, fn(&Process) -> String)>;

/// The columns that arguments of `ps` ask for.
fn columns(arguments: &str) -> Result<Chosen, DaemonError> {
    let mut chosen = Vec::new();
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        let flags = word.strip_prefix('-').unwrap_or(word);
        if word == "-ef" || word == "-f" || word == "-eF" {
            chosen.extend(named("uid=UID,pid,ppid,c,stime,tty,time,cmd")?);
            // In this layout the owner is a name.
            chosen[0].1 = |process| process.user.clone();
        } else if word == "aux" || word == "-aux" || word == "u" {
            let text = "user,pid,%cpu,%mem,vsz,rss,tty,stat,stime=START,time,args=COMMAND";
            chosen.extend(named(text)?);
            // In this layout the time has no hours.
            chosen[9].1 = |process| process.short_time();
        } else if flags.ends_with('o')
            && flags
                .trim_end_matches('o')
                .chars()
                .all(|c| "eAax".contains(c))
        {
            let list = words.next().unwrap_or_default();
            chosen.extend(named(list)?);
        } else if let Some(list) = word.strip_prefix("-o").filter(|list| !list.is_empty()) {
            chosen.extend(named(list)?);
        } else if !["-e", "-A", "-a", "ax", "-x", "x"].contains(&word) {
            return Err(DaemonError::Refused(format!(
                "ps: error: unsupported option (this engine knows -ef, aux and -o): {word}"
            )));
        }
    }
    if chosen.is_empty() {
        chosen = named("pid,tty,time,comm=CMD")?;
    }
    if chosen.iter().any(|(title, _)| title == "PID") {
        return Ok(chosen);
    }
    Err(DaemonError::Refused(
        "Couldn't find PID field in ps output".into(),
    ))
}

/// `pid,comm=NAME`.
fn named(list: &str) -> Result<Chosen, DaemonError> {
    let one = |word: &str| {
        let (name, title) = word
            .split_once('=')
            .map_or((word, None), |(n, t)| (n, Some(t)));
        let column = COLUMNS.iter().find(|column| column.names.contains(&name));
        let column = column.ok_or_else(|| {
            DaemonError::Refused(format!(
                "ps: error: unknown user-defined format specifier \"{name}\""
            ))
        })?;
        Ok((title.unwrap_or(column.title).to_owned(), column.value))
    };
    list.split(',').map(one).collect()
}

/// Names of users by number, as the machine knows them.
fn users(machine: &std::path::Path) -> BTreeMap<String, String> {
    let text = kernel::tree::Tree::open(machine)
        .and_then(|root| root.file(std::path::Path::new("etc/passwd")))
        .and_then(|file| {
            std::io::read_to_string(file)
                .map_err(|error| kernel::error::SysError::io("read", error))
        });
    let text = text.unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        Some((uid.to_owned(), name.to_owned()))
    });
    lines.collect()
}

/// One process as `/proc` shows it.
#[derive(Debug)]
struct Process {
    number: i32,
    pid: String,
    parent: String,
    uid: String,
    user: String,
    name: String,
    command: String,
    state: String,
    has_terminal: bool,
    leads: bool,
    foreground: bool,
    threads: u64,
    /// Ticks of processor time.
    ticks: u64,
    /// Ticks after the start of the host.
    start: u64,
    virtual_kib: u64,
    resident_kib: u64,
}

impl Process {
    fn read(number: i32, users: &BTreeMap<String, String>) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // The name stands in parentheses and may hold anything, so fields are counted after the last one.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let status = std::fs::read_to_string(format!("/proc/{number}/status")).ok()?;
        let line = |key: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(key));
            found.unwrap_or_default().trim().to_owned()
        };
        let kib = |key: &str| {
            line(key)
                .split_whitespace()
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0)
        };
        let uid = line("Uid:")
            .split_whitespace()
            .nth(1)
            .unwrap_or("?")
            .to_owned();
        let command = std::fs::read(format!("/proc/{number}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command)
            .trim_end_matches('\0')
            .replace('\0', " ");
        Some(Self {
            number,
            pid: machine_pid(number),
            parent: machine_pid(fields.get(1)?.parse().ok()?),
            user: users.get(&uid).cloned().unwrap_or_else(|| uid.clone()),
            uid,
            command: if command.is_empty() {
                format!("[{name}]")
            } else {
                command
            },
            name,
            state: (*fields.first()?).to_owned(),
            has_terminal: field(4) != Some(0),
            leads: fields.get(3) == fields.get(2) && field(3) == u64::try_from(number).ok(),
            foreground: fields.get(2) == fields.get(5),
            threads: field(17)?,
            ticks: field(11)? + field(12)?,
            start: field(19)?,
            virtual_kib: kib("VmSize:"),
            resident_kib: kib("VmRSS:"),
        })
    }

    /// Per cent of one processor since its start.
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    fn cpu(&self) -> f64 {
        let lived = (uptime() * TICKS).saturating_sub(self.start).max(1);
        100.0 * self.ticks as f64 / lived as f64
    }

    /// Per cent of the host's memory.
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    fn memory(&self) -> f64 {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = text
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1));
        let total: u64 = total.and_then(|text| text.parse().ok()).unwrap_or(1);
        100.0 * self.resident_kib as f64 / total.max(1) as f64
    }

    fn tty(&self) -> &'static str {
        if self.has_terminal { "pts/0" } else { "?" }
    }

    fn stat(&self) -> String {
        let more = [
            (self.leads, "s"),
            (self.threads > 1, "l"),
            (self.has_terminal && self.foreground, "+"),
        ];
        let more: String = more
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, letter)| *letter)
            .collect();
        self.state.clone() + &more
    }

    fn since(&self, format: &str) -> String {
        let begun = Timestamp::now().as_second() - i64::try_from(uptime()).unwrap_or(0)
            + i64::try_from(self.start / TICKS).unwrap_or(0);
        Timestamp::from_second(begun)
            .map(|time| time.strftime(format).to_string())
            .unwrap_or_default()
    }

    fn time(&self) -> String {
        let seconds = self.ticks / TICKS;
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }

    fn short_time(&self) -> String {
        let seconds = self.ticks / TICKS;
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// A process as its machine numbers it: the last number but one is that of the container itself.
fn machine_pid(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .unwrap_or_default();
    let seen: Vec<&str> = line.split_whitespace().collect();
    match seen[..] {
        [.., machine, _container] => machine.to_owned(),
        [own] => own.to_owned(),
        [] => "0".to_owned(),
    }
}

/// Whole seconds since the start of the host.
fn uptime() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(['.', ' '])
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &str, titles: &[&str]) {
        let found: Vec<_> = columns(arguments)
            .unwrap()
            .into_iter()
            .map(|(t, _)| t)
            .collect();
        assert_eq!(found, titles, "{arguments}");
    }

    #[test]
    fn arguments_of_ps_choose_columns() {
        check(
            "-ef",
            &["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
        );
        check(
            "aux",
            &[
                "USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME",
                "COMMAND",
            ],
        );
        check("-o pid,comm", &["PID", "COMMAND"]);
        check("-eo pid,args=WHAT", &["PID", "WHAT"]);
    }

    #[test]
    fn what_ps_refuses_is_refused() {
        let words = |arguments| columns(arguments).map(|_| ()).unwrap_err().to_string();
        assert_eq!(words("-eo comm"), "Couldn't find PID field in ps output");
        assert!(words("-o foo").contains("unknown user-defined format specifier"));
        assert!(words("--nonsense").contains("unsupported option"));
    }

    #[test]
    fn this_process_is_described() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let process = Process::read(pid, &BTreeMap::new()).unwrap();
        assert!(!process.command.is_empty() && process.resident_kib > 0);
        assert!(process.threads >= 1 && process.start > 0);
    }
}
