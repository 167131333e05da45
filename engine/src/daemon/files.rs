//! The files of a container, running or not: copies in and out, export, changes.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::tree::{self, Tree};

use crate::api::types::{FilesystemChange, PathStat};
use crate::runtime::mounts::mount_root;
use crate::runtime::request::{Access, Keeping, Root, Writable};
use crate::store::{
    Budget, OverlayPlan, Packed, UnpackError, Whiteouts, pack, pack_entry, unpack_into,
};

use super::container::ContainerRecord;
use super::init_layer::shown;
use super::{Daemon, DaemonError};

impl Daemon {
    /// Where a path of a container is looked up, and what it is called there. A container that does not run has its
    /// volumes and binds nowhere: a path below one of them is looked up in its source.
    fn files_at(
        &self,
        record: &ContainerRecord,
        asked: &Asked,
    ) -> Result<(Tree, PathBuf), DaemonError> {
        let clean = tree::clean(Path::new(&asked.path));
        if record.state.process().is_some() {
            return Ok((self.files(record)?, clean));
        }
        let below = record.mounts.iter().filter_map(|mount| {
            let target = tree::clean(Path::new(&mount.destination));
            let rest = clean.strip_prefix(&target).ok()?;
            Some((target.components().count(), mount, rest.to_owned()))
        });
        match below.max_by_key(|(depth, ..)| *depth) {
            None => Ok((self.files(record)?, clean)),
            Some((_, mount, rest)) if mount.kind == "volume" => {
                // Other containers write in it: what leads to a folder of the volume is looked up in the volume.
                let root = self.volume_dir(&mount.name);
                match Path::new(&mount.source).strip_prefix(&root) {
                    Ok(below) => {
                        let dir = Tree::open(&root)?
                            .dir(below)
                            .map_err(|error| asked.missing(&error.source))?;
                        Ok((Tree::at(dir), rest))
                    }
                    Err(_) => Ok((Tree::open(Path::new(&mount.source))?, rest)),
                }
            }
            Some((_, mount, rest)) => {
                let machine = Tree::open(&self.machine_root())?;
                let source = tree::clean(Path::new(&mount.source));
                let dir = machine
                    .dir(&source)
                    .map_err(|error| asked.missing(&error.source))?;
                Ok((Tree::at(dir), rest))
            }
        }
    }

    /// Refuses to write where the container itself may not.
    fn check_writable(record: &ContainerRecord, path: &str) -> Result<(), DaemonError> {
        let clean = tree::clean(Path::new(path));
        let below = record
            .mounts
            .iter()
            .filter(|mount| clean.starts_with(tree::clean(Path::new(&mount.destination))));
        let forbidden = |text: &str| Err(DaemonError::Forbidden(text.into()));
        match below.max_by_key(|mount| mount.destination.len()) {
            Some(mount) if !mount.rw => forbidden("mounted volume is marked read-only"),
            None if record.host_config.readonly_rootfs => {
                forbidden("container rootfs is marked read-only")
            }
            _ => Ok(()),
        }
    }

    /// The root of a container: that of its process, or its layers mounted for as long as the value lives.
    fn files(&self, record: &ContainerRecord) -> Result<Tree, DaemonError> {
        if let Some(process) = record.state.process() {
            return Ok(Tree::open(Path::new(&format!(
                "/proc/{}/root",
                process.engine_pid
            )))?);
        }
        let plan = OverlayPlan::new(self.lowers(record)?, &self.container_dir(&record.id));
        let writable = Some(Writable {
            upper: plan.upper,
            work: plan.work,
            keeping: Keeping::AsFiles,
        });
        Ok(Tree::at(mount_root(&Root {
            lower: plan.lowers,
            writable,
            access: Access::ReadWrite,
        })?))
    }

    /// What a path in a container is.
    pub async fn stat_path(
        self: &Arc<Self>,
        text: &str,
        path: &str,
    ) -> Result<PathStat, DaemonError> {
        let (container, path) = (self.container(text)?, path.to_owned());
        let asked = Asked::new(text, &path);
        let _turn = container.turn.lock().await;
        let record = container.record();
        self.block(move |daemon| {
            let (files, inside) = daemon.files_at(&record, &asked)?;
            Place::find(&files, &inside, &asked)?.stat(&path)
        })
        .await
    }

    /// Packs a file or folder of a container.
    pub async fn copy_out(
        self: &Arc<Self>,
        text: &str,
        path: &str,
        out: impl Write + Send + 'static,
    ) -> Result<(), DaemonError> {
        let (container, path) = (self.container(text)?, path.to_owned());
        let asked = Asked::new(text, &path);
        let _turn = container.turn.lock().await;
        let record = container.record();
        self.block(move |daemon| {
            let (files, inside) = daemon.files_at(&record, &asked)?;
            let place = Place::find(&files, &inside, &asked)?;
            let dir = place.parent.as_fd();
            match tree::clean(Path::new(&path)).file_name() {
                // The whole root has no name of its own.
                None => Ok(pack(dir, Packed::Plain, out).map(drop)?),
                Some(_) if path.ends_with("/.") => {
                    Ok(pack_entry(dir, OsStr::new("."), Path::new("."), out)?)
                }
                Some(shown) if place.name.is_empty() => {
                    Ok(pack_entry(dir, OsStr::new("."), Path::new(shown), out)?)
                }
                Some(_) => Ok(pack_entry(dir, &place.name, Path::new(&place.name), out)?),
            }
        })
        .await
    }

    /// Packs the whole root of a container.
    pub async fn export(
        self: &Arc<Self>,
        text: &str,
        out: impl Write + Send + 'static,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        let record = container.record();
        self.block(move |daemon| {
            // Mounted once more and read-only, so that neither /proc nor volumes of a running container get in.
            let mut lowers = vec![daemon.container_dir(&record.id).join("upper")];
            lowers.extend(daemon.lowers(&record)?);
            let files = Tree::at(mount_root(&Root {
                lower: lowers,
                writable: None,
                access: Access::ReadOnly,
            })?);
            pack(files.dir(Path::new(""))?.as_fd(), Packed::Plain, out)?;
            daemon.tell(&record, "export", &[]);
            Ok(())
        })
        .await
    }

    /// Unpacks an archive in a folder of a container.
    pub async fn copy_in(
        self: &Arc<Self>,
        text: &str,
        path: &str,
        archive: impl Read + Send + 'static,
    ) -> Result<(), DaemonError> {
        let (container, path) = (self.container(text)?, path.to_owned());
        let asked = Asked::new(text, &path);
        let _turn = container.turn.lock().await;
        let record = container.record();
        Self::check_writable(&record, &path)?;
        self.block(move |daemon| {
            let (files, inside) = daemon.files_at(&record, &asked)?;
            let dir = files
                .dir(&inside)
                .map_err(|error| match error.source.kind() {
                    std::io::ErrorKind::NotADirectory => {
                        DaemonError::Invalid("extraction point is not a directory".into())
                    }
                    _ => asked.missing(&error.source),
                })?;
            let unpacked = unpack_into(
                plain(archive)?,
                Tree::at(dir),
                Whiteouts::Literal,
                Budget::UNBOUNDED,
            );
            unpacked.map(drop).map_err(|error| match error {
                UnpackError::Read { source } => {
                    DaemonError::Invalid(format!("archive/tar: invalid tar header: {source}"))
                }
                error => DaemonError::Store(error.into()),
            })
        })
        .await
    }

    /// What differs from the image.
    pub async fn changes(
        self: &Arc<Self>,
        text: &str,
    ) -> Result<Vec<FilesystemChange>, DaemonError> {
        let record = self.container(text)?.record();
        self.block(move |daemon| {
            let lowers = daemon.lowers(&record)?;
            let lowers: Vec<Tree> = lowers
                .iter()
                .map(|lower| Tree::open(lower))
                .collect::<Result<_, _>>()?;
            let upper = daemon.container_dir(&record.id).join("upper");
            let mut changes = Vec::new();
            compare(&upper, Path::new(""), &lowers, &mut changes)?;
            Ok(changes)
        })
        .await
    }
}

/// Unpacks gzip and zstd on the way.
pub(super) fn plain(archive: impl Read + Send + 'static) -> Result<Box<dyn Read>, DaemonError> {
    use std::io::BufRead;
    let fail = || DaemonError::io("read the archive");
    let mut archive = std::io::BufReader::with_capacity(1 << 16, archive);
    Ok(
        match crate::oci::LayerFormat::detect(archive.fill_buf().map_err(fail())?) {
            crate::oci::LayerFormat::Tar => Box::new(archive),
            crate::oci::LayerFormat::Gzip => Box::new(flate2::read::MultiGzDecoder::new(archive)),
            crate::oci::LayerFormat::Zstd => Box::new(zstd::Decoder::new(archive).map_err(fail())?),
        },
    )
}

/// A name in an open folder; empty for the folder itself.
struct Place {
    parent: std::os::fd::OwnedFd,
    name: std::ffi::OsString,
}

impl Place {
    /// `clean` is what the path is called in `files`.
    fn find(files: &Tree, clean: &Path, asked: &Asked) -> Result<Self, DaemonError> {
        let named = |error: kernel::error::SysError| asked.missing(&error.source);
        // `dir/.` and `link/` mean what is behind the link.
        let follow = asked.path.ends_with('/') || asked.path.ends_with("/.");
        let (parent, name) = match clean.file_name() {
            Some(name) if !follow => (
                files
                    .dir(clean.parent().unwrap_or(Path::new("")))
                    .map_err(named)?,
                name.to_owned(),
            ),
            _ => (files.dir(clean).map_err(named)?, std::ffi::OsString::new()),
        };
        let place = Self { parent, name };
        place.metadata().map_err(|error| asked.missing(&error))?;
        Ok(place)
    }

    fn path(&self) -> PathBuf {
        tree::listing_path(self.parent.as_fd()).join(&self.name)
    }

    fn metadata(&self) -> std::io::Result<std::fs::Metadata> {
        std::fs::symlink_metadata(self.path())
    }

    fn stat(&self, path: &str) -> Result<PathStat, DaemonError> {
        let metadata = self
            .metadata()
            .map_err(DaemonError::io("look at the path"))?;
        let link = std::fs::read_link(self.path())
            .ok()
            .filter(|_| metadata.is_symlink());
        let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or(0);
        let mtime = jiff::Timestamp::new(metadata.mtime(), nanoseconds).unwrap_or_default();
        Ok(PathStat {
            name: if path.ends_with("/.") {
                ".".into()
            } else if self.name.is_empty() {
                let last = tree::clean(Path::new(path));
                last.file_name()
                    .map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned())
            } else {
                self.name.to_string_lossy().into_owned()
            },
            size: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
            mode: go_mode(&metadata),
            mtime: mtime.to_string(),
            link_target: link
                .map(|target| target.display().to_string())
                .unwrap_or_default(),
        })
    }
}

/// A container and a path in it, in the client's words.
#[derive(Clone, Debug)]
struct Asked {
    container: String,
    path: String,
}

impl Asked {
    fn new(container: &str, path: &str) -> Self {
        Self {
            container: container.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Nothing is there, whatever stands in the way.
    fn missing(&self, error: &std::io::Error) -> DaemonError {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let Self { container, path } = self;
        DaemonError::NotFoundText(match error.kind() {
            NotFound | NotADirectory => {
                format!("Could not find the file {path} in container {container}")
            }
            _ => format!("cannot look at {path} in container {container}: {error}"),
        })
    }
}

/// The bits of Go's `os.FileMode`, which clients read.
fn go_mode(metadata: &std::fs::Metadata) -> u32 {
    let kind = metadata.file_type();
    let bits = [
        (kind.is_dir(), 31),
        (kind.is_symlink(), 27),
        (kind.is_block_device() || kind.is_char_device(), 26),
        (kind.is_fifo(), 25),
        (kind.is_socket(), 24),
        (metadata.mode() & 0o4000 != 0, 23),
        (metadata.mode() & 0o2000 != 0, 22),
        (kind.is_char_device(), 21),
        (metadata.mode() & 0o1000 != 0, 20),
    ];
    let set = bits
        .iter()
        .filter(|(is, _)| *is)
        .fold(0, |all, (_, bit)| all | 1 << bit);
    metadata.mode() & 0o777 | set
}

/// Walks the upper directory: a device 0:0 is a removal, a name that a lower layer has is a change.
fn compare(
    upper: &Path,
    below: &Path,
    lowers: &[Tree],
    changes: &mut Vec<FilesystemChange>,
) -> Result<(), DaemonError> {
    let fail = || DaemonError::io("read the container's own layer");
    let entries = std::fs::read_dir(upper.join(below)).map_err(fail())?;
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    for name in names {
        let path = below.join(&name);
        let metadata = std::fs::symlink_metadata(upper.join(&path)).map_err(fail())?;
        let removed = metadata.file_type().is_char_device() && metadata.rdev() == 0;
        let kind = match (removed, shown(lowers, &path)) {
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 1,
        };
        changes.push(FilesystemChange {
            path: Path::new("/").join(&path).display().to_string(),
            kind,
        });
        if metadata.is_dir() {
            compare(upper, &path, lowers, changes)?;
        }
    }
    Ok(())
}
