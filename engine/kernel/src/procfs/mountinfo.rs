//! `/proc/PID/mountinfo`; see proc_pid_mountinfo(5) and mount_namespaces(7).

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountInfo {
    /// Its id.
    pub id: u64,
    /// The id of the mount it is mounted on.
    pub parent: u64,
    /// `major:minor` of the file system.
    pub device: String,
    /// The directory of the file system that is mounted.
    pub root: Vec<u8>,
    /// Where, relative to the process's root.
    pub mount_point: Vec<u8>,
    /// Options of this mount.
    pub options: Vec<u8>,
    /// `shared:N`: the peer group it belongs to.
    pub peer_group: Option<u64>,
    /// `master:N`: the peer group it receives from.
    pub master: Option<u64>,
    /// `unbindable`.
    pub unbindable: bool,
    /// File system type.
    pub fs_type: Vec<u8>,
    /// What was mounted.
    pub source: Vec<u8>,
    /// Options of the file system.
    pub super_options: Vec<u8>,
}

/// Parses `mountinfo`: one mount per line, in the kernel's order.
pub fn parse(text: &[u8]) -> Option<Vec<MountInfo>> {
    text.split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(line)
        .collect()
}

fn line(line: &[u8]) -> Option<MountInfo> {
    let mut words = line.split(|b| *b == b' ');
    let mut mount = MountInfo {
        id: number(words.next()?)?,
        parent: number(words.next()?)?,
        device: String::from_utf8(words.next()?.to_vec()).ok()?,
        root: unescape(words.next()?),
        mount_point: unescape(words.next()?),
        options: words.next()?.to_vec(),
        peer_group: None,
        master: None,
        unbindable: false,
        fs_type: Vec::new(),
        source: Vec::new(),
        super_options: Vec::new(),
    };
    // Zero or more optional fields, ended by a hyphen.
    loop {
        match words.next()? {
            b"-" => break,
            b"unbindable" => mount.unbindable = true,
            word => {
                if let Some(group) = word.strip_prefix(b"shared:") {
                    mount.peer_group = number(group);
                } else if let Some(group) = word.strip_prefix(b"master:") {
                    mount.master = number(group);
                }
            }
        }
    }
    mount.fs_type = unescape(words.next()?);
    mount.source = unescape(words.next()?);
    mount.super_options = words.next().unwrap_or_default().to_vec();
    Some(mount)
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_and_escapes_are_read() {
        let text = b"36 35 98:0 /mnt1 /mnt\\0402/x rw,noatime master:1 shared:7 propagate_from:2 - ext3 /dev/root rw,errors=continue\n41 36 0:52 / /proc rw,nosuid - proc proc rw\n50 36 0:60 / /u rw unbindable - tmpfs none\n";
        let mounts = parse(text).unwrap();
        assert_eq!(mounts[0].mount_point, b"/mnt 2/x");
        assert_eq!((mounts[0].peer_group, mounts[0].master), (Some(7), Some(1)));
        assert_eq!(mounts[0].root, b"/mnt1");
        assert_eq!(mounts[1].fs_type, b"proc");
        assert_eq!((mounts[1].peer_group, mounts[1].unbindable), (None, false));
        assert!(mounts[2].unbindable);
    }

    #[test]
    fn a_mount_point_cannot_forge_another_field() {
        let text = b"36 35 98:0 / /a\\040-\\040proc\\040x\\012 rw shared:1 - tmpfs none rw\n";
        let mounts = parse(text).unwrap();
        assert_eq!(mounts[0].mount_point, b"/a - proc x\n");
        assert_eq!(mounts[0].fs_type, b"tmpfs");
    }

    #[test]
    fn a_truncated_line_is_refused() {
        assert_eq!(parse(b"36 35 98:0 / /a rw shared:1\n"), None);
    }
}
