//! The machine's own disk: an ext4 file system in a sparse file, so that a full disk is its own.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernel::error::SysError;
use kernel::fs::Access;
use kernel::loop_device;
use kernel::mount::{self, Attributes, Change, Depth, Propagation};

/// Why there is no disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    /// A file of ours cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `mkfs.ext4` is missing or failed.
    #[error("mkfs.ext4 made no file system in {path}: {why}")]
    Format {
        /// Where.
        path: PathBuf,
        /// What it said.
        why: String,
    },
    /// The host itself would be full soon.
    #[error("only {free} MiB are left where the machines' disks are; {needed} MiB must stay free")]
    NoSpace {
        /// MiB that are left.
        free: u64,
        /// MiB that must stay.
        needed: u64,
    },
    /// The kernel refused.
    #[error("cannot mount {path}")]
    Mount {
        /// What.
        path: PathBuf,
        /// Why.
        source: SysError,
    },
}

/// Disks are sparse files that may grow: no machine is started when the host has less than this.
const RESERVE: u64 = 512 << 20;

/// Refuses to go on when the host's own file system is nearly full.
pub(super) fn guard(machines: &Path) -> Result<(), DiskError> {
    let free = kernel::fs::free_bytes(machines).map_err(|source| DiskError::Mount {
        path: machines.to_owned(),
        source,
    })?;
    if free >= RESERVE {
        return Ok(());
    }
    Err(DiskError::NoSpace {
        free: free >> 20,
        needed: RESERVE >> 20,
    })
}

/// Makes the disk of a machine if there is none, from a template made once for each size.
pub(super) fn ensure(disk: &Path, machines: &Path, bytes: u64) -> Result<(), DiskError> {
    if disk.exists() {
        return Ok(());
    }
    let template = machines.join(format!("template-{bytes}.img"));
    if !template.exists() {
        make_template(&template, bytes)?;
    }
    let unfinished = disk.with_extension("new");
    copy_sparse(&template, &unfinished).map_err(|e| failed(&unfinished, e))?;
    fs::rename(&unfinished, disk).map_err(|e| failed(disk, e))
}

/// Mounts the disk nowhere: the descriptor is attached by the stage. The loop device and the mount
/// end with the stage's mount namespace.
pub(super) fn mount(disk: &Path, user: BorrowedFd<'_>) -> Result<OwnedFd, DiskError> {
    let fail = |source| DiskError::Mount {
        path: disk.to_owned(),
        source,
    };
    let file = kernel::fs::open(disk, Access::ReadWrite).map_err(fail)?;
    let device = loop_device::attach(file.as_fd()).map_err(fail)?;
    let source = device.path.to_str().expect("a device's path is plain");
    let source = CString::new(source).expect("a device's path has no NUL");
    let options = [
        (c"source", source.as_c_str()),
        // Freed blocks become holes again; inode tables are not written before they are used.
        (c"discard", c""),
        (c"noinit_itable", c""),
    ];
    let mount = mount::detached(c"ext4", &options, Attributes::NO_DEV).map_err(fail)?;
    let change = Change {
        propagation: Some(Propagation::Private),
        id_map: Some(user),
        ..Change::NOTHING
    };
    mount::change_detached(mount.as_fd(), Depth::One, change).map_err(fail)?;
    Ok(mount)
}

fn make_template(template: &Path, bytes: u64) -> Result<(), DiskError> {
    let unfinished = template.with_extension("new");
    let file = File::create(&unfinished).map_err(|e| failed(&unfinished, e))?;
    file.set_len(bytes).map_err(|e| failed(&unfinished, e))?;
    let options = "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0,nodiscard";
    let output = Command::new("mkfs.ext4")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .args(["-q", "-F", "-m", "0", "-J", "size=16", "-E", options])
        .arg(&unfinished)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| DiskError::Format {
            path: unfinished.clone(),
            why: format!("{e}; it is in the Debian package e2fsprogs"),
        })?;
    if !output.status.success() {
        return Err(DiskError::Format {
            path: unfinished,
            why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    fs::rename(&unfinished, template).map_err(|e| failed(template, e))
}

/// Copies what was written of a file; holes stay holes.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let end = source.metadata()?.len();
    let mut target = File::create(to)?;
    target.set_len(end)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while let Some((start, stop)) = kernel::fs::next_data(source.as_fd(), at)? {
        let mut position = start;
        target.seek(SeekFrom::Start(start))?;
        while position < stop {
            let wanted =
                usize::try_from(stop - position).map_or(buffer.len(), |n| n.min(buffer.len()));
            source.read_exact_at(&mut buffer[..wanted], position)?;
            target.write_all(&buffer[..wanted])?;
            position += wanted as u64;
        }
        at = stop;
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> DiskError {
    DiskError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_has_the_same_bytes_and_stays_sparse() {
        let folder = crate::test_folder("disk");
        let (from, to) = (folder.join("from"), folder.join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"in the middle", 32 << 20).unwrap();
        copy_sparse(&from, &to).unwrap();
        assert_eq!(fs::read(&from).unwrap(), fs::read(&to).unwrap());
        assert!(fs::metadata(&to).unwrap().blocks() * 512 < 4 << 20);
    }
}
