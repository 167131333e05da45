//! The dance at the start of `quai local`: the helper keeps root, this process does not.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernel::error::SysError;
use kernel::process;

use super::owner::Owner;
use crate::machine::data::DataDir;

/// The web process's end of the helper's socket.
#[derive(Debug)]
pub(crate) struct HelperSocket(pub(super) UnixStream);

/// Why there is no helper.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// A folder of the data.
    #[error("cannot prepare {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The helper could not be executed.
    #[error("cannot start the helper")]
    Execute(#[source] io::Error),
    /// This process stayed root.
    #[error("cannot become an ordinary user")]
    Drop(#[source] SysError),
}

/// Starts `quai helper` as root, then becomes the ordinary user, who owns `DATA/web` from now on.
///
/// Call it before any thread exists: the change of user is this thread's alone.
pub(crate) fn spawn_and_drop(data: &Path) -> Result<HelperSocket, SpawnError> {
    let owner = Owner::choose();
    let data = prepare(data, owner)?;
    let (ours, theirs) = UnixStream::pair().map_err(SpawnError::Execute)?;
    Command::new("/proc/self/exe")
        .arg("helper")
        .arg(data.path())
        .arg(owner.uid.to_string())
        .arg(owner.gid.to_string())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .map_err(SpawnError::Execute)?;
    process::become_user(owner.uid, owner.gid).map_err(SpawnError::Drop)?;
    // No setuid program is a way back to root for who takes this process over.
    process::set_no_new_privileges().map_err(SpawnError::Drop)?;
    Ok(HelperSocket(ours))
}

/// Makes the folders of DATA, each with its owner.
pub(super) fn prepare(data: &Path, owner: Owner) -> Result<DataDir, SpawnError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| SpawnError::Folder { path, source }
    };
    fs::create_dir_all(data).map_err(fail(data))?;
    let data = DataDir::new(data.canonicalize().map_err(fail(data))?);
    let folders = [
        (data.path().to_owned(), 0o755),
        (data.machines(), 0o700),
        (data.ranges(), 0o700),
        (data.run(), 0o755),
        (data.store(), 0o755),
        (data.web(), 0o700),
        (data.path().join("bin"), 0o755),
    ];
    for (folder, mode) in folders {
        fs::create_dir_all(&folder).map_err(fail(&folder))?;
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&folder, mode).map_err(fail(&folder))?;
    }
    give(&data.web(), owner).map_err(fail(&data.web()))?;
    let executable = data.executable();
    install(&executable).map_err(fail(&executable))?;
    Ok(data)
}

/// Makes a folder and all files in it belong to the ordinary user.
fn give(folder: &Path, owner: Owner) -> io::Result<()> {
    let (uid, gid) = (Some(owner.uid), Some(owner.gid));
    std::os::unix::fs::lchown(folder, uid, gid)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give(&entry.path(), owner)?;
        } else {
            std::os::unix::fs::lchown(entry.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Copies the running executable into DATA, unless this very version is there.
fn install(to: &Path) -> io::Result<()> {
    let ours = fs::metadata("/proc/self/exe")?;
    let same = |there: &fs::Metadata| {
        there.len() == ours.len() && there.modified().ok() == ours.modified().ok()
    };
    if fs::metadata(to).is_ok_and(|there| same(&there)) {
        return Ok(());
    }
    let unfinished = to.with_extension("new");
    fs::copy("/proc/self/exe", &unfinished)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    let file = fs::File::options().write(true).open(&unfinished)?;
    file.set_modified(ours.modified()?)?;
    drop(file);
    fs::rename(&unfinished, to)
}
