//! Images as the engine's clients see them: list, inspect, history, tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::types::{
    ContainerConfig, Empty, GraphDriver, HealthConfig, HistoryEntry, ImageInspect, ImageMetadata,
    ImageSummary, RootFs,
};
use crate::image::{
    Exploration, Image, ImageError, Reference, Selector, explore, history, images_of, name_image,
};
use crate::oci::{Digest, RunConfig};
use crate::store::OverlayPlan;

use super::image_family::IntermediateImages;
use super::{Daemon, DaemonError, Filters, wish};

/// Filter keys of the list.
pub const IMAGE_FILTERS: [&str; 7] = [
    "dangling",
    "label",
    "label!",
    "before",
    "since",
    "reference",
    "until",
];

impl Daemon {
    /// Lists images, the newest first.
    pub async fn list_images(
        self: &Arc<Self>,
        filters: Filters,
        intermediate: IntermediateImages,
    ) -> Result<Vec<ImageSummary>, DaemonError> {
        self.block(move |daemon| daemon.list_images_now(&filters, intermediate))
            .await
    }

    pub(crate) fn list_images_now(
        &self,
        filters: &Filters,
        intermediate: IntermediateImages,
    ) -> Result<Vec<ImageSummary>, DaemonError> {
        let family = self.family()?;
        let dangling = filters.flag("dangling")?;
        let until = super::system::until(filters)?;
        let time_of = |key: &str| match filters.get(key).first() {
            Some(text) => Image::find(&self.store, text).map(|image| Some(created(&image))),
            None => Ok(None),
        };
        let (before, since) = (time_of("before")?, time_of("since")?);
        let mut list = Vec::new();
        let mut images = images_of(&self.store)?;
        if intermediate == IntermediateImages::Shown && dangling.is_none() {
            images.extend(self.intermediate_images(&images, &family));
        }
        for (image, names) in images {
            // One without a name that others were built on is not listed.
            let hidden = intermediate == IntermediateImages::Hidden || dangling.is_some();
            if hidden && names.is_empty() && family.has_children(&image.id) {
                continue;
            }
            let made = created(&image);
            let labels = image.config.config.labels.clone().unwrap_or_default();
            let tagged = names.iter().any(|name| name.tag().is_some());
            let wanted = dangling.is_none_or(|dangling| dangling != tagged)
                && before.is_none_or(|time| made < time)
                && since.is_none_or(|time| made > time)
                && until.is_none_or(|until| made < until.as_second())
                && filters.any("reference", |pattern| {
                    names.iter().any(|name| reference_matches(name, pattern))
                })
                && filters.labels(&labels);
            if !wanted {
                continue;
            }
            let size = i64::try_from(image.size(&self.store)?).unwrap_or(i64::MAX);
            // Of an image with several names only those that were asked for.
            let names: Vec<Reference> = names
                .into_iter()
                .filter(|name| filters.any("reference", |pattern| reference_matches(name, pattern)))
                .collect();
            let (repo_tags, repo_digests) = split_names(&names);
            list.push(ImageSummary {
                containers: -1,
                created: made,
                id: image.id.to_string(),
                labels,
                parent_id: family
                    .parent(&image.id)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                repo_digests,
                repo_tags,
                shared_size: -1,
                size,
            });
        }
        list.sort_by(|a, b| {
            b.created
                .cmp(&a.created)
                .then_with(|| a.repo_tags.cmp(&b.repo_tags))
        });
        Ok(list)
    }

    /// Names of all images by id.
    pub(crate) fn image_names(&self) -> Vec<(Digest, Vec<Reference>)> {
        let images = images_of(&self.store).unwrap_or_default();
        images
            .into_iter()
            .map(|(image, names)| (image.id.clone(), names))
            .collect()
    }

    /// All that is known about an image.
    pub async fn inspect_image(self: &Arc<Self>, text: &str) -> Result<ImageInspect, DaemonError> {
        let text = text.to_owned();
        self.block(move |daemon| daemon.inspect_image_now(&text))
            .await
    }

    fn inspect_image_now(&self, text: &str) -> Result<ImageInspect, DaemonError> {
        let image = Image::find(&self.store, text)?;
        let names = self
            .image_names()
            .into_iter()
            .find(|(id, _)| *id == image.id)
            .map(|(_, names)| names);
        let (repo_tags, repo_digests) = split_names(&names.unwrap_or_default());
        let size = i64::try_from(image.size(&self.store)?).unwrap_or(i64::MAX);
        let mut data = BTreeMap::new();
        let mut lowers = image.lowers(&self.store)?.into_iter();
        if let Some(top) = lowers.next() {
            let plan = OverlayPlan {
                lowers: lowers.collect(),
                upper: top.clone(),
                work: top.with_file_name("work"),
            };
            data = wish::graph_data(&plan);
        }
        let made = image.config.created.clone().unwrap_or_default();
        let config = image.config;
        let parent = self.family()?.parent(&image.id).map(ToString::to_string);
        Ok(ImageInspect {
            id: image.id.to_string(),
            parent: parent.unwrap_or_default(),
            repo_tags,
            repo_digests,
            comment: config
                .history
                .last()
                .map(|step| step.comment.clone())
                .unwrap_or_default(),
            created: made.clone(),
            container: config.container,
            container_config: Some(container_config(&config.config)),
            docker_version: config.docker_version,
            author: config.author,
            config: container_config(&config.config),
            architecture: config.architecture,
            variant: config.variant,
            os: config.os,
            size,
            virtual_size: size,
            graph_driver: GraphDriver {
                name: "overlay2".into(),
                data,
            },
            root_fs: RootFs {
                kind: "layers".into(),
                layers: config
                    .rootfs
                    .diff_ids
                    .iter()
                    .map(Digest::to_string)
                    .collect(),
            },
            metadata: ImageMetadata {
                last_tag_time: made,
            },
        })
    }

    /// How an image came to be.
    pub async fn image_history(
        self: &Arc<Self>,
        text: &str,
    ) -> Result<Vec<HistoryEntry>, DaemonError> {
        let text = text.to_owned();
        self.block(move |daemon| {
            let image = Image::find(&daemon.store, &text)?;
            let names = daemon
                .image_names()
                .into_iter()
                .find(|(id, _)| *id == image.id);
            let tags = split_names(&names.map(|(_, names)| names).unwrap_or_default()).0;
            let steps = history(&daemon.store, &image)?;
            let ids = daemon.family()?.line(&image.id);
            let entry =
                |(index, (step, size, _)): (usize, (crate::oci::History, u64, Option<Digest>))| {
                    HistoryEntry {
                        // Each step has made one image; of what came from elsewhere only the last is here.
                        id: ids
                            .get(index)
                            .map_or_else(|| "<missing>".into(), ToString::to_string),
                        created: seconds(step.created.as_deref()),
                        created_by: step.created_by,
                        tags: (index == 0 && !tags.is_empty()).then(|| tags.clone()),
                        size: i64::try_from(size).unwrap_or(i64::MAX),
                        comment: step.comment,
                    }
                };
            Ok(steps.into_iter().enumerate().map(entry).collect())
        })
        .await
    }

    /// What each layer of an image holds and changed.
    pub async fn explore_image(self: &Arc<Self>, text: &str) -> Result<Exploration, DaemonError> {
        let text = text.to_owned();
        self.block(move |daemon| {
            let image = Image::find(&daemon.store, &text)?;
            Ok(explore(&daemon.store, &image)?)
        })
        .await
    }

    /// Gives an image one more name.
    pub async fn tag(
        self: &Arc<Self>,
        text: &str,
        repository: &str,
        tag: &str,
    ) -> Result<(), DaemonError> {
        let name = if tag.is_empty() {
            repository.to_owned()
        } else {
            format!("{repository}:{tag}")
        };
        let reference = Reference::parse(&name)?;
        if matches!(reference.selector(), Selector::Digest(_)) {
            return Err(DaemonError::Invalid(
                "refusing to create a tag with a digest reference".into(),
            ));
        }
        let text = text.to_owned();
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let image = Image::find(&daemon.store, &text)?;
            name_image(
                &daemon.store,
                Some(&reference),
                &image.id,
                &image.manifest_digest,
            )?;
            daemon.tell_image("tag", &image.id, &reference.familiar(), &image);
            Ok(())
        })
        .await
    }

    /// Packs images: those named, each with the names it was asked by.
    pub async fn save_images(
        self: &Arc<Self>,
        names: Vec<String>,
        out: impl std::io::Write + Send + 'static,
    ) -> Result<(), DaemonError> {
        self.block(move |daemon| {
            Ok(crate::image::save(
                &daemon.store,
                &daemon.named(&names)?,
                out,
            )?)
        })
        .await
    }

    /// Checks that images can be saved, before a stream begins.
    pub async fn check_images(self: &Arc<Self>, names: Vec<String>) -> Result<(), DaemonError> {
        self.block(move |daemon| daemon.named(&names).map(drop))
            .await
    }

    fn named(&self, texts: &[String]) -> Result<Vec<(Image, Vec<Reference>)>, DaemonError> {
        let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
        for text in texts {
            // A repository without a tag means all its tags.
            let all = self.all_of_repository(text)?;
            if !all.is_empty() {
                for (image, name) in all {
                    match images.iter_mut().find(|(known, _)| known.id == image.id) {
                        Some((_, names)) => names.push(name),
                        None => images.push((image, vec![name])),
                    }
                }
                continue;
            }
            let image = Image::find(&self.store, text).map_err(|error| match error {
                // Nobody has said a tag.
                ImageError::NotFound(_) => ImageError::NotFound(text.clone()),
                error => error,
            })?;
            let name = Reference::parse(text)
                .ok()
                .filter(|name| name.tag().is_some());
            // An id is no name, though it looks like one.
            let name = name.filter(|_| {
                !image
                    .id
                    .hex()
                    .starts_with(text.strip_prefix("sha256:").unwrap_or(text))
            });
            match images.iter_mut().find(|(known, _)| known.id == image.id) {
                Some((_, names)) => names.extend(name),
                None => images.push((image, name.into_iter().collect())),
            }
        }
        Ok(images)
    }

    /// The images of a repository that is named without a tag; none for any other text.
    fn all_of_repository(&self, text: &str) -> Result<Vec<(Image, Reference)>, DaemonError> {
        let last = text.rsplit('/').next().unwrap_or(text);
        let Some(wanted) = Reference::parse(text)
            .ok()
            .filter(|_| !last.contains([':', '@']))
        else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for (image, names) in images_of(&self.store)? {
            let names = names.into_iter().filter(|name| name.tag().is_some());
            let names = names.filter(|name| name.familiar_name() == wanted.familiar_name());
            found.extend(names.map(|name| (Image::clone(&image), name)));
        }
        Ok(found)
    }

    /// Loads an archive of images.
    pub async fn load_images(
        self: &Arc<Self>,
        archive: impl std::io::Read + Send + 'static,
        sink: super::ProgressSink,
    ) -> Result<(), DaemonError> {
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let scratch = daemon
                .config
                .data_root
                .join(format!("load-{}", super::names::random_id()));
            std::fs::create_dir(&scratch)
                .map_err(DaemonError::io(format!("make {}", scratch.display())))?;
            let loaded = super::files::plain(archive)
                .and_then(|archive| Ok(crate::image::load(&daemon.store, archive, &scratch)?));
            if let Err(error) = std::fs::remove_dir_all(&scratch) {
                tracing::warn!("cannot remove {}: {error}", scratch.display());
            }
            for (image, names) in loaded? {
                let shown = |name: &Reference| format!("Loaded image: {}\n", name.familiar());
                let mut lines: Vec<String> = names.iter().map(shown).collect();
                if lines.is_empty() {
                    lines.push(format!("Loaded image ID: {}\n", image.id));
                }
                for line in lines {
                    sink.send(crate::api::types::Progress {
                        stream: Some(line),
                        ..Default::default()
                    });
                }
                daemon.tell_image("load", &image.id, &image.id.to_string(), &image);
            }
            Ok(())
        })
        .await
    }

    /// Tells an event about an image.
    pub(crate) fn tell_image(&self, action: &str, id: &Digest, name: &str, image: &Image) {
        let mut attributes = image.config.config.labels.clone().unwrap_or_default();
        attributes.insert("name".to_owned(), name.to_owned());
        self.events
            .emit("image", action, &id.to_string(), attributes);
    }
}

/// `name:tag` and `name@sha256:…`, as people write them.
pub(crate) fn split_names(names: &[Reference]) -> (Vec<String>, Vec<String>) {
    let (tags, digests): (Vec<&Reference>, Vec<&Reference>) =
        names.iter().partition(|name| name.tag().is_some());
    let familiar = |names: Vec<&Reference>| names.into_iter().map(Reference::familiar).collect();
    (familiar(tags), familiar(digests))
}

fn created(image: &Image) -> i64 {
    seconds(image.config.created.as_deref())
}

fn seconds(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse::<Timestamp>().ok())
        .map_or(0, |time| time.as_second())
}

/// `busybox`, `busybox:1*`, `*/machine`.
fn reference_matches(name: &Reference, pattern: &str) -> bool {
    if pattern.contains(':') {
        glob(pattern, &name.familiar())
    } else {
        glob(pattern, &name.familiar_name())
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| glob(after, &rest[at..]))
        }),
    }
}

/// An image's configuration in the words of a container's.
pub(crate) fn container_config(config: &RunConfig) -> ContainerConfig {
    let set = |map: &BTreeMap<String, crate::oci::EmptyObject>| {
        map.keys().map(|key| (key.clone(), Empty {})).collect()
    };
    ContainerConfig {
        user: config.user.clone(),
        exposed_ports: config.exposed_ports.as_ref().map(set).unwrap_or_default(),
        env: config.env.clone().unwrap_or_default(),
        cmd: config.cmd.clone(),
        entrypoint: config.entrypoint.clone(),
        volumes: config.volumes.as_ref().map(set),
        working_dir: config.working_dir.clone(),
        labels: config.labels.clone().unwrap_or_default(),
        stop_signal: config.stop_signal.clone(),
        on_build: config.on_build.clone(),
        shell: config.shell.clone(),
        healthcheck: config
            .healthcheck
            .clone()
            .and_then(|check| serde_json::from_value::<HealthConfig>(check).ok()),
        ..ContainerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        let name = Reference::parse("quai/machine:2").unwrap();
        for (pattern, matches) in [
            ("quai/machine", true),
            ("quai/*", true),
            ("quai/machine:2", true),
            ("*:1", false),
        ] {
            assert_eq!(reference_matches(&name, pattern), matches, "{pattern}");
        }
    }
}
