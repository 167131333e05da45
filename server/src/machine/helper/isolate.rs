//! The two children that carry a machine out of the host: one makes its user namespace, the other
//! takes the prepared mounts there and leaves a keeper behind; `machine/stage.rs` draws it.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kernel::fs::Dir;
use kernel::mount::{self, Attributes, Change, Depth, Propagation};
use kernel::namespace::{self, IdMap, Namespaces};
use kernel::process::{self, Child, Dumpable, Forked, Parent, Patience, Program, Resource, Signal};

use super::start::StartError;
use crate::machine::channel::Channel;
use crate::machine::spec::IDS;
use crate::machine::stage::{
    CHANNEL, DISK, EXECUTABLE, FromHelper, FromStage, HANDOVER, STORE, story,
};

/// Detached mounts for the machine.
pub(super) struct Parts {
    pub(super) disk: OwnedFd,
    pub(super) store: OwnedFd,
    pub(super) executable: OwnedFd,
}

/// What the second child works with.
pub(super) struct Stage<'a> {
    pub(super) user: BorrowedFd<'a>,
    pub(super) parts: &'a Parts,
    pub(super) open_files: u64,
    pub(super) executable: BorrowedFd<'a>,
    pub(super) log: &'a File,
}

/// A process that is killed and collected unless it is kept.
pub(super) struct Guarded(Option<Child>);

impl Guarded {
    fn new(child: Child) -> Self {
        Self(Some(child))
    }

    fn child(&self) -> &Child {
        self.0
            .as_ref()
            .expect("only `keep` takes it, and ends this value")
    }

    pub(super) fn pid(&self) -> i32 {
        self.child().pid
    }

    /// Lets it live.
    pub(super) fn keep(mut self) -> Child {
        self.0
            .take()
            .expect("only `keep` takes it, and ends this value")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            // It may have ended by itself.
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), Signal::KILL);
            let _ = process::wait(child.pidfd.as_fd(), Patience::Wait);
        }
    }
}

/// Makes the machine's user namespace: `base` and the ids after it become 0 and the ids after it.
///
/// The kernel charges what a namespace uses to the user who made it, so that is not the host's root.
pub(super) fn user_namespace(base: u32) -> Result<OwnedFd, StartError> {
    let (ours, child) = child(|channel| {
        process::become_user(base, base)?;
        process::set_dumpable(Dumpable::Yes)?;
        process::set_parent_death_signal(Signal::KILL)?;
        namespace::unshare(Namespaces::USER)?;
        channel.send(&FromStage::Isolated)?;
        go(channel)
    })?;
    let FromStage::Isolated = answer(&ours)? else {
        return Err(out_of_order());
    };
    let map = IdMap {
        inside: 0,
        outside: base,
        count: IDS,
    };
    namespace::write_id_maps(child.pid(), &[map])?;
    let user = namespace::open(child.pid(), "user")?;
    ours.send(&FromHelper::Go)?;
    process::wait(child.keep().pidfd.as_fd(), Patience::Wait)?;
    Ok(user)
}

/// Makes the other namespaces with a keeper in them; `place` puts the number it is given into the
/// machine's control group, where the cgroup namespace will begin.
pub(super) fn keeper(
    stage: &Stage<'_>,
    place: impl FnOnce(i32) -> Result<(), StartError>,
) -> Result<(Channel, Guarded), StartError> {
    let (ours, child) = child(|channel| carry(stage, channel))?;
    place(child.pid())?;
    ours.send(&FromHelper::Go)?;
    let (message, mut descriptors) = ours.receive_any()?;
    let (FromStage::Keeper { pid }, Some(pidfd)) = (checked(message)?, descriptors.pop()) else {
        return Err(out_of_order());
    };
    process::wait(child.keep().pidfd.as_fd(), Patience::Wait)?;
    Ok((ours, Guarded::new(Child { pid, pidfd })))
}

/// Runs `work` in a child that speaks over a channel, and says there why it failed.
fn child(
    work: impl FnOnce(&Channel) -> Result<(), StartError>,
) -> Result<(Channel, Guarded), StartError> {
    let (ours, theirs) = Channel::pair()?;
    match process::fork(Namespaces::NONE, Parent::Caller)? {
        Forked::Parent(child) => Ok((ours, Guarded::new(child))),
        Forked::Child => {
            drop(ours);
            if let Err(error) = work(&theirs) {
                let why = story(&error);
                let _ = theirs.send(&FromStage::Failed { why });
            }
            process::exit(0)
        }
    }
}

fn carry(stage: &Stage<'_>, channel: &Channel) -> Result<(), StartError> {
    process::set_rlimit(Resource::OpenFiles, stage.open_files, stage.open_files)?;
    process::set_rlimit(Resource::Core, 0, 0)?;
    process::join_new_session_keyring()?;
    hand_over(stage.parts)?;
    namespace::setns(stage.user, Namespaces::USER)?;
    process::become_user(0, 0)?;
    process::set_parent_death_signal(Signal::KILL)?;
    go(channel)?;
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
        Forked::Child => become_keeper(stage, channel),
    }
}

/// Attaches the parts in a mount namespace that is still the host's root's. The keeper's namespace
/// is a copy of it for another user namespace, in which the kernel locks every flag.
fn hand_over(parts: &Parts) -> Result<(), StartError> {
    namespace::unshare(Namespaces::MOUNT)?;
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::Tree, private)?;
    let options = [(c"mode", c"755"), (c"size", c"64k")];
    let place = mount::detached(c"tmpfs", &options, Attributes::NO_DEV | Attributes::NO_SUID)?;
    attach(&place, HANDOVER)?;
    for (mount, name) in [(&parts.disk, DISK), (&parts.store, STORE)] {
        let path = format!("{HANDOVER}/{name}");
        fs::create_dir(&path).map_err(|source| failed(&path, source))?;
        attach(mount, &path)?;
    }
    let path = format!("{HANDOVER}/{EXECUTABLE}");
    File::create(&path).map_err(|source| failed(&path, source))?;
    attach(&parts.executable, &path)
}

fn attach(mount: &OwnedFd, path: &str) -> Result<(), StartError> {
    let path = CString::new(path).expect("our own words have no NUL");
    Ok(mount::attach(mount.as_fd(), Dir::Here, &path)?)
}

fn become_keeper(stage: &Stage<'_>, channel: &Channel) -> Result<(), StartError> {
    process::setsid()?;
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|source| failed("/dev/null", source))?;
    let plan = [
        (null.as_raw_fd(), 0),
        (stage.log.as_raw_fd(), 1),
        (stage.log.as_raw_fd(), 2),
        (channel.as_fd().as_raw_fd(), CHANNEL),
    ];
    let error = process::execute_with(
        Program::Open(stage.executable),
        &[c"quai".into(), c"keeper".into()],
        &[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()],
        &plan,
    );
    Err(error.into())
}

fn go(channel: &Channel) -> Result<(), StartError> {
    match channel.receive()? {
        FromHelper::Go => Ok(()),
        FromHelper::Build(_) => Err(out_of_order()),
    }
}

/// The next message of the stage; a failure it reports is an error.
pub(super) fn answer(channel: &Channel) -> Result<FromStage, StartError> {
    checked(channel.receive()?)
}

fn checked(message: FromStage) -> Result<FromStage, StartError> {
    match message {
        FromStage::Failed { why } => Err(StartError::Failed(why)),
        other => Ok(other),
    }
}

/// The stage said something else than the conversation foresees.
pub(super) fn out_of_order() -> StartError {
    StartError::Failed("the stage spoke out of order".into())
}

fn failed(path: impl AsRef<Path>, source: std::io::Error) -> StartError {
    StartError::File {
        path: path.as_ref().to_owned(),
        source,
    }
}
