//! Mounts of a bundle: their options, and the order of all steps in the root.

use std::path::Path;

use super::namespaces::{Spaces, extents};
use super::{BundleError, Wish, devices, text_without_nul};
use crate::oci::runtime_spec::{Mount, Spec};
use crate::runtime::mounts::option::{self, Word};
use crate::runtime::mounts::{
    Attributes, Bound, Content, Flag, Propagation, Reach, Source, Step, Way, absolute, links,
};
use crate::runtime::namespaces::UserNamespace;
use crate::runtime::request::{Access, Manner, Sharing};

/// Steps, what they bind, and how the root itself shares its mounts.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) sources: Vec<Bound>,
    pub(super) steps: Vec<Step>,
    pub(super) propagation: Option<Propagation>,
}

/// Files of procfs that may be covered by others that pretend to be them.
const PRETENDED: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
];

pub(super) fn plan(spec: &Spec, wish: &Wish, spaces: &Spaces) -> Result<Made, BundleError> {
    let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux"))?;
    let mut made = Made {
        propagation: match linux.rootfs_propagation().as_deref() {
            None | Some("") => None,
            Some(word) => Some(root_propagation(word)?),
        },
        ..Made::default()
    };
    let mut own_dev = true;
    for mount in spec.mounts().iter().flatten() {
        let target = destination(mount.destination())?;
        let step = one(mount, &target, wish, spaces, &mut made)?;
        own_dev &= !(target == "/dev" && matches!(step, Step::Bind { .. }));
        made.steps.push(step);
    }
    if own_dev {
        let nodes = devices::nodes(linux.devices().as_deref().unwrap_or_default())?;
        made.steps.extend(nodes.into_iter().map(Step::Node));
        made.steps.extend(links());
    }
    for (name, value) in sorted(linux.sysctl().iter().flatten()) {
        made.steps.push(sysctl(name, value, spaces)?);
    }
    let paths = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let read_only = paths(linux.readonly_paths());
    made.steps.extend(read_only.into_iter().map(Step::ReadOnly));
    let masked = paths(linux.masked_paths());
    made.steps.extend(masked.into_iter().map(Step::Mask));
    Ok(made)
}

/// A path of the container, cleaned; relative ones begin at its root.
pub(super) fn destination(path: &Path) -> Result<String, BundleError> {
    let text = path.to_string_lossy();
    absolute(&format!("/{text}")).map_err(|_| invalid("mount destination", &text))
}

fn sorted<'a>(
    pairs: impl Iterator<Item = (&'a String, &'a String)>,
) -> Vec<(&'a String, &'a String)> {
    let mut all: Vec<_> = pairs.collect();
    all.sort();
    all
}

/// The options of one mount, sorted by what they act on.
#[derive(Default)]
struct Options {
    bind: Option<Reach>,
    own: Attributes,
    below: Attributes,
    propagation: Option<Propagation>,
    content: Content,
    id_map: Option<Reach>,
    data: Vec<(String, String)>,
}

fn one(
    mount: &Mount,
    target: &str,
    wish: &Wish,
    spaces: &Spaces,
    made: &mut Made,
) -> Result<Step, BundleError> {
    let options = options(mount)?;
    let kind = mount.typ().as_deref().unwrap_or("none");
    let bind = options.bind.or((kind == "bind").then_some(Reach::Tree));
    let inside_proc = target.starts_with("/proc/");
    if let Some(reach) = bind {
        if inside_proc && !PRETENDED.contains(&target) {
            return Err(BundleError::InsideProc(target.to_owned()));
        }
        let source = bound(mount, reach, options, wish, spaces, made.propagation)?;
        made.sources.push(source);
        return Ok(Step::Bind {
            source: Source::Engine(made.sources.len() - 1),
            target: target.to_owned(),
            access: Access::ReadWrite,
            manner: Manner::default(),
        });
    }
    if inside_proc || (target == "/proc" && kind != "proc") {
        return Err(BundleError::InsideProc(target.to_owned()));
    }
    if matches!(kind, "cgroup" | "cgroup2") {
        let access = match options.own.set.contains(&Flag::ReadOnly) {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        };
        let target = target.to_owned();
        return Ok(match spaces.sharing.cgroup {
            Sharing::New => Step::Cgroups { target, access },
            _ => Step::OwnGroups { target, access },
        });
    }
    if options.id_map.is_some() || mount.uid_mappings().is_some() {
        let what = format!("an idmapped mount of type {kind} (only bind mounts are)");
        return Err(BundleError::Unsupported(what));
    }
    let mut data = options.data;
    let source = mount
        .source()
        .as_ref()
        .map(|s| s.to_string_lossy().into_owned());
    if let Some(source) = source.filter(|source| !source.is_empty()) {
        data.insert(0, ("source".to_owned(), source));
    }
    let mut flags = options.own.set;
    flags.extend(options.below.set);
    Ok(Step::Mount {
        kind: kind.to_owned(),
        target: target.to_owned(),
        options: data,
        flags,
        propagation: options.propagation,
        content: options.content,
    })
}

fn options(mount: &Mount) -> Result<Options, BundleError> {
    let mut all = Options::default();
    for word in mount.options().iter().flatten() {
        text_without_nul("mount option", word)?;
        match option::parse(word) {
            Word::Nothing => {}
            Word::Bind(reach) => all.bind = Some(reach),
            Word::Set(flag, Reach::One) => add(&mut all.own, flag, true),
            Word::Set(flag, Reach::Tree) => add(&mut all.below, flag, true),
            Word::Clear(flag, Reach::One) => add(&mut all.own, flag, false),
            Word::Clear(flag, Reach::Tree) => add(&mut all.below, flag, false),
            Word::Travel(how) => all.propagation = Some(how),
            Word::CopyUp => all.content = Content::Copied,
            Word::IdMap(reach) => all.id_map = Some(reach),
            Word::Data(key, value) => all.data.push((key, value)),
            Word::Remount => {
                return Err(BundleError::Unsupported(
                    "the mount option remount".to_owned(),
                ));
            }
        }
    }
    Ok(all)
}

/// Of two options about the same flag the last one counts.
fn add(attributes: &mut Attributes, flag: Flag, set: bool) {
    attributes.set.retain(|&other| other != flag);
    attributes.clear.retain(|&other| other != flag);
    match set {
        true => attributes.set.push(flag),
        false => attributes.clear.push(flag),
    }
}

fn bound(
    mount: &Mount,
    reach: Reach,
    options: Options,
    wish: &Wish,
    spaces: &Spaces,
    root: Option<Propagation>,
) -> Result<Bound, BundleError> {
    let source = mount
        .source()
        .as_ref()
        .ok_or(BundleError::Missing("source of a bind mount"))?;
    text_without_nul("mount source", &source.to_string_lossy())?;
    if let Some((key, _)) = options.data.first() {
        return Err(BundleError::Unsupported(format!(
            "the option {key} of a bind mount"
        )));
    }
    let default = root.map(|how| Propagation { reach, ..how });
    Ok(Bound {
        path: wish.bundle.join(source),
        inside: None,
        reach,
        own: options.own,
        below: options.below,
        propagation: options.propagation.or(default),
        id_map: id_map(mount, options.id_map, spaces)?,
    })
}

fn id_map(
    mount: &Mount,
    word: Option<Reach>,
    spaces: &Spaces,
) -> Result<Option<(UserNamespace, Reach)>, BundleError> {
    let users = extents(mount.uid_mappings().as_deref().unwrap_or_default());
    let groups = extents(mount.gid_mappings().as_deref().unwrap_or_default());
    if users.is_empty() != groups.is_empty() {
        return Err(BundleError::Missing(
            "uidMappings and gidMappings both, of a mount",
        ));
    }
    if !users.is_empty() {
        let reach = word.unwrap_or(Reach::One);
        return Ok(Some((UserNamespace { users, groups }, reach)));
    }
    let Some(reach) = word else {
        return Ok(None);
    };
    let own = spaces.user.clone();
    let own = own.ok_or(BundleError::Missing("id mappings for an idmapped mount"))?;
    Ok(Some((own, reach)))
}

fn root_propagation(word: &str) -> Result<Propagation, BundleError> {
    match option::parse(word) {
        Word::Travel(how) => Ok(Propagation {
            // A root that nobody can bind would leave nothing to enter.
            way: match how.way {
                Way::Unbindable => Way::Unbindable,
                way => way,
            },
            reach: Reach::One,
        }),
        _ => Err(invalid("linux.rootfsPropagation", word)),
    }
}

/// Only parameters of a namespace the container has for itself may be set: others are the host's.
fn sysctl(name: &str, value: &str, spaces: &Spaces) -> Result<Step, BundleError> {
    const IPC: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    let dotted = match (name.find('/'), name.find('.')) {
        // As sysctl(8): where a slash comes first, slashes separate and dots belong to names.
        (Some(slash), dot) if dot.is_none_or(|dot| slash < dot) => name.replace('/', "."),
        _ => name.to_owned(),
    };
    let joined = |kind| spaces.joins.iter().any(|join| join.kind == kind);
    use crate::runtime::namespaces::Kind;
    let own = if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
        spaces.sharing.ipc == Sharing::New || joined(Kind::Ipc)
    } else if dotted.starts_with("net.") {
        spaces.sharing.net == Sharing::New || joined(Kind::Network)
    } else if matches!(dotted.as_str(), "kernel.domainname" | "kernel.hostname") {
        spaces.sharing.uts == Sharing::New || joined(Kind::Uts)
    } else {
        spaces.user.is_some() && dotted.starts_with("user.")
    };
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/*".contains(c));
    if !own || !plain || name.contains("..") {
        return Err(invalid(
            "sysctl (not of a namespace the container has for itself)",
            name,
        ));
    }
    Ok(Step::Sysctl {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

fn invalid(what: &'static str, value: &str) -> BundleError {
    BundleError::Invalid {
        what,
        value: value.to_owned(),
    }
}

/// Whether a file of procfs may be covered.
pub(in crate::runtime) fn may_be_covered(target: &str) -> bool {
    PRETENDED.contains(&target)
}
