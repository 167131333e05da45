//! The system call filter of a bundle, compiled.

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext};

use super::BundleError;
use crate::oci::runtime_spec::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator,
};
use crate::runtime::process::Listener;
use crate::runtime::seccomp::{FilterError, export, join, rule};

/// A filter ready to be loaded.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// Programs, joined; `None` for no filter.
    pub(super) programs: Option<Vec<u8>>,
    /// Flags of seccomp(2).
    pub(super) flags: u64,
    /// Who is told of calls with the action "notify".
    pub(super) listener: Option<Listener>,
}

pub(super) fn compile(seccomp: &LinuxSeccomp) -> Result<Compiled, BundleError> {
    let calls = seccomp.syscalls().as_deref().unwrap_or_default();
    let default = action(seccomp.default_action(), seccomp.default_errno_ret())?;
    if default == ScmpAction::Allow && calls.is_empty() {
        return Ok(Compiled::default());
    }
    if default == ScmpAction::Notify {
        return Err(invalid("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY"));
    }
    let notifies = calls
        .iter()
        .any(|call| call.action() == LinuxSeccompAction::ScmpActNotify);
    let path = seccomp
        .listener_path()
        .clone()
        .filter(|p| !p.as_os_str().is_empty());
    let listener = match (notifies, path) {
        (false, _) => None,
        (true, None) => return Err(BundleError::Missing("linux.seccomp.listenerPath")),
        (true, Some(path)) => Some(Listener {
            path,
            metadata: seccomp.listener_metadata().clone().unwrap_or_default(),
            ..Listener::default()
        }),
    };
    let mut filter = filter(
        default,
        seccomp.architectures().as_deref().unwrap_or_default(),
    )?;
    for call in calls {
        let wanted = action(call.action(), call.errno_ret())?;
        if wanted == default {
            continue;
        }
        if notifies && wanted == ScmpAction::Notify && call.names().iter().any(|n| n == "write") {
            // This process writes to tell the supervisor where to listen.
            return Err(invalid("linux.seccomp.syscalls (notify)", "write"));
        }
        let arguments = call.args().as_deref().unwrap_or_default();
        for name in call.names() {
            add(&mut filter, wanted, name, arguments)?;
        }
    }
    let flags = flags(seccomp);
    let flags = match listener {
        Some(_) => flags | kernel::seccomp::LISTENER,
        None => flags & !kernel::seccomp::WAIT_KILLABLE,
    };
    Ok(Compiled {
        programs: Some(join(&[export(&filter)?])),
        flags,
        listener,
    })
}

fn filter(default: ScmpAction, architectures: &[Arch]) -> Result<ScmpFilterContext, BundleError> {
    let failed = FilterError::Export;
    let mut filter = ScmpFilterContext::new(default).map_err(failed)?;
    filter
        .set_ctl_optimize(2)
        .and_then(|filter| filter.set_ctl_nnp(false))
        .map_err(failed)?;
    for wanted in architectures {
        let arch = architecture(*wanted)
            .ok_or_else(|| BundleError::Unsupported(format!("seccomp architecture {wanted}")))?;
        filter.add_arch(arch).map_err(failed)?;
    }
    Ok(filter)
}

/// All comparisons of a rule must hold; several of the same argument are alternatives, for the
/// kernel's instructions compare an argument once.
fn add(
    filter: &mut ScmpFilterContext,
    action: ScmpAction,
    name: &str,
    arguments: &[LinuxSeccompArg],
) -> Result<(), BundleError> {
    let compared = arguments
        .iter()
        .map(compare)
        .collect::<Result<Vec<_>, _>>()?;
    let mut indexes: Vec<_> = arguments.iter().map(LinuxSeccompArg::index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    if indexes.len() < compared.len() {
        for one in &compared {
            rule(filter, action, name, std::slice::from_ref(one))?;
        }
        return Ok(());
    }
    Ok(rule(filter, action, name, &compared)?)
}

fn compare(argument: &LinuxSeccompArg) -> Result<ScmpArgCompare, BundleError> {
    let index = u32::try_from(argument.index())
        .ok()
        .filter(|index| *index < 6);
    let index =
        index.ok_or_else(|| invalid("seccomp argument index", &argument.index().to_string()))?;
    let value = argument.value();
    let (op, value) = match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => (ScmpCompareOp::NotEqual, value),
        LinuxSeccompOperator::ScmpCmpLt => (ScmpCompareOp::Less, value),
        LinuxSeccompOperator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, value),
        LinuxSeccompOperator::ScmpCmpEq => (ScmpCompareOp::Equal, value),
        LinuxSeccompOperator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, value),
        LinuxSeccompOperator::ScmpCmpGt => (ScmpCompareOp::Greater, value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => (
            ScmpCompareOp::MaskedEqual(value),
            argument.value_two().unwrap_or(0),
        ),
    };
    Ok(ScmpArgCompare::new(index, op, value))
}

fn action(of: LinuxSeccompAction, number: Option<u32>) -> Result<ScmpAction, BundleError> {
    let errno = |default: i32| match number {
        None => Ok(default),
        Some(n) => i32::try_from(n)
            .ok()
            .filter(|n| *n < 4096)
            .ok_or_else(|| invalid("errnoRet", &n.to_string())),
    };
    Ok(match of {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            ScmpAction::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => ScmpAction::Errno(errno(1)?),
        LinuxSeccompAction::ScmpActNotify => ScmpAction::Notify,
        LinuxSeccompAction::ScmpActTrace => {
            ScmpAction::Trace(u16::try_from(errno(1)?).unwrap_or(u16::MAX))
        }
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
    })
}

fn flags(seccomp: &LinuxSeccomp) -> u64 {
    let bit = |flag: &LinuxSeccompFilterFlag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => kernel::seccomp::LOG,
        // The program has one thread when the filter is loaded: all its threads get it anyway, and
        // the kernel does not take this flag together with a listener.
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => kernel::seccomp::SPECULATE,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => kernel::seccomp::WAIT_KILLABLE,
    };
    seccomp
        .flags()
        .iter()
        .flatten()
        .map(bit)
        .fold(0, |all, bit| all | bit)
}

fn architecture(of: Arch) -> Option<ScmpArch> {
    Some(match of {
        Arch::ScmpArchNative => ScmpArch::Native,
        Arch::ScmpArchX86 => ScmpArch::X86,
        Arch::ScmpArchX86_64 => ScmpArch::X8664,
        Arch::ScmpArchX32 => ScmpArch::X32,
        Arch::ScmpArchArm => ScmpArch::Arm,
        Arch::ScmpArchAarch64 => ScmpArch::Aarch64,
        Arch::ScmpArchMips => ScmpArch::Mips,
        Arch::ScmpArchMips64 => ScmpArch::Mips64,
        Arch::ScmpArchMips64n32 => ScmpArch::Mips64N32,
        Arch::ScmpArchMipsel => ScmpArch::Mipsel,
        Arch::ScmpArchMipsel64 => ScmpArch::Mipsel64,
        Arch::ScmpArchMipsel64n32 => ScmpArch::Mipsel64N32,
        Arch::ScmpArchPpc => ScmpArch::Ppc,
        Arch::ScmpArchPpc64 => ScmpArch::Ppc64,
        Arch::ScmpArchPpc64le => ScmpArch::Ppc64Le,
        Arch::ScmpArchS390 => ScmpArch::S390,
        Arch::ScmpArchS390x => ScmpArch::S390X,
        Arch::ScmpArchParisc => ScmpArch::Parisc,
        Arch::ScmpArchParisc64 => ScmpArch::Parisc64,
        Arch::ScmpArchRiscv64 => ScmpArch::Riscv64,
        _ => return None,
    })
}

fn invalid(what: &'static str, value: &str) -> BundleError {
    BundleError::Invalid {
        what,
        value: value.to_owned(),
    }
}
