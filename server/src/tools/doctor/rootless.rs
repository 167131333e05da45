//! What `quai engine` needs when an ordinary user starts it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use engine::rootless::{Helper, find_program, ranges_of, user_name};
use kernel::cgroup::{Layout, Version};
use kernel::process::effective_uid;

use super::finding::{Finding, Level};

/// Fewer ids than an image of a usual distribution has.
const ENOUGH: u64 = 65_536;

/// Programs, ids, network, control groups.
pub(super) fn questions() -> [Finding; 4] {
    [programs(), ids(), network(), groups()]
}

fn programs() -> Finding {
    let missing = ["newuidmap", "newgidmap"]
        .into_iter()
        .find(|program| find_program(program).is_none());
    match missing {
        None => Finding::new("rootless-programs", Level::Good),
        Some(program) => Finding::new("rootless-programs", Level::Warn).with("program", program),
    }
}

/// The ids of the user who asks, be it through sudo.
fn ids() -> Finding {
    let caller = std::env::var("SUDO_UID")
        .ok()
        .and_then(|uid| uid.parse().ok());
    let uid = match (effective_uid(), caller) {
        (0, None) => return Finding::new("rootless-ids", Level::Unknown),
        (0, Some(caller)) => caller,
        (own, _) => own,
    };
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let passwd = read("/etc/passwd");
    let name = user_name(&passwd, uid);
    let count = |file: &str| -> u64 {
        let ranges = ranges_of(&read(file), name, uid);
        ranges.iter().map(|range| u64::from(range.count)).sum()
    };
    let found = count("/etc/subuid").min(count("/etc/subgid"));
    let level = if found >= ENOUGH {
        Level::Good
    } else {
        Level::Warn
    };
    Finding::new("rootless-ids", level)
        .with("user", name.map_or_else(|| uid.to_string(), str::to_owned))
        .with("count", found)
}

fn network() -> Finding {
    let Ok((helper, _)) = Helper::find() else {
        return Finding::new("rootless-network", Level::Warn).with("missing", "pasta");
    };
    // Everybody opens it where udev has been.
    let tun = fs::metadata("/dev/net/tun").map(|file| file.permissions().mode() & 0o006);
    match tun {
        Ok(0o006) => {
            Finding::new("rootless-network", Level::Good).with("program", helper.program())
        }
        _ => Finding::new("rootless-network", Level::Warn).with("missing", "/dev/net/tun"),
    }
}

fn groups() -> Finding {
    let layout = Layout::detect().unwrap_or_default();
    let unified = layout
        .hierarchies()
        .iter()
        .all(|hierarchy| hierarchy.version == Version::V2);
    let level = if unified { Level::Good } else { Level::Warn };
    Finding::new("rootless-cgroup", level)
}
