//! The files of a container, running or not: copies in and out, export, changes.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::tree::{self, Tree};

use crate::api::types::{FilesystemChange, PathStat};
use crate::runtime::mounts::mount_root;
use crate::runtime::request::{Access, Root, Writable};
use crate::store::{OverlayPlan, Packed, Whiteouts, pack, pack_entry, unpack_into};

use super::container::ContainerRecord;
use super::init_layer::shown;
use super::{Daemon, DaemonError};

impl Daemon {
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
        let _turn = container.turn.lock().await;
        let record = container.record();
        self.block(move |daemon| Place::find(&daemon.files(&record)?, &path, &record.id)?.stat())
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
        let _turn = container.turn.lock().await;
        let record = container.record();
        self.block(move |daemon| {
            let place = Place::find(&daemon.files(&record)?, &path, &record.id)?;
            if place.name.is_empty() {
                return Ok(pack(place.parent.as_fd(), Packed::Plain, out)?);
            }
            Ok(pack_entry(
                place.parent.as_fd(),
                &place.name,
                Path::new(&place.name),
                out,
            )?)
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
        let _turn = container.turn.lock().await;
        let record = container.record();
        if record.host_config.readonly_rootfs {
            return Err(DaemonError::Forbidden(
                "container rootfs is marked read-only".into(),
            ));
        }
        self.block(move |daemon| {
            let files = daemon.files(&record)?;
            let dir = files
                .dir(&tree::clean(Path::new(&path)))
                .map_err(|error| missing(&error, &path, &record.id))?;
            unpack_into(plain(archive)?, Tree::at(dir), Whiteouts::Literal)
                .map_err(|error| DaemonError::Store(error.into()))?;
            Ok(())
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
    fn find(files: &Tree, path: &str, id: &str) -> Result<Self, DaemonError> {
        let clean = tree::clean(Path::new(path));
        let named = |error: kernel::error::SysError| missing(&error, path, id);
        // `dir/.` and `link/` mean what is behind the link.
        let follow = path.ends_with('/') || path.ends_with("/.");
        let (parent, name) = match clean.file_name() {
            Some(name) if !follow => (
                files
                    .dir(clean.parent().unwrap_or(Path::new("")))
                    .map_err(named)?,
                name.to_owned(),
            ),
            _ => (files.dir(&clean).map_err(named)?, std::ffi::OsString::new()),
        };
        let place = Self { parent, name };
        place
            .metadata()
            .map_err(|error| DaemonError::NotFoundText(not_found(path, id, &error)))?;
        Ok(place)
    }

    fn path(&self) -> PathBuf {
        tree::listing_path(self.parent.as_fd()).join(&self.name)
    }

    fn metadata(&self) -> std::io::Result<std::fs::Metadata> {
        std::fs::symlink_metadata(self.path())
    }

    fn stat(&self) -> Result<PathStat, DaemonError> {
        let metadata = self
            .metadata()
            .map_err(DaemonError::io("look at the path"))?;
        let link = std::fs::read_link(self.path())
            .ok()
            .filter(|_| metadata.is_symlink());
        let mtime = jiff::Timestamp::from_second(metadata.mtime()).unwrap_or_default();
        Ok(PathStat {
            name: if self.name.is_empty() {
                "/".into()
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

fn not_found(path: &str, id: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("Could not find the file {path} in container {id}"),
        _ => format!("cannot look at {path} in container {id}: {error}"),
    }
}

fn missing(error: &kernel::error::SysError, path: &str, id: &str) -> DaemonError {
    DaemonError::NotFoundText(not_found(path, id, &error.source))
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
