//! Users and groups as the container's own `/etc/passwd` and `/etc/group` name them.
//!
//! No library of the host or of the image is asked: the files are opened by descriptor below the
//! container's root, are read up to a limit, and are hostile input.

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use kernel::fs::{Access, open_in_root};

use super::handshake::{Refusal, RefusalKind};

/// Who a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// User.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// Home directory.
    pub(crate) home: String,
}

/// More than this of a file is not read.
const LIMIT: u64 = 1 << 20;

/// Finds `user[:group]` and extra groups in the files below `root`.
pub(crate) fn resolve(
    root: BorrowedFd<'_>,
    user: &str,
    extra: &[String],
) -> Result<Identity, Refusal> {
    let passwd = read(root, "/etc/passwd");
    let group = read(root, "/etc/group");
    find(user, extra, &passwd, &group).map_err(|message| Refusal {
        message,
        code: 126,
        kind: RefusalKind::Invalid,
    })
}

/// A file that is missing, or no plain file, names nobody.
fn read(root: BorrowedFd<'_>, path: &str) -> String {
    let Ok(fd) = open_in_root(root, Path::new(path), Access::Read) else {
        return String::new();
    };
    let file = std::fs::File::from(fd);
    if !file.metadata().is_ok_and(|m| m.is_file()) {
        return String::new();
    }
    let mut bytes = Vec::new();
    let _ = file.take(LIMIT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn find(user: &str, extra: &[String], passwd: &str, group: &str) -> Result<Identity, String> {
    let (name, wanted_group) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group).filter(|g| !g.is_empty())),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let number = id(name);
    let entry = passwd
        .lines()
        .filter_map(Account::parse)
        .find(|account| account.name == name || Some(account.uid) == number);
    let mut identity = match (&entry, number) {
        (Some(account), _) => Identity {
            uid: account.uid,
            gid: account.gid,
            groups: Vec::new(),
            home: account.home.to_owned(),
        },
        (None, Some(uid)) => Identity {
            uid,
            home: "/".to_owned(),
            ..Identity::default()
        },
        (None, None) => {
            return Err(format!(
                "unable to find user {name}: no matching entries in passwd file"
            ));
        }
    };
    match wanted_group {
        Some(wanted) => identity.gid = group_id(wanted, group)?,
        // Only without an explicit group is the user's membership in others taken from the file.
        None => {
            let account = entry.as_ref().map(|account| account.name);
            let member = |line: &&str| {
                let members = line.split(':').nth(3).unwrap_or_default();
                account.is_some_and(|name| members.split(',').any(|m| m == name))
            };
            let ids = group
                .lines()
                .filter(member)
                .filter_map(|l| id(l.split(':').nth(2)?));
            identity.groups.extend(ids);
        }
    }
    for name in extra {
        identity.groups.push(group_id(name, group)?);
    }
    if !identity.groups.contains(&identity.gid) {
        identity.groups.insert(0, identity.gid);
    }
    Ok(identity)
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Account<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = id(fields.nth(1)?)?;
        let gid = id(fields.next()?)?;
        let home = fields.nth(1).filter(|home| !home.is_empty()).unwrap_or("/");
        Some(Self {
            name,
            uid,
            gid,
            home,
        })
    }
}

fn group_id(wanted: &str, group: &str) -> Result<u32, String> {
    let named = group
        .lines()
        .find(|line| line.split(':').next() == Some(wanted))
        .and_then(|line| id(line.split(':').nth(2)?));
    named
        .or_else(|| id(wanted))
        .ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))
}

/// Ids are below 2^31: the value -1 means "unchanged" to the kernel.
fn id(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        broken\n\
        www:x:33:34:www:/var/www:/bin/false\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\nlogs:x:50:www,other\nmail:x:8:www\n";

    #[track_caller]
    fn check(user: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let expected = Identity {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.into(),
        };
        assert_eq!(find(user, &[], PASSWD, GROUP).unwrap(), expected, "{user}");
    }

    #[test]
    fn names_and_numbers_are_found() {
        check("", 0, 0, &[0], "/root");
        check("root", 0, 0, &[0], "/root");
        check("www", 33, 34, &[34, 50, 8], "/var/www");
        check("33", 33, 34, &[34, 50, 8], "/var/www");
        check("www:mail", 33, 8, &[8], "/var/www");
        check("1000", 1000, 0, &[0], "/");
        check("1000:1001", 1000, 1001, &[1001], "/");
    }

    #[test]
    fn nobody_is_said_as_docker_says_it() {
        let error = find("zoe", &[], PASSWD, GROUP).unwrap_err();
        assert_eq!(
            error,
            "unable to find user zoe: no matching entries in passwd file"
        );
        assert!(find("-1", &[], PASSWD, GROUP).is_err());
        assert!(find("0:nogroup", &[], PASSWD, GROUP).is_err());
    }
}
