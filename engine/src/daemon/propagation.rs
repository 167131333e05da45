//! How mounts that are made later travel between a bind and its source, and whether the machine lets them.

use std::path::{Path, PathBuf};

use kernel::procfs::mountinfo::{self, MountInfo};

use crate::api::types::{BindOptions, HostConfig, MountPoint};
use crate::runtime::mounts::{Propagation, Reach, Way};
use crate::runtime::request::Manner;

use super::{Daemon, DaemonError};

/// The words of a bind, the longer ones for the mounts below it too; see mount(8).
pub(super) const WORDS: [&str; 6] = [
    "rprivate", "private", "rshared", "shared", "rslave", "slave",
];

impl Daemon {
    /// What a bind has to do with the mounts of its source; an error where they are not shared as they would have to be.
    pub(super) fn manner(
        &self,
        host: &HostConfig,
        mount: &MountPoint,
    ) -> Result<Manner, DaemonError> {
        let asked = host.mounts.iter().flatten();
        let options = asked
            .filter(|wanted| wanted.target == mount.destination)
            .find_map(|wanted| wanted.bind_options.clone())
            .unwrap_or_default();
        let BindOptions {
            non_recursive,
            read_only_non_recursive,
            read_only_force_recursive,
            ..
        } = options;
        if !mount.rw && read_only_non_recursive && read_only_force_recursive {
            return Err(DaemonError::Refused(
                "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive".into(),
            ));
        }
        Ok(Manner {
            propagation: self.propagation(host, mount)?,
            reach: reach(non_recursive),
            read_only: reach(read_only_non_recursive),
        })
    }

    fn propagation(
        &self,
        host: &HostConfig,
        mount: &MountPoint,
    ) -> Result<Option<Propagation>, DaemonError> {
        let Some(wanted) = parse(&mount.propagation) else {
            return Ok(None);
        };
        let needs = match wanted.way {
            Way::Private | Way::Unbindable => return Ok(Some(wanted)),
            way => way,
        };
        let source = Path::new(&mount.source);
        let Err(refusal) = self.check_shared(source, needs) else {
            return Ok(Some(wanted));
        };
        // Nobody asked for what a bind of the data root gets.
        let asked =
            host.mounts.iter().flatten().any(|wanted| {
                wanted.target == mount.destination && says(wanted.bind_options.as_ref())
            }) || mount.mode.split(',').any(|word| WORDS.contains(&word));
        if needs == Way::Slave && !asked && self.holds_data(source) {
            return Ok(None);
        }
        Err(refusal)
    }

    /// Whether the data root lies below a path of the machine, or the other way round.
    pub(super) fn holds_data(&self, source: &Path) -> bool {
        let root = &self.config.data_root;
        self.stage == crate::stage::Stage::Host
            && (root.starts_with(source) || source.starts_with(root))
    }

    fn check_shared(&self, source: &Path, needs: Way) -> Result<(), DaemonError> {
        let root = self.machine_root();
        let file = match &self.stage {
            crate::stage::Stage::Host => PathBuf::from("/proc/self/mountinfo"),
            crate::stage::Stage::Inner { pid } => PathBuf::from(format!("/proc/{pid}/mountinfo")),
        };
        let text =
            std::fs::read(&file).map_err(DaemonError::io(format!("read {}", file.display())))?;
        let mounts = mountinfo::parse(&text).unwrap_or_default();
        // Links of the machine count; those that would lead out of its root end at it.
        let real = if root == Path::new("/") {
            source.canonicalize().unwrap_or_else(|_| source.to_owned())
        } else {
            source.to_owned()
        };
        refuse(&mounts, source, &real, needs).map_or(Ok(()), |why| Err(DaemonError::Refused(why)))
    }
}

fn says(options: Option<&BindOptions>) -> bool {
    options.is_some_and(|options| !options.propagation.is_empty())
}

fn reach(only_itself: bool) -> Reach {
    if only_itself { Reach::One } else { Reach::Tree }
}

/// `rshared` and its like; nothing for the empty word.
fn parse(word: &str) -> Option<Propagation> {
    let (name, reach) = match word.strip_prefix('r') {
        Some(name) => (name, Reach::Tree),
        None => (word, Reach::One),
    };
    let way = match name {
        "private" => Way::Private,
        "slave" => Way::Slave,
        "shared" => Way::Shared,
        _ => return None,
    };
    Some(Propagation { way, reach })
}

/// Why the mount that a path lies on cannot share its events.
fn refuse(mounts: &[MountInfo], source: &Path, real: &Path, needs: Way) -> Option<String> {
    use std::os::unix::ffi::OsStrExt;
    let place =
        |mount: &MountInfo| Path::new(std::ffi::OsStr::from_bytes(&mount.mount_point)).to_owned();
    // The last one of the same length covers the others.
    let below = mounts
        .iter()
        .filter(|mount| real.starts_with(place(mount)))
        .max_by_key(|mount| mount.mount_point.len())?;
    let what = match needs {
        Way::Shared if below.peer_group.is_none() => "a shared",
        Way::Slave if below.peer_group.is_none() && below.master.is_none() => "a shared or slave",
        _ => return None,
    };
    Some(format!(
        "path {} is mounted on {} but it is not {what} mount",
        source.display(),
        place(below).display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_below_a_path_decides() {
        let text = b"1 0 8:1 / / rw - ext4 /dev/vda rw\n\
            2 1 0:9 / /mnt rw shared:5 - tmpfs t rw\n\
            3 1 0:9 / /srv rw master:5 - tmpfs t rw\n";
        let mounts = mountinfo::parse(text).unwrap();
        let why = |path: &str, way| refuse(&mounts, Path::new(path), Path::new(path), way);
        assert_eq!(why("/mnt/a", Way::Shared), None);
        assert_eq!(why("/srv", Way::Slave), None);
        assert_eq!(
            why("/srv/x", Way::Shared).unwrap(),
            "path /srv/x is mounted on /srv but it is not a shared mount"
        );
        assert_eq!(
            why("/mnta", Way::Slave).unwrap(),
            "path /mnta is mounted on / but it is not a shared or slave mount"
        );
    }

    #[test]
    fn words_say_how_far() {
        assert_eq!(parse("rslave").unwrap().reach, Reach::Tree);
        assert_eq!(parse("slave").unwrap().reach, Reach::One);
        assert_eq!(parse(""), None);
    }
}
