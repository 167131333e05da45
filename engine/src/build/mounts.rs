//! `RUN --mount`: caches, files of other stages, memory, secrets.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use kernel::lock::FileLock;
use kernel::tree::{self, Tree};

use crate::dockerfile::{BuildMount, Ignore, MountKind, Run};
use crate::oci::Digest;
use crate::runtime::request::{Access, Manner, MountSource, MountSpec};

use super::BuildError;
use super::copy::Picker;
use super::execute::Build;
use super::files::{absolute, nothing_excluded};
use super::stage::random_id;
use super::state::State;
use super::tree::SourceTree;
use super::variables::expand;
use super::writer::{Attributes, Place};

/// The mounts of one RUN, understood.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    index: usize,
    mounts: Vec<BuildMount>,
    /// What the cache of the step depends on: the content of binds.
    pub(super) depends: Vec<Digest>,
}

/// The mounts of one RUN, ready; directories of caches are locked as long as it lives.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) mounts: Vec<MountSpec>,
    pub(super) env: Vec<String>,
    _locks: Vec<FileLock>,
}

impl<'a> Picker<'a> {
    /// What a bind mount shows of `tree`; paths above the root are the root.
    fn of_mount(tree: &'a dyn SourceTree, exclude: &'a Ignore) -> Self {
        Self {
            tree,
            instruction: "RUN --mount",
            strict: false,
            parents: false,
            exclude,
        }
    }
}

impl Build<'_> {
    pub(super) fn mounts(
        &self,
        index: usize,
        state: &State,
        run: &Run,
    ) -> Result<Mounted, BuildError> {
        let mut mounted = Mounted {
            index,
            ..Mounted::default()
        };
        for text in &run.mounts {
            let text = expand(
                text,
                self.request.dockerfile.escape,
                state.env(),
                &state.arguments,
            )?;
            let mut mount = BuildMount::parse(&text)
                .map_err(|why| BuildError::Value(format!("invalid mount {text:?}: {why}")))?;
            if mount.kind == MountKind::Ssh {
                return Err(BuildError::Unsupported("RUN --mount=type=ssh".into()));
            }
            if !mount.target.is_empty() {
                mount.target = absolute(&state.config.config.working_dir, &mount.target);
                if tree::clean(Path::new(&mount.target)).as_os_str().is_empty() {
                    return Err(BuildError::Value("invalid mount target \"/\"".into()));
                }
            }
            if mount.kind == MountKind::Bind {
                let origin = self.origin(index, mount.from.as_deref())?;
                let exclude = nothing_excluded();
                let picker = Picker::of_mount(origin.tree(), &exclude);
                let selection = picker.pick(std::slice::from_ref(&mount.source))?;
                mounted.depends.push(picker.digest(&selection)?);
            }
            mounted.mounts.push(mount);
        }
        Ok(mounted)
    }
}

impl Mounted {
    /// Makes directories and files to mount.
    pub(super) fn prepare(self, build: &Build<'_>) -> Result<Ready, BuildError> {
        let mut ready = Ready::default();
        for mount in &self.mounts {
            match mount.kind {
                MountKind::Cache => cache(build, mount, &mut ready)?,
                MountKind::Bind => bind(build, self.index, mount, &mut ready)?,
                MountKind::Tmpfs => {
                    let options = if mount.size == 0 {
                        String::new()
                    } else {
                        format!("size={}", mount.size)
                    };
                    ready.add(mount, MountSource::Tmpfs(options), Access::ReadWrite);
                }
                MountKind::Secret => secret(build, mount, &mut ready)?,
                MountKind::Ssh => {}
            }
        }
        Ok(ready)
    }
}

impl Ready {
    fn add(&mut self, mount: &BuildMount, source: MountSource, access: Access) {
        self.mounts.push(MountSpec {
            target: mount.target.clone(),
            source,
            access,
            manner: Manner::default(),
        });
    }
}

fn access(mount: &BuildMount) -> Access {
    if mount.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

fn cache(build: &Build<'_>, mount: &BuildMount, ready: &mut Ready) -> Result<(), BuildError> {
    use crate::dockerfile::Sharing;
    let name = Digest::of(format!("{}\0{:?}\0{}", mount.id, mount.from, mount.source).as_bytes());
    let mut dir = build.request.caches.join(name.hex());
    fs::create_dir_all(&build.request.caches)
        .map_err(BuildError::io("make", &build.request.caches))?;
    let lock = build.request.caches.join(format!("{}.lock", name.hex()));
    match mount.sharing {
        // Whoever empties the cache sees that it is in use.
        Sharing::Shared => ready._locks.push(FileLock::shared(&lock)?),
        Sharing::Locked => ready._locks.push(FileLock::wait(&lock)?),
        Sharing::Private => match FileLock::try_now(&lock) {
            Ok(lock) => ready._locks.push(lock),
            // Another build has it: this one gets a fresh directory that goes with the build.
            Err(_) => {
                dir = build
                    .request
                    .scratch
                    .join(format!("cache-{}", &random_id()[..12]))
            }
        },
    }
    if !dir.exists() {
        let made = fs::DirBuilder::new().mode(mount.mode).create(&dir);
        match made {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => {
                made.map_err(BuildError::io("make", &dir))?;
                let parent = fs::File::open(dir.parent().unwrap_or(Path::new("/")))
                    .map_err(BuildError::io("open", &dir))?;
                tree::chmod(
                    parent.as_fd(),
                    dir.file_name().unwrap_or_default(),
                    mount.mode,
                )?;
                chown(&dir, Some(mount.uid), Some(mount.gid))
                    .map_err(BuildError::io("prepare", &dir))?;
                if mount.from.is_some() {
                    fill(build, 0, mount, &dir)?;
                }
            }
        }
    }
    ready.add(mount, MountSource::Engine(dir), access(mount));
    Ok(())
}

fn bind(
    build: &Build<'_>,
    index: usize,
    mount: &BuildMount,
    ready: &mut Ready,
) -> Result<(), BuildError> {
    let dir = build
        .request
        .scratch
        .join(format!("bind-{}", &random_id()[..12]));
    fs::create_dir(&dir).map_err(BuildError::io("make", &dir))?;
    let path = fill(build, index, mount, &dir)?;
    ready.add(mount, MountSource::Engine(path), access(mount));
    Ok(())
}

/// Copies the source of a mount into a folder: what a command writes to it is nobody's but its own.
fn fill(
    build: &Build<'_>,
    index: usize,
    mount: &BuildMount,
    dir: &Path,
) -> Result<PathBuf, BuildError> {
    let origin = build.origin(index, mount.from.as_deref())?;
    let exclude = nothing_excluded();
    let picker = Picker::of_mount(origin.tree(), &exclude);
    let selection = picker.pick(std::slice::from_ref(&mount.source))?;
    let is_file = selection.files().all(|(_, is_file)| is_file);
    let (dest, path) = if is_file {
        ("/file", dir.join("file"))
    } else {
        ("/", dir.to_owned())
    };
    // Nothing stands on this folder: it is its own layer.
    let root = Tree::open(dir)?;
    let into = Place {
        root: &root,
        layer: Some(&root),
    };
    let attributes = Attributes {
        epoch: build.epoch,
        ..Attributes::default()
    };
    let rest = picker.write(&selection, into, dest, attributes)?;
    rest.write(origin.tree(), &root)?;
    Ok(path)
}

fn secret(build: &Build<'_>, mount: &BuildMount, ready: &mut Ready) -> Result<(), BuildError> {
    let Some(value) = build.request.secrets.get(&mount.id) else {
        return if mount.required {
            Err(BuildError::NoSecret(mount.id.clone()))
        } else {
            Ok(())
        };
    };
    if let Some(name) = &mount.env {
        ready
            .env
            .push(format!("{name}={}", String::from_utf8_lossy(value)));
        if mount.target.is_empty() {
            return Ok(());
        }
    }
    let path = build.request.private.join(&random_id()[..12]);
    let fail = || BuildError::io("write", &path);
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(mount.mode)
        .open(&path)
        .map_err(fail())?;
    std::io::Write::write_all(&mut file, value).map_err(fail())?;
    tree::chmod_open(file.as_fd(), mount.mode)?;
    chown(&path, Some(mount.uid), Some(mount.gid)).map_err(fail())?;
    ready.add(mount, MountSource::Engine(path.clone()), Access::ReadOnly);
    Ok(())
}
