//! `commit` and `import`: an image out of a container, or out of an archive.

use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::api::types::ContainerConfig;
use crate::image::{
    AddedLayer, Image, NewImage, Reference, Selector, add_image, add_layer, scratch_config,
};
use crate::oci::{Digest, EmptyObject, ImageConfig, LayerFormat, RunConfig};
use crate::registry::{download, download_pipe};
use crate::store::{Packed, pack};

use super::container::{ContainerRecord, State};
use super::progress::ProgressSink;
use super::{Daemon, DaemonError};

/// What a client asks of a commit.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Its name.
    pub name: Option<Reference>,
    /// A remark.
    pub comment: String,
    /// Who.
    pub author: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// Freeze the container meanwhile.
    pub pause: bool,
}

impl Daemon {
    /// Makes an image of a container's changes; gives its id.
    pub async fn commit(
        self: &Arc<Self>,
        text: &str,
        options: CommitOptions,
    ) -> Result<Digest, DaemonError> {
        let container = self.container(text)?;
        let _naming = self.naming.lock().await;
        let freeze = options.pause && matches!(container.lock().record.state, State::Running(_));
        // A container that has just ended needs no freezing.
        let frozen = match freeze {
            false => false,
            true => match self.pause(&container.id).await {
                Err(DaemonError::Conflict(_)) => false,
                paused => paused.map(|()| true)?,
            },
        };
        let record = container.record();
        let committed = self
            .block(move |daemon| daemon.commit_now(&record, &options))
            .await;
        // It may have ended meanwhile.
        if frozen && matches!(container.lock().record.state, State::Paused(_)) {
            match self.unpause(&container.id).await {
                Err(DaemonError::Conflict(_)) => {}
                thawed => thawed?,
            }
        }
        committed
    }

    fn commit_now(
        &self,
        record: &ContainerRecord,
        options: &CommitOptions,
    ) -> Result<Digest, DaemonError> {
        let base = Image::find(&self.store, &record.image_id.to_string())?;
        let below = self.stored_layers(&base)?;
        let upper = self.container_dir(&record.id).join("upper");
        let dir = std::fs::File::open(&upper)
            .map_err(DaemonError::io(format!("open {}", upper.display())))?;
        // Packed into a file first: the archive is read while it is unpacked, and must not change between.
        let scratch = self.container_dir(&record.id).join("commit.tar");
        let removed = Removed(scratch.clone());
        let fail = || DaemonError::io(format!("write {}", scratch.display()));
        let file = std::fs::File::create(&scratch).map_err(fail())?;
        pack(dir.as_fd(), Packed::Layer, std::io::BufWriter::new(file))?;
        let archive = std::fs::File::open(&scratch).map_err(fail())?;
        let top = add_layer(&self.store, base.chains().last(), archive, None)?;
        drop(removed);
        let config = ImageConfig {
            author: options.author.clone(),
            container: record.id.clone(),
            config: run_config(&record.config),
            history: base.config.history.clone(),
            ..scratch_config()
        };
        let command = record
            .config
            .entrypoint
            .iter()
            .flatten()
            .chain(record.config.cmd.iter().flatten());
        let created_by = command.cloned().collect::<Vec<_>>().join(" ");
        let new = NewImage {
            name: options.name.as_ref(),
            changes: &options.changes,
            comment: &options.comment,
            created_by: &created_by,
            config,
        };
        let id = add_image(&self.store, new, &below, Some(&top))?;
        let name = options
            .name
            .as_ref()
            .map(Reference::familiar)
            .unwrap_or_default();
        let image = Image::find(&self.store, &id.to_string())?;
        self.tell_image("create", &id, &name, &image);
        self.tell(
            record,
            "commit",
            &[
                ("comment", options.comment.clone()),
                ("imageID", id.to_string()),
                ("imageRef", name),
            ],
        );
        Ok(id)
    }

    /// The layers of an image with their archives, as a manifest names them.
    pub(super) fn stored_layers(&self, image: &Image) -> Result<Vec<AddedLayer>, DaemonError> {
        let layers = image.layers(&self.store)?;
        let mut stored = Vec::new();
        for (layer, descriptor) in layers.into_iter().zip(image.manifest.layers()) {
            let format = match descriptor.media_type() {
                crate::oci::MediaType::ImageLayerGzip => LayerFormat::Gzip,
                crate::oci::MediaType::ImageLayerZstd => LayerFormat::Zstd,
                _ => LayerFormat::Tar,
            };
            let blob = descriptor
                .digest()
                .to_string()
                .parse()
                .map_err(crate::image::ImageError::from)?;
            stored.push(AddedLayer {
                format,
                blob,
                blob_size: descriptor.size(),
                layer,
            });
        }
        Ok(stored)
    }

    /// Makes an image of an archive that is fetched from the web.
    pub async fn import_from(
        self: &Arc<Self>,
        address: String,
        name: Option<Reference>,
        changes: Vec<String>,
        message: String,
        sink: ProgressSink,
    ) -> Result<(), DaemonError> {
        sink.status("", format!("Downloading from {address}"));
        let message = if message.is_empty() {
            format!("Imported from {address}")
        } else {
            message
        };
        self.reach(move |daemon, settings| async move {
            let (writer, reader) = download_pipe();
            let (fetched, made) = tokio::join!(
                download(&settings, &address, writer),
                daemon.import(name, changes, message, reader, sink)
            );
            fetched?;
            made
        })
        .await
    }

    /// Makes an image of an archive of files.
    pub async fn import(
        self: &Arc<Self>,
        name: Option<Reference>,
        changes: Vec<String>,
        message: String,
        archive: impl Read + Send + 'static,
        sink: ProgressSink,
    ) -> Result<(), DaemonError> {
        let message = if message.is_empty() {
            "Imported from -".to_owned()
        } else {
            message
        };
        if let Some(Selector::Digest(_)) = name.as_ref().map(Reference::selector) {
            return Err(DaemonError::Invalid(
                "cannot import digest reference".into(),
            ));
        }
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let top = add_layer(&daemon.store, None, archive, None)?;
            let new = NewImage {
                name: name.as_ref(),
                changes: &changes,
                comment: &message,
                created_by: "",
                config: scratch_config(),
            };
            let id = add_image(&daemon.store, new, &[], Some(&top))?;
            let image = Image::find(&daemon.store, &id.to_string())?;
            let shown = name
                .as_ref()
                .map_or_else(|| id.to_string(), Reference::familiar);
            daemon.tell_image("import", &id, &shown, &image);
            sink.status("", id.to_string());
            Ok(())
        })
        .await
    }
}

/// A file that goes with the value.
struct Removed(std::path::PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A container's configuration as an image keeps it.
fn run_config(config: &ContainerConfig) -> RunConfig {
    let set = |keys: Vec<&String>| {
        let map: std::collections::BTreeMap<_, _> = keys
            .into_iter()
            .map(|key| (key.clone(), EmptyObject {}))
            .collect();
        (!map.is_empty()).then_some(map)
    };
    RunConfig {
        user: config.user.clone(),
        exposed_ports: set(config.exposed_ports.keys().collect()),
        env: (!config.env.is_empty()).then(|| config.env.clone()),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        volumes: set(config
            .volumes
            .iter()
            .flat_map(|volumes| volumes.keys())
            .collect()),
        working_dir: config.working_dir.clone(),
        labels: (!config.labels.is_empty()).then(|| config.labels.clone()),
        stop_signal: config.stop_signal.clone(),
        healthcheck: config
            .healthcheck
            .as_ref()
            .and_then(|check| serde_json::to_value(check).ok()),
        on_build: config.on_build.clone(),
        shell: config.shell.clone(),
    }
}
