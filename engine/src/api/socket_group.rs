//! The group of the engine's socket files: its members may use the engine without being root.

use std::io;
use std::path::Path;

/// The group that dockerd gives its socket when nobody chose one.
const USUAL: &str = "docker";

/// Gives a socket file to a group, by name or number; without a choice to `docker`, where there is one.
pub(super) fn give(socket: &Path, chosen: Option<&str>) -> io::Result<()> {
    let name = chosen.unwrap_or(USUAL);
    if name.is_empty() {
        return Ok(());
    }
    // The file, not the C library: our executable is static and asks no name service.
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    match (number(&groups, name), chosen) {
        (Some(gid), _) => std::os::unix::fs::chown(socket, None, Some(gid)),
        (None, None) => Ok(()),
        (None, Some(name)) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("group {name} not found"),
        )),
    }
}

fn number(groups: &str, name: &str) -> Option<u32> {
    let listed = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        found.then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    listed.or_else(|| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_and_a_number() {
        let groups = "root:x:0:\ndocker:x:998:ada,bob\n";
        assert_eq!(number(groups, "docker"), Some(998));
        assert_eq!(number(groups, "1234"), Some(1234));
        assert_eq!(number(groups, "nosuch"), None);
    }
}
