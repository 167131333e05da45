//! The root file system, mounted detached before anybody enters the stage.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use kernel::error::SysError;
use kernel::fs::{self, Access, Dir};
use kernel::mount::{self, Attributes, Change, Depth, FileSystem, Propagation};

use crate::runtime::request::{Keeping, Root, Writable};

/// Mounts the root, attached nowhere: whoever holds the descriptor moves it into place.
pub(crate) fn mount_root(root: &Root) -> Result<OwnedFd, SysError> {
    match (&root.writable, root.lower.as_slice()) {
        (None, [directory]) => bind(directory),
        (writable, lower) => overlay(lower, writable.as_ref()),
    }
}

/// A plain directory stands for itself.
fn bind(directory: &Path) -> Result<OwnedFd, SysError> {
    let tree = mount::clone_tree(Dir::Here, &c_string(directory), Depth::Tree)?;
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change_detached(std::os::fd::AsFd::as_fd(&tree), Depth::Tree, private)?;
    Ok(tree)
}

fn overlay(lower: &[PathBuf], writable: Option<&Writable>) -> Result<OwnedFd, SysError> {
    match overlay_with(writable, |context| layers_one_by_one(context, lower)) {
        // Before Linux 6.5 there is only one string for all layers. An older kernel may keep the option it
        // does not know until the mount itself, so the whole attempt is judged, not the option.
        Err(e) if e.source.raw_os_error() == Some(22) => {
            let open = |path: &PathBuf| fs::open(path, Access::Directory);
            let open: Vec<_> = lower.iter().map(open).collect::<Result<_, _>>()?;
            overlay_with(writable, |context| layers_in_one_string(context, &open))
        }
        done => done,
    }
}

fn overlay_with(
    writable: Option<&Writable>,
    layers: impl Fn(&FileSystem) -> Result<(), SysError>,
) -> Result<OwnedFd, SysError> {
    let context = FileSystem::open(c"overlay")?;
    layers(&context)?;
    finish(&context, writable)?;
    context.mount(Attributes::NONE)
}

fn layers_one_by_one(context: &FileSystem, lower: &[PathBuf]) -> Result<(), SysError> {
    lower
        .iter()
        .try_for_each(|path| context.set(c"lowerdir+", &c_string(path)))
}

/// A string has at most 255 bytes: names of descriptors are short enough for a dozen layers.
fn layers_in_one_string(context: &FileSystem, open: &[OwnedFd]) -> Result<(), SysError> {
    let names: Vec<_> = open
        .iter()
        .map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .collect();
    context.set(c"lowerdir", &c_string(Path::new(&names.join(":"))))
}

fn finish(context: &FileSystem, writable: Option<&Writable>) -> Result<(), SysError> {
    if let Some(Writable {
        upper,
        work,
        keeping,
    }) = writable
    {
        context.set(c"upperdir", &c_string(upper))?;
        context.set(c"workdir", &c_string(work))?;
        // The mark of a volatile mount refuses every later one, because the host may have lost what was written.
        // Here nothing of that kind outlives the host: if there is a mark, the former mount was of this very boot.
        let _ = std::fs::remove_dir_all(work.join("work/incompat/volatile"));
        if *keeping == Keeping::UntilReboot {
            context.set_flag(c"volatile")?;
        }
    }
    // Layers mark opaque directories with user.overlay.opaque, so that one unpacked layer serves the host and
    // every machine; trusted.* attributes belong to the initial user namespace.
    context.set_flag(c"userxattr")?;
    Ok(())
}

fn c_string(path: &Path) -> CString {
    // A NUL cannot come out of a path that the engine made from identifiers.
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}
