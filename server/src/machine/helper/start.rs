//! Starting a machine: what needs the host's root, up to the moment when the keeper takes over.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use engine::image::{Image, ImageError};
use engine::store::{Store, StoreError};
use kernel::error::SysError;
use kernel::fs::{Access, Dir};
use kernel::mount::{self, Attributes, Change, Depth, Propagation};
use kernel::process::Child;

use super::disk::{self, DiskError};
use super::groups::Groups;
use super::isolate::{self, Parts, Stage};
use super::owner::Owner;
use super::ranges::RangeError;
use super::record::RecordError;
use super::uplinks::{self, UplinkError};
use super::verbs::Start;
use crate::machine::channel::ChannelError;
use crate::machine::data::DataDir;
use crate::machine::spec::Network;
use crate::machine::stage::{Build, FromHelper, FromStage};

/// Why a machine was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the machine has no disk")]
    Disk(#[from] DiskError),
    #[error("the catalogue of images cannot be opened")]
    Store(#[from] StoreError),
    #[error("the image {name} is not in the catalogue")]
    Image { name: String, source: ImageError },
    #[error("the control groups cannot be set up")]
    Groups(#[source] SysError),
    #[error("the outer stage cannot be made")]
    Stage(#[from] SysError),
    #[error("the outer stage does not answer")]
    Channel(#[from] ChannelError),
    #[error("the machine could not be built: {0}")]
    Failed(String),
    #[error("the machine has no way out")]
    Uplink(#[from] UplinkError),
}

/// A machine that runs.
pub(super) struct Started {
    pub(super) keeper: Child,
}

/// Starts a machine whose folder and range exist and whose former self is gone.
pub(super) fn start(
    data: &DataDir,
    wish: &Start,
    base: u32,
    owner: Owner,
) -> Result<Started, StartError> {
    let lowers = lowers(data, &wish.image)?;
    let folder = data.machine(&wish.id);
    let image = folder.join("disk.img");
    disk::guard(&data.machines())?;
    disk::ensure(&image, &data.machines(), wish.limits.disk)?;
    let groups = Groups::of(data, &wish.id).map_err(StartError::Groups)?;
    groups.create(&wish.limits).map_err(StartError::Groups)?;
    let listener = listen(&data.socket(&wish.id), owner)?;

    let executable = kernel::fs::open(&data.executable(), Access::Path)?;
    let log = log(&folder.join("keeper.log"))?;
    let user = isolate::user_namespace(base)?;
    let parts = Parts {
        disk: disk::mount(&image, user.as_fd())?,
        store: shared(&data.store(), Some(user.as_fd()))?,
        executable: shared(&data.executable(), None)?,
    };
    let (ours, keeper) = isolate::keeper(
        &Stage {
            user: user.as_fd(),
            parts: &parts,
            open_files: wish.limits.open_files,
            executable: executable.as_fd(),
            log: &log,
        },
        |pid| groups.machine.add(pid).map_err(StartError::Groups),
    )?;
    groups
        .divide(keeper.pid(), base, &wish.limits)
        .map_err(StartError::Groups)?;
    let uplink = match wish.network {
        Network::Closed => None,
        Network::Open => Some(uplinks::connect(keeper.pid(), base)?),
    };
    let build = FromHelper::Build(Build {
        id: wish.id.clone(),
        lowers,
        limits: wish.limits,
        uplink,
        cable: wish.cable.clone(),
    });
    ours.send_with(&build, &[listener.as_fd()])?;
    match isolate::answer(&ours)? {
        FromStage::Ready => Ok(Started {
            keeper: keeper.keep(),
        }),
        _ => Err(isolate::out_of_order()),
    }
}

/// The layers of an image, the highest first, relative to the store.
fn lowers(data: &DataDir, name: &str) -> Result<Vec<PathBuf>, StartError> {
    let store = Store::open_existing(&data.store())?;
    let fail = |source| StartError::Image {
        name: name.to_owned(),
        source,
    };
    let image = Image::find(&store, name).map_err(fail)?;
    let lowers = image.lowers(&store).map_err(fail)?;
    let relative = |path: PathBuf| {
        path.strip_prefix(store.dir())
            .map(Path::to_owned)
            .unwrap_or(path)
    };
    Ok(lowers.into_iter().map(relative).collect())
}

/// A read-only copy of a mount of the host's, for a stage; `user` lets its root own the files.
fn shared(path: &Path, user: Option<BorrowedFd<'_>>) -> Result<OwnedFd, StartError> {
    use std::os::unix::ffi::OsStrExt;
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path of ours has no NUL");
    let mount = mount::clone_tree(Dir::Here, &name, Depth::One)?;
    let change = Change {
        set: Attributes::READ_ONLY | Attributes::NO_DEV | Attributes::NO_SUID,
        propagation: Some(Propagation::Private),
        id_map: user,
        ..Change::NOTHING
    };
    mount::change_detached(mount.as_fd(), Depth::One, change)?;
    Ok(mount)
}

fn listen(path: &Path, owner: Owner) -> Result<UnixListener, StartError> {
    let fail = |source| StartError::File {
        path: path.to_owned(),
        source,
    };
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
    std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).map_err(fail)?;
    Ok(listener)
}

fn log(path: &Path) -> Result<File, StartError> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(path)
        .map_err(|source| StartError::File {
            path: path.to_owned(),
            source,
        })
}
