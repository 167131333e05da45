//! Subordinate ids: which users and groups beside their own a user may give to containers; see subuid(5).

use std::path::Path;
use std::process::Command;

use kernel::namespace::IdMap;

use super::RootlessError;
use super::uplink::find_program;

/// A run of ids of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// The name of a user in the text of passwd(5).
pub fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The ranges that the text of subuid(5) or subgid(5) gives to a user, by name or by number; lines that say nothing
/// are passed over, as newuidmap(1) does.
pub fn ranges_of(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.trim().split(':').collect();
            let [owner, start, count] = fields.as_slice() else {
                return None;
            };
            if Some(*owner) != name && *owner != number {
                return None;
            }
            let range = Range {
                start: start.parse().ok()?,
                count: count.parse().ok()?,
            };
            let good = range.count > 0 && range.start.checked_add(range.count).is_some();
            good.then_some(range)
        })
        .collect()
}

/// The map of a namespace in which the user is root and the ranges follow from 1 on.
fn map(own: u32, ranges: &[Range]) -> Vec<IdMap> {
    let mut lines = vec![IdMap {
        inside: 0,
        outside: own,
        count: 1,
    }];
    let mut inside: u32 = 1;
    for range in ranges {
        // Ids end where the number does.
        let count = range.count.min(u32::MAX - inside);
        if count > 0 {
            lines.push(IdMap {
                inside,
                outside: range.start,
                count,
            });
            inside += count;
        }
    }
    lines
}

/// The ids of a user namespace: users and groups, each inside and outside.
#[derive(Debug)]
pub struct Maps {
    /// Lines for newuidmap(1).
    pub users: Vec<IdMap>,
    /// Lines for newgidmap(1).
    pub groups: Vec<IdMap>,
}

const USERS: &str = "/etc/subuid";
const GROUPS: &str = "/etc/subgid";

impl Maps {
    /// What the host's files give to the user who runs this, with that user as root.
    pub fn of_caller() -> Result<Self, RootlessError> {
        let uid = kernel::process::effective_uid();
        let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        let passwd = read("/etc/passwd");
        let name = user_name(&passwd, uid);
        let of = |file: &'static str, own| {
            let ranges = ranges_of(&read(file), name, uid);
            if ranges.is_empty() {
                return Err(RootlessError::NoRange {
                    file,
                    user: name.map_or_else(|| uid.to_string(), str::to_owned),
                });
            }
            Ok(map(own, &ranges))
        };
        Ok(Self {
            users: of(USERS, uid)?,
            groups: of(GROUPS, kernel::process::effective_gid())?,
        })
    }

    /// Has them written for the user namespace of a process, by the programs that have the right to.
    pub fn write(&self, pid: i32) -> Result<(), RootlessError> {
        write("newuidmap", USERS, pid, &self.users)?;
        write("newgidmap", GROUPS, pid, &self.groups)
    }
}

/// Whether both programs are there that write maps for ordinary users.
pub fn check_programs() -> Result<(), RootlessError> {
    for program in ["newuidmap", "newgidmap"] {
        program_path(program)?;
    }
    Ok(())
}

fn program_path(program: &'static str) -> Result<std::path::PathBuf, RootlessError> {
    find_program(program).ok_or(RootlessError::Missing {
        program,
        purpose: "gives containers the ids of /etc/subuid and /etc/subgid",
        package: "uidmap",
    })
}

fn write(
    program: &'static str,
    file: &'static str,
    pid: i32,
    lines: &[IdMap],
) -> Result<(), RootlessError> {
    let path = program_path(program)?;
    let mut command = Command::new(&path);
    command.arg(pid.to_string());
    for line in lines {
        for number in [line.inside, line.outside, line.count] {
            command.arg(number.to_string());
        }
    }
    let output = command
        .output()
        .map_err(RootlessError::file("execute", path))?;
    if output.status.success() {
        return Ok(());
    }
    Err(RootlessError::Unmapped {
        program,
        file,
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\n\n:x:7::\nada:x:1000:1000:Ada,,:/home/ada:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000), Some("ada"));
        assert_eq!(user_name(passwd, 0), Some("root"));
        assert_eq!(user_name(passwd, 7), None);
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u32, u32)]) {
        let found = ranges_of(text, Some("ada"), 1000);
        let found: Vec<_> = found.iter().map(|r| (r.start, r.count)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn ranges_are_given_to_names_and_numbers() {
        check("ada:100000:65536\n", &[(100_000, 65_536)]);
        check("bob:1:2\n1000:5:6\nada:9:10", &[(5, 6), (9, 10)]);
        for nothing in [
            "",
            "ada",
            "ada:1",
            "ada:x:1",
            "ada:1:0",
            "ada:1:2:3",
            "adam:1:2",
            "ada:4294967295:2",
        ] {
            check(nothing, &[]);
        }
    }

    #[test]
    fn the_user_is_root_and_the_ranges_follow() {
        let ranges = [(100, 10), (500, u32::MAX)].map(|(start, count)| Range { start, count });
        let lines: Vec<_> = map(1000, &ranges)
            .iter()
            .map(|line| (line.inside, line.outside, line.count))
            .collect();
        assert_eq!(
            lines,
            [(0, 1000, 1), (1, 100, 10), (11, 500, u32::MAX - 11)]
        );
    }
}
