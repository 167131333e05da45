//! Processes: making, replacing, waiting, signalling, and what a child inherits.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;
use crate::namespace::Namespaces;

/// A child and the descriptor that names it without the danger of a reused number.
#[derive(Debug)]
pub struct Child {
    /// Its number in the caller's pid namespace.
    pub pid: i32,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
}

/// Which side of a fork we are on.
#[derive(Debug)]
pub enum Forked {
    /// In the new process.
    Child,
    /// In the caller.
    Parent(Child),
}

/// Whose child the new process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The caller's.
    Caller,
    /// The caller's parent's (`CLONE_PARENT`): a sibling, which the parent reaps.
    CallersParent,
}

/// Copies this process into new namespaces; see clone3(2).
///
/// Refuses when the process has several threads: only the caller would exist in the child, and
/// locks held by the others would stay locked for ever.
pub fn fork(kinds: Namespaces, parent: Parent) -> Result<Forked, SysError> {
    fork_in(kinds, parent, None)
}

/// As [`fork`], with the child born in the control group (v2) that `cgroup` is a directory of.
pub fn fork_in(
    kinds: Namespaces,
    parent: Parent,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Forked, SysError> {
    alone()?;
    let mut pidfd: libc::c_int = -1;
    let mut flags = u64::from(kinds.bits().cast_unsigned()) | libc::CLONE_PIDFD as u64;
    let mut exit_signal = libc::SIGCHLD as u64;
    if parent == Parent::CallersParent {
        flags |= libc::CLONE_PARENT as u64;
        // The kernel takes the caller's own exit signal then, and refuses another.
        exit_signal = 0;
    }
    let mut group = 0;
    if let Some(fd) = cgroup {
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        flags |= CLONE_INTO_CGROUP;
        group = u64::from(fd.as_raw_fd().cast_unsigned());
    }
    let args = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group,
    };
    // SAFETY: without CLONE_VM the child gets its own copy of memory and goes on at this very
    // point, as after fork(2); `args` and `pidfd` are live locals; the process has one thread
    // (checked above), so no lock is left held by a thread that does not exist in the child.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    let filtered = ret < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
    let ret = if filtered && cgroup.is_none() {
        // A container's seccomp filter cannot look into clone3's arguments and so refuses the
        // call as if it were unknown; the older clone(2) takes the same flags by value.
        let flags = flags | exit_signal;
        // SAFETY: as above; a null stack means the caller's own, copied.
        unsafe {
            libc::syscall(
                libc::SYS_clone,
                flags,
                0usize,
                &raw mut pidfd,
                0usize,
                0usize,
            )
        }
    } else {
        ret
    };
    SysError::check("clone", ret)?;
    if ret == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the call succeeded with CLONE_PIDFD, so `pidfd` is a new descriptor nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(ret).expect("a pid fits in an int");
    Ok(Forked::Parent(Child { pid, pidfd }))
}

fn alone() -> Result<(), SysError> {
    // Without a readable /proc there is nothing to count; the roles that fork start no thread.
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
        return Ok(());
    };
    if entries.count() > 1 {
        let source = std::io::Error::other("the process has several threads");
        return Err(SysError::io("clone3", source));
    }
    Ok(())
}

/// Ends this process at once, without running anything that was registered for its end.
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) takes its argument by value and does not return.
    unsafe { libc::_exit(code) }
}

/// Replaces this process by the program at `path`; returns only when that failed.
pub fn execve(path: &CStr, argv: &[CString], env: &[CString]) -> SysError {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the path and both arrays, which end with a null pointer, point to C strings borrowed
    // for the whole call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    SysError::last("execve").on(path.to_string_lossy())
}

/// Replaces this process by the program that `file` is open on; returns only when that failed.
pub fn fexecve(file: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> SysError {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the empty path and both arrays, which end with a null pointer, point to C strings
    // borrowed for the whole call; `file` stays open during it.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    SysError::last("execveat")
}

/// A program to execute.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// What a descriptor is open on: nobody can replace it meanwhile.
    Open(BorrowedFd<'a>),
    /// What is at a path.
    At(&'a CStr),
}

/// Replaces this process by `program`, with exactly the descriptors of
/// `plan` (which one, under which number) open; returns only when that failed.
///
/// When it fails, descriptors of this process may have been closed or replaced: say so and exit.
pub fn execute_with(
    program: Program<'_>,
    argv: &[CString],
    env: &[CString],
    plan: &[(RawFd, RawFd)],
) -> SysError {
    // First away from the numbers that will be written to, then into place.
    let above = plan.iter().map(|(_, to)| *to).max().unwrap_or(2) + 1;
    let away = |fd: RawFd| {
        // SAFETY: F_DUPFD_CLOEXEC takes its argument by value.
        let ret = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
        SysError::check("fcntl F_DUPFD_CLOEXEC", ret.into()).map(|()| ret)
    };
    let moved: Result<Vec<_>, _> = plan
        .iter()
        .map(|(from, to)| Ok((away(*from)?, *to)))
        .collect();
    let file = match program {
        Program::Open(file) => away(file.as_raw_fd()).map(Some),
        Program::At(_) => Ok(None),
    };
    let (moved, file) = match (moved, file) {
        (Ok(moved), Ok(file)) => (moved, file),
        (Err(e), _) | (_, Err(e)) => return e,
    };
    if let Err(e) = close_on_exec_from_3() {
        return e;
    }
    for (from, to) in moved {
        // SAFETY: dup2(2) takes its arguments by value. What `to` was open on is closed: this
        // process is about to be replaced, and on failure only reports and exits.
        let ret = unsafe { libc::dup2(from, to) };
        if let Err(e) = SysError::check("dup2", ret.into()) {
            return e;
        }
    }
    match (program, file) {
        // SAFETY: `file` was opened above and is not closed before the exec.
        (_, Some(file)) => fexecve(unsafe { BorrowedFd::borrow_raw(file) }, argv, env),
        (Program::At(path), None) => execve(path, argv, env),
        (Program::Open(_), None) => unreachable!("an open program was moved above"),
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let mut all: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
    all.push(std::ptr::null());
    all
}

/// Opens a descriptor that names a process; see pidfd_open(2).
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, SysError> {
    // SAFETY: pidfd_open(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    SysError::check("pidfd_open", ret).map_err(|e| e.on(pid.to_string()))?;
    let fd = RawFd::try_from(ret).expect("a descriptor fits in an int");
    // SAFETY: the call above succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A signal's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// Ends the process; cannot be caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Asks the process to end.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// A child changed state.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// The terminal went away.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Ctrl-C.
    pub const INT: Self = Self(libc::SIGINT);
    /// Ours to define.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// Ours to define.
    pub const USR2: Self = Self(libc::SIGUSR2);
}

/// Sends a signal to the process that `pidfd` names; see pidfd_send_signal(2).
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), SysError> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the null siginfo is allowed and means "as kill(2) would"; the rest goes by value.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.0,
            none,
            0,
        )
    };
    SysError::check("pidfd_send_signal", ret)
}

/// Sends a signal by number; prefer a pidfd, whose process cannot be replaced by another.
pub fn kill(pid: i32, signal: Signal) -> Result<(), SysError> {
    // SAFETY: kill(2) takes its arguments by value.
    let ret = unsafe { libc::kill(pid, signal.0) };
    SysError::check("kill", ret.into()).map_err(|e| e.on(pid.to_string()))
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl Exit {
    /// The code a shell reports: 128 + the signal's number for a killed process.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal.0,
        }
    }
}

/// Whether to sleep until there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Sleep.
    Wait,
    /// Return at once.
    Poll,
}

/// Reaps the child that `pidfd` names; `None` when it still runs (only with [`Patience::Poll`]).
pub fn wait(pidfd: BorrowedFd<'_>, patience: Patience) -> Result<Option<Exit>, SysError> {
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).expect("an open descriptor is not negative");
    Ok(waitid(libc::P_PIDFD, id, patience)?.map(|(_, exit)| exit))
}

/// Reaps any child; `None` when none has ended or there is no child.
pub fn reap(patience: Patience) -> Result<Option<(i32, Exit)>, SysError> {
    match waitid(libc::P_ALL, 0, patience) {
        Err(e) if e.source.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => other,
    }
}

fn waitid(
    kind: libc::idtype_t,
    id: libc::id_t,
    patience: Patience,
) -> Result<Option<(i32, Exit)>, SysError> {
    let mut options = libc::WEXITED;
    if patience == Patience::Poll {
        options |= libc::WNOHANG;
    }
    loop {
        // SAFETY: all-zero bytes are a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: waitid(2) writes one `siginfo_t` through the pointer to a live local.
        let ret = unsafe { libc::waitid(kind, id, &raw mut info, options) };
        if ret < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
            continue;
        }
        SysError::check("waitid", ret.into())?;
        // SAFETY: waitid filled the SIGCHLD fields, or left the zeroes put there above.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        if pid == 0 {
            return Ok(None);
        }
        let exit = if info.si_code == libc::CLD_EXITED {
            Exit::Code(status)
        } else {
            Exit::Signal(Signal(status))
        };
        return Ok(Some((pid, exit)));
    }
}

/// Whether others of the same user may trace this process and open its `/proc` files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dumpable {
    /// They may.
    Yes,
    /// Only who has SYS_PTRACE in the user namespace the program was executed in.
    No,
}

/// Sets who may look into this process; see PR_SET_DUMPABLE(2const).
pub fn set_dumpable(dumpable: Dumpable) -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_DUMPABLE",
        libc::PR_SET_DUMPABLE,
        u64::from(dumpable == Dumpable::Yes),
    )
}

/// Has the kernel send `signal` to this process when its parent's thread ends.
pub fn set_parent_death_signal(signal: Signal) -> Result<(), SysError> {
    let number = u64::from(signal.0.cast_unsigned());
    prctl("prctl PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG, number)
}

/// No program executed from now on gains privileges by its file; see PR_SET_NO_NEW_PRIVS(2const).
pub fn set_no_new_privileges() -> Result<(), SysError> {
    prctl("prctl PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Orphans among the descendants become children of this process.
pub fn become_subreaper() -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_CHILD_SUBREAPER",
        libc::PR_SET_CHILD_SUBREAPER,
        1,
    )
}

/// The name shown by `ps`, cut at 15 bytes.
pub fn set_name(name: &CStr) -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_NAME",
        libc::PR_SET_NAME,
        name.as_ptr().expose_provenance() as u64,
    )
}

fn prctl(call: &'static str, option: libc::c_int, value: u64) -> Result<(), SysError> {
    // SAFETY: the options used in this file take one number, or (PR_SET_NAME) the address of a C
    // string that the caller borrows; the unused arguments must be zero and are.
    let ret = unsafe { libc::prctl(option, value, 0u64, 0u64, 0u64) };
    SysError::check(call, ret.into())
}

/// Becomes this user and group in all three ids, with no supplementary group.
pub fn become_user(uid: u32, gid: u32) -> Result<(), SysError> {
    // The raw calls change this thread only; glibc's would signal all threads, and the callers
    // have one.
    let none = std::ptr::null::<libc::gid_t>();
    // SAFETY: setgroups(2) with a length of zero reads nothing through the pointer.
    let ret = unsafe { libc::syscall(libc::SYS_setgroups, 0, none) };
    SysError::check("setgroups", ret)?;
    // SAFETY: setresgid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    SysError::check("setresgid", ret).map_err(|e| e.on(gid.to_string()))?;
    // SAFETY: setresuid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    SysError::check("setresuid", ret).map_err(|e| e.on(uid.to_string()))
}

/// Sets the supplementary groups; see setgroups(2).
pub fn set_groups(groups: &[u32]) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live slice of group ids.
    let ret = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    SysError::check("setgroups", ret)
}

/// The effective user id.
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) takes nothing and always succeeds.
    unsafe { libc::geteuid() }
}

/// Leads a new session without a terminal; see setsid(2).
pub fn setsid() -> Result<(), SysError> {
    // SAFETY: setsid(2) takes no argument and touches no memory of ours.
    let ret = unsafe { libc::setsid() };
    SysError::check("setsid", ret.into())
}

/// A new empty session keyring, so that none is shared with whoever started us.
pub fn join_new_session_keyring() -> Result<(), SysError> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring; nothing is read through it.
    let ret = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) };
    SysError::check("keyctl JOIN_SESSION_KEYRING", ret)
}

/// Has an exec close every descriptor from 3 on.
pub fn close_on_exec_from_3() -> Result<(), SysError> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    let (first, last): (libc::c_uint, libc::c_uint) = (3, libc::c_uint::MAX);
    // SAFETY: close_range(2) takes its arguments by value, and with this flag closes nothing now.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) };
    SysError::check("close_range", ret)
}

/// Takes over a descriptor that this program was started with, and has an exec close it.
///
/// The copy is a new descriptor; the inherited number is closed, so that a second call fails.
pub fn inherited(number: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: F_DUPFD_CLOEXEC takes its argument by value.
    let ret = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    SysError::check("fcntl F_DUPFD_CLOEXEC", ret.into()).map_err(|e| e.on(number.to_string()))?;
    if number > 2 {
        // SAFETY: no Rust value owns `number`: callers name what the program inherited, at its
        // beginning, and a second owner cannot come from here.
        unsafe { libc::close(number) };
    }
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

/// A pipe: what is written to the second can be read from the first.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), SysError> {
    let mut ends = [-1; 2];
    // SAFETY: pipe2(2) writes two descriptors into the live array.
    let ret = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    SysError::check("pipe2", ret.into())?;
    // SAFETY: the call succeeded, so both are new descriptors that nobody else owns.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// A limit of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Open descriptors.
    OpenFiles,
    /// Bytes of a core file.
    Core,
    /// Processes of the user.
    Processes,
    /// Bytes of the stack.
    Stack,
    /// Bytes locked in memory.
    LockedMemory,
    /// Bytes of a written file.
    FileSize,
    /// Seconds of processor time.
    CpuTime,
    /// Bytes of address space.
    AddressSpace,
    /// Bytes of the data segment.
    Data,
    /// Pending signals.
    PendingSignals,
    /// Bytes in POSIX message queues.
    MessageQueues,
    /// Ceiling of the nice value.
    Nice,
    /// Ceiling of the real-time priority.
    RealTimePriority,
    /// Microseconds of real-time processor time without a blocking call.
    RealTimeTime,
    /// File locks.
    Locks,
    /// Resident set; has no effect.
    ResidentSet,
}

impl Resource {
    fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::Core => libc::RLIMIT_CORE,
            Self::Processes => libc::RLIMIT_NPROC,
            Self::Stack => libc::RLIMIT_STACK,
            Self::LockedMemory => libc::RLIMIT_MEMLOCK,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::CpuTime => libc::RLIMIT_CPU,
            Self::AddressSpace => libc::RLIMIT_AS,
            Self::Data => libc::RLIMIT_DATA,
            Self::PendingSignals => libc::RLIMIT_SIGPENDING,
            Self::MessageQueues => libc::RLIMIT_MSGQUEUE,
            Self::Nice => libc::RLIMIT_NICE,
            Self::RealTimePriority => libc::RLIMIT_RTPRIO,
            Self::RealTimeTime => libc::RLIMIT_RTTIME,
            Self::Locks => libc::RLIMIT_LOCKS,
            Self::ResidentSet => libc::RLIMIT_RSS,
        }
    }
}

/// Sets a soft and a hard limit of this process.
pub fn set_rlimit(resource: Resource, soft: u64, hard: u64) -> Result<(), SysError> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: setrlimit(2) reads one `rlimit` through the pointer to a live local.
    let ret = unsafe { libc::setrlimit(resource.number(), &raw const limit) };
    SysError::check("setrlimit", ret.into()).map_err(|e| e.on(format!("{resource:?}")))
}

/// The soft and the hard limit of this process.
pub fn rlimit(resource: Resource) -> Result<(u64, u64), SysError> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) writes one `rlimit` through the pointer to a live local.
    let ret = unsafe { libc::getrlimit(resource.number(), &raw mut limit) };
    SysError::check("getrlimit", ret.into())?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// The host name of this UTS namespace.
pub fn set_host_name(name: &str) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live string; the kernel only reads it.
    let ret = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    SysError::check("sethostname", ret.into())
}

/// The domain name of this UTS namespace.
pub fn set_domain_name(name: &str) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live string; the kernel only reads it.
    let ret = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
    SysError::check("setdomainname", ret.into())
}

/// The bits that new files of this process do not get.
pub fn umask(mask: u32) {
    // SAFETY: umask(2) takes its argument by value and always succeeds.
    unsafe { libc::umask(mask) };
}

/// The working directory becomes what `dir` is open on.
pub fn fchdir(dir: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: fchdir(2) takes a descriptor that `dir` keeps open.
    let ret = unsafe { libc::fchdir(dir.as_raw_fd()) };
    SysError::check("fchdir", ret.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_by_a_signal_is_reported_as_a_shell_does() {
        assert_eq!(Exit::Signal(Signal::KILL).shell_code(), 137);
        assert_eq!(Exit::Code(3).shell_code(), 3);
    }
}
