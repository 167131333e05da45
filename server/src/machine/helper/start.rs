//! Starting a machine: what needs the host's root, up to the moment when the keeper takes over.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use engine::image::{Image, ImageError};
use engine::store::{Store, StoreError};
use kernel::error::SysError;
use kernel::fs::{Access, Dir};
use kernel::mount::{self, Attributes, Change, Depth, Propagation};
use kernel::namespace::{self, IdMap, Namespaces};
use kernel::process::{self, Child, Dumpable, Forked, Parent, Patience, Resource};

use super::disk::{self, DiskError};
use super::groups::Groups;
use super::owner::Owner;
use super::ranges::RangeError;
use super::record::RecordError;
use super::verbs::Start;
use crate::machine::channel::{Channel, ChannelError};
use crate::machine::data::DataDir;
use crate::machine::spec::{IDS, Limits, Network};
use crate::machine::stage::{Build, CHANNEL, FromHelper, FromStage};

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
    #[error("opening the network of a machine is not supported yet")]
    Network,
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
    if wish.network == Network::Open {
        return Err(StartError::Network);
    }
    let lowers = lowers(data, &wish.image)?;
    let folder = data.machine(&wish.id);
    let image = folder.join("disk.img");
    disk::ensure(&image, &data.machines(), wish.limits.disk)?;
    let groups = Groups::of(data, &wish.id).map_err(StartError::Groups)?;
    groups.create(&wish.limits).map_err(StartError::Groups)?;
    let listener = listen(&data.socket(&wish.id), owner)?;

    let executable = kernel::fs::open(&data.executable(), Access::Path)?;
    let log = log(&folder.join("keeper.log"))?;
    let (ours, theirs) = Channel::pair()?;
    let stage = match process::fork(Namespaces::NONE, Parent::Caller)? {
        Forked::Child => outside(theirs, base, &wish.limits, executable.as_fd(), &log),
        Forked::Parent(child) => child,
    };
    drop(theirs);
    let FromStage::Isolated = answer(&ours)? else {
        return Err(out_of_order());
    };
    let map = IdMap {
        inside: 0,
        outside: base,
        count: IDS,
    };
    namespace::write_id_maps(stage.pid, &[map])?;
    let user = namespace::open(stage.pid, "user")?;
    groups.machine.add(stage.pid).map_err(StartError::Groups)?;
    ours.send(&FromHelper::Mapped)?;
    let (FromStage::Keeper { pid }, pidfd) = answer_with_keeper(&ours)? else {
        return Err(out_of_order());
    };
    process::wait(stage.pidfd.as_fd(), Patience::Wait)?;
    let keeper = Child { pid, pidfd };

    let built = (|| {
        groups
            .divide(pid, base, &wish.limits)
            .map_err(StartError::Groups)?;
        let disk = disk::mount(&image, user.as_fd())?;
        let store = shared(&data.store(), Some(user.as_fd()))?;
        let executable = shared(&data.executable(), None)?;
        let build = FromHelper::Build(Build {
            id: wish.id.clone(),
            lowers,
            limits: wish.limits,
        });
        let descriptors = [
            disk.as_fd(),
            store.as_fd(),
            executable.as_fd(),
            listener.as_fd(),
        ];
        ours.send_with(&build, &descriptors)?;
        match answer(&ours)? {
            FromStage::Ready => Ok(()),
            _ => Err(out_of_order()),
        }
    })();
    if let Err(error) = built {
        // It ends by itself when the channel closes; it must be gone before its groups are removed.
        let _ = process::pidfd_send_signal(keeper.pidfd.as_fd(), process::Signal::KILL);
        let _ = process::wait(keeper.pidfd.as_fd(), Patience::Wait);
        return Err(error);
    }
    Ok(Started { keeper })
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

fn answer(channel: &Channel) -> Result<FromStage, StartError> {
    match channel.receive()? {
        FromStage::Failed { why } => Err(StartError::Failed(why)),
        other => Ok(other),
    }
}

fn answer_with_keeper(channel: &Channel) -> Result<(FromStage, OwnedFd), StartError> {
    match channel.receive_any()? {
        (FromStage::Failed { why }, _) => Err(StartError::Failed(why)),
        (message, mut descriptors) => match descriptors.pop() {
            Some(pidfd) => Ok((message, pidfd)),
            None => Err(out_of_order()),
        },
    }
}

fn out_of_order() -> StartError {
    StartError::Failed("the stage spoke out of order".into())
}

/// The first process of the outer stage, still on the host: takes the machine's ids, makes the user
/// namespace, and leaves a keeper behind.
fn outside(
    channel: Channel,
    base: u32,
    limits: &Limits,
    executable: BorrowedFd<'_>,
    log: &File,
) -> ! {
    let done = isolate(&channel, base, limits, executable, log);
    if let Err(error) = done {
        let why = crate::machine::stage::story(&error);
        let _ = channel.send(&FromStage::Failed { why });
    }
    process::exit(0)
}

fn isolate(
    channel: &Channel,
    base: u32,
    limits: &Limits,
    executable: BorrowedFd<'_>,
    log: &File,
) -> Result<(), StartError> {
    process::set_rlimit(Resource::OpenFiles, limits.open_files, limits.open_files)?;
    process::set_rlimit(Resource::Core, 0, 0)?;
    process::join_new_session_keyring()?;
    // The kernel charges what a namespace uses to the user who made it: not to the host's root.
    process::become_user(base, base)?;
    process::set_dumpable(Dumpable::Yes)?;
    process::set_parent_death_signal(process::Signal::KILL)?;
    namespace::unshare(Namespaces::USER)?;
    channel.send(&FromStage::Isolated)?;
    let FromHelper::Mapped = channel.receive()? else {
        return Err(out_of_order());
    };
    let kinds = Namespaces::PID
        | Namespaces::MOUNT
        | Namespaces::NETWORK
        | Namespaces::CGROUP
        | Namespaces::IPC
        | Namespaces::UTS;
    match process::fork(kinds, Parent::CallersParent)? {
        Forked::Parent(keeper) => {
            let message = FromStage::Keeper { pid: keeper.pid };
            channel.send_with(&message, &[keeper.pidfd.as_fd()])?;
            Ok(())
        }
        Forked::Child => {
            process::become_user(0, 0)?;
            process::setsid()?;
            let null = File::options()
                .read(true)
                .write(true)
                .open("/dev/null")
                .map_err(|source| StartError::File {
                    path: "/dev/null".into(),
                    source,
                })?;
            let plan = [
                (null.as_raw_fd(), 0),
                (log.as_raw_fd(), 1),
                (log.as_raw_fd(), 2),
                (channel.as_fd().as_raw_fd(), CHANNEL),
            ];
            let error = process::execute_with(
                process::Program::Open(executable),
                &[c"quai".into(), c"keeper".into()],
                &[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()],
                &plan,
            );
            Err(error.into())
        }
    }
}
