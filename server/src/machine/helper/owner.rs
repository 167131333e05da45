//! The ordinary user that the web process becomes.

use std::fs;

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Where nobody asked for another user and none is named `quai`.
const FALLBACK: Owner = Owner {
    uid: 61_613,
    gid: 61_613,
};

impl Owner {
    /// Who called `sudo`, else the user `quai`, else a number that no account has.
    pub(crate) fn choose() -> Self {
        let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let sudo = number("SUDO_UID").zip(number("SUDO_GID"));
        // `sudo` run by root itself would give root.
        if let Some((uid, gid)) = sudo.filter(|(uid, _)| *uid != 0) {
            return Self { uid, gid };
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        named(&accounts, "quai").unwrap_or(FALLBACK)
    }
}

/// The ids of an account in passwd(5).
fn named(accounts: &str, name: &str) -> Option<Owner> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Owner { uid, gid }).filter(|owner| owner.uid != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\nquais:x:7:7::/:/bin/sh\nquai:x:990:980::/:/bin/sh\n";
        let found = named(accounts, "quai");
        assert_eq!(found, Some(Owner { uid: 990, gid: 980 }));
        assert_eq!(named(accounts, "root"), None);
    }
}
