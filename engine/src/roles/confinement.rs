//! What a process gives up before it becomes the program, and what binds the program from then on.

use std::os::fd::{AsFd, OwnedFd};

use kernel::capability::{self, Set, Sets};
use kernel::child;
use kernel::error::SysError;
use kernel::process::{self, KeepCapabilities};
use kernel::{apparmor, rights, seccomp};

use crate::runtime::process::{CapabilitySets, Keyring, ProcessPlan, Special};
use crate::runtime::user::Identity;

/// Files opened while they can be reached, for what is done when they no longer can.
#[derive(Debug)]
pub(super) struct Confinement {
    /// Names the AppArmor profile of the next program.
    profile: Option<OwnedFd>,
    /// Connected to whoever supervises system calls.
    listener: Option<OwnedFd>,
    /// The number of this process where the shim lives.
    pub(super) pid: Option<u32>,
}

impl Confinement {
    /// Opens what the plan needs.
    pub(super) fn open(
        plan: &ProcessPlan,
        listener: Option<OwnedFd>,
        pid: Option<u32>,
    ) -> Result<Self, SysError> {
        let profile = plan.apparmor.as_ref();
        Ok(Self {
            profile: profile.map(|_| apparmor::next_profile_file()).transpose()?,
            listener,
            pid,
        })
    }
}

/// Gives up everything the program shall not have. Nothing after this may need a privilege.
pub(super) fn give_up(
    plan: &ProcessPlan,
    identity: &Identity,
    confinement: Confinement,
) -> Result<(), SysError> {
    for limit in &plan.rlimits {
        let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        if let Some(resource) = crate::runtime::rlimits::resource(&limit.name) {
            process::set_rlimit(resource, number(limit.soft), number(limit.hard))?;
        }
    }
    if plan.special.keyring == Keyring::New {
        match process::join_new_session_keyring() {
            // A stage's own filter, or its quota of keys, may refuse: then it inherits none of
            // ours either, for the stage had none to give.
            Ok(()) | Err(_) => {}
        }
    }
    process::umask(plan.special.umask.unwrap_or(0o022));
    super::schedule::apply(&plan.special.schedule)?;
    let Confinement {
        profile,
        listener,
        pid,
    } = confinement;
    if let (Some(file), Some(name)) = (profile, &plan.apparmor) {
        apparmor::change_on_exec(file, name)?;
    }
    let sets = sets(plan, identity)?;
    if plan.no_new_privileges {
        process::set_no_new_privileges()?;
    } else {
        // Without no_new_privs the kernel wants SYS_ADMIN, which is about to go.
        load_filters(plan, listener.as_ref(), pid)?;
    }
    capability::limit_bounding(sets.bounding)?;
    process::set_keep_capabilities(KeepCapabilities::Yes)?;
    match process::set_groups(&identity.groups) {
        // In a user namespace of an ordinary user's the call is forbidden, and the list empty or of groups
        // that are not there.
        Err(e)
            if is_denied(&e)
                && (identity.groups.is_empty() || kernel::namespace::has_single_user()) => {}
        other => other?,
    }
    child::set_ids(identity.uid, identity.gid)?;
    process::set_keep_capabilities(KeepCapabilities::No)?;
    capability::assign(&sets)?;
    if plan.no_new_privileges {
        load_filters(plan, listener.as_ref(), pid)?;
    }
    Ok(())
}

fn is_denied(error: &SysError) -> bool {
    error.source.kind() == std::io::ErrorKind::PermissionDenied
}

/// The sets of the program, as far as this process can give them.
fn sets(plan: &ProcessPlan, identity: &Identity) -> Result<Sets, SysError> {
    let all = capability::bounding()?;
    let most = |bits: u64| Set(bits & all.0);
    if let Some(wanted) = &plan.special.capabilities {
        let CapabilitySets {
            bounding,
            effective,
            permitted,
            inheritable,
            ambient,
        } = *wanted;
        return Ok(Sets {
            bounding: most(bounding),
            effective: most(effective & permitted),
            permitted: most(permitted),
            inheritable: most(inheritable),
            ambient: most(ambient),
        });
    }
    let keep = most(plan.capabilities.unwrap_or(u64::MAX));
    let now = if identity.uid == 0 {
        keep
    } else {
        Set::default()
    };
    Ok(Sets {
        bounding: keep,
        effective: now,
        permitted: now,
        ..Sets::default()
    })
}

fn load_filters(
    plan: &ProcessPlan,
    listener: Option<&OwnedFd>,
    pid: Option<u32>,
) -> Result<(), SysError> {
    let Some(text) = &plan.filter else {
        return Ok(());
    };
    use base64::Engine as _;
    let joined = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|e| SysError::io("seccomp", std::io::Error::other(e)))?;
    for program in crate::runtime::seccomp::programs(&joined) {
        let told = seccomp::load_with(program, plan.special.filter_flags)?;
        if let (Some(told), Some(socket)) = (told, listener) {
            introduce(&told, socket, &plan.special, pid)?;
        }
    }
    Ok(())
}

/// Gives the supervisor the descriptor it reads calls from; see the runtime specification,
/// "The Container Process State".
fn introduce(
    told: &OwnedFd,
    socket: &OwnedFd,
    special: &Special,
    pid: Option<u32>,
) -> Result<(), SysError> {
    let Some(listener) = &special.listener else {
        return Ok(());
    };
    let state = serde_json::json!({
        "ociVersion": listener.subject.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": listener.metadata,
        "state": listener.subject.state(
            &listener.status,
            listener.container.or_else(|| pid.and_then(|n| i32::try_from(n).ok())),
        ),
    });
    rights::send(
        socket.as_fd(),
        state.to_string().as_bytes(),
        &[told.as_fd()],
    )
    .map(drop)
}
