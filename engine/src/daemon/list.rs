//! `docker ps`: containers, filtered and described in one line each.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::types::{ContainerSummary, Port, SummaryHostConfig, SummaryNetworks};
use crate::image::{Image, Reference};
use crate::oci::Digest;
use crate::store::tree_size;

use super::container::{ContainerRecord, State};
use super::inspect::Sizes;
use super::{Daemon, DaemonError, Filters};

/// Which containers are listed.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// Not only those that run.
    pub all: bool,
    /// The most recent ones, also when they do not run.
    pub limit: Option<usize>,
    /// Whether sizes are computed.
    pub sizes: Sizes,
    /// Conditions.
    pub filters: Filters,
}

/// Filter keys of the list.
pub const LIST_FILTERS: [&str; 16] = [
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
    "label!",
];

impl Daemon {
    /// Lists containers, the newest first: a JSON array of [`ContainerSummary`].
    pub async fn list(self: &Arc<Self>, options: ListOptions) -> Result<Vec<u8>, DaemonError> {
        self.block(move |daemon| daemon.list_now(&options)).await
    }

    /// Each container is described and written before the next: a thousand descriptions at once would cost more memory
    /// and time than the list.
    fn list_now(&self, options: &ListOptions) -> Result<Vec<u8>, DaemonError> {
        let filters = &options.filters;
        check(filters)?;
        let time_of = |key: &str| match filters.get(key).first() {
            Some(text) => self
                .container(text)
                .map(|container| Some(container.lock().record.created)),
            None => Ok(None),
        };
        let (before, since) = (time_of("before")?, time_of("since")?);
        let every = options.all || options.limit.is_some() || filters.has("status");
        let mut containers: Vec<_> = self
            .all_containers()
            .into_iter()
            .map(|container| {
                let created = container.lock().record.created;
                (created, container)
            })
            .collect();
        containers.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        let images = self.names_of_images();
        let (ids, names) = (filters.patterns("id"), filters.patterns("name"));
        let wanted = |record: &ContainerRecord| {
            (every
                || record.state.process().is_some()
                || matches!(record.state, State::Restarting(_)))
                && before.is_none_or(|time| record.created < time)
                && since.is_none_or(|time| record.created > time)
                && ids.find(&record.id)
                && (names.find(&record.name) || names.find(&format!("/{}", record.name)))
                && self.matches(record, filters)
        };
        let chosen = containers.into_iter().filter_map(|(_, container)| {
            // A copy of every record would cost more than the list. To count what is on the disk takes longer than a
            // lock is held.
            if options.sizes == Sizes::Computed {
                let record = container.record();
                return wanted(&record).then(|| self.summary(&record, options.sizes, &images));
            }
            let record = &container.lock().record;
            wanted(record).then(|| self.summary(record, options.sizes, &images))
        });
        let mut json = vec![b'['];
        for summary in chosen.take(options.limit.unwrap_or(usize::MAX)) {
            if json.len() > 1 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, &summary).expect("answers are plain data");
        }
        json.push(b']');
        Ok(json)
    }

    /// Whether every filter has an alternative that the container satisfies.
    fn matches(&self, record: &ContainerRecord, filters: &Filters) -> bool {
        let code = record.state.ended().map(|ended| ended.code.to_string());
        let ancestor = |wanted: &String| {
            let image = crate::image::Image::find(&self.store, wanted);
            image.is_ok_and(|image| {
                image.id == record.image_id || record.layers.starts_with(&image.chains())
            })
        };
        let mounted = |wanted: &String| {
            record.mounts.iter().any(|mount| {
                mount.name == *wanted || mount.destination == *wanted || mount.source == *wanted
            })
        };
        let is_task = filters.flag("is-task").ok().flatten();
        is_task != Some(true)
            && filters.any("status", |wanted| record.state.word() == wanted)
            && filters.any("exited", |wanted| {
                matches!(record.state, State::Exited(_)) && code.as_ref() == Some(wanted)
            })
            && filters.any("ancestor", ancestor)
            && filters.any("volume", mounted)
            && filters.any("network", |wanted| {
                record.endpoints.iter().any(|(name, end)| {
                    name == wanted || end.network_id.starts_with(wanted.as_str())
                }) || record.host_config.network_mode == *wanted
            })
            && filters.any("publish", |wanted| {
                // The port of the host, not the container's.
                ports(record).iter().any(|port| {
                    port.public_port.is_some_and(|public| {
                        is_port(&format!("{public}/{}", port.protocol), wanted)
                    })
                })
            })
            && filters.any("expose", |wanted| {
                record
                    .config
                    .exposed_ports
                    .keys()
                    .any(|known| is_port(known, wanted))
            })
            && filters.any("health", |wanted| health_word(record) == wanted)
            && filters.labels(&record.config.labels)
    }

    /// One line of the list.
    pub(crate) fn summary(
        &self,
        record: &ContainerRecord,
        sizes: Sizes,
        images: &NamesOfImages<'_>,
    ) -> ContainerSummary {
        let size = (sizes == Sizes::Computed)
            .then(|| tree_size(&self.container_dir(&record.id).join("upper")));
        let below = || -> u64 {
            let layers = record.layers.iter();
            let known = layers.filter_map(|chain| self.store.layer(chain).ok());
            known.map(|layer| layer.record.size).sum()
        };
        let words = record
            .config
            .entrypoint
            .iter()
            .flatten()
            .chain(record.config.cmd.iter().flatten());
        ContainerSummary {
            id: record.id.clone(),
            names: vec![format!("/{}", record.name)],
            image: images.shown(record),
            image_id: record.image_id.to_string(),
            command: words.map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
            created: record.created.as_second(),
            ports: ports(record),
            size_rw: size.and_then(|size| i64::try_from(size).ok()),
            size_root_fs: size.and_then(|size| i64::try_from(size + below()).ok()),
            labels: record.config.labels.clone(),
            state: record.state.word().into(),
            status: status(record, Timestamp::now()),
            host_config: SummaryHostConfig {
                network_mode: record.host_config.network_mode.clone(),
            },
            network_settings: SummaryNetworks {
                networks: record.endpoints.clone(),
            },
            mounts: record.mounts.clone(),
        }
    }
}

/// What the names mean by which containers were made, looked up once for each.
pub(crate) struct NamesOfImages<'a> {
    daemon: &'a Daemon,
    tags: BTreeMap<String, Digest>,
    known: RefCell<HashMap<String, Option<Digest>>>,
}

impl Daemon {
    /// What the names of images mean now.
    pub(crate) fn names_of_images(&self) -> NamesOfImages<'_> {
        NamesOfImages {
            daemon: self,
            tags: self.store.tags().all().unwrap_or_default(),
            known: RefCell::default(),
        }
    }
}

impl NamesOfImages<'_> {
    /// The name that was asked for, as long as it still means that image; then the id.
    fn shown(&self, record: &ContainerRecord) -> String {
        let asked = &record.config.image;
        let mut known = self.known.borrow_mut();
        if !known.contains_key(asked) {
            known.insert(asked.clone(), self.meaning(asked));
        }
        match &known[asked] {
            Some(id) if *id != record.image_id => record.image_id.to_string(),
            Some(_) => asked.clone(),
            // What is no name at all stays what it is.
            None if Reference::parse(asked).is_err() => asked.clone(),
            None => record.image_id.to_string(),
        }
    }

    fn meaning(&self, name: &str) -> Option<Digest> {
        let reference = Reference::parse(name).ok()?;
        let manifest = self.tags.get(&reference.to_string())?;
        let image = Image::shared(&self.daemon.store, manifest).ok()?;
        Some(image.id.clone())
    }
}

/// Refuses what no container can satisfy, in Docker's words.
fn check(filters: &Filters) -> Result<(), DaemonError> {
    let invalid = |text: String| Err(DaemonError::Invalid(text));
    for word in filters.get("status") {
        if !STATES.contains(&word.as_str()) {
            return invalid(format!("invalid filter 'status={word}'"));
        }
    }
    for code in filters.get("exited") {
        if code.parse::<i32>().is_err() {
            return invalid(format!(
                "invalid filter 'exited={code}': strconv.Atoi: parsing {code:?}: invalid syntax"
            ));
        }
    }
    for word in filters.get("health") {
        if !["none", "starting", "healthy", "unhealthy"].contains(&word.as_str()) {
            return invalid(format!("unrecognized filter value for health: {word}"));
        }
    }
    filters.flag("is-task")?;
    for key in ["publish", "expose"] {
        for port in filters.get(key) {
            port_range(port).map_err(|why| {
                DaemonError::Refused(format!("error while looking up for {key} {port}: {why}"))
            })?;
        }
    }
    Ok(())
}

const STATES: [&str; 7] = [
    "created",
    "running",
    "paused",
    "restarting",
    "removing",
    "exited",
    "dead",
];

/// `80`, `80-90`, `80/tcp`: numbers and a protocol.
fn port_range(text: &str) -> Result<(std::ops::RangeInclusive<u16>, &str), String> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().map_err(|_| {
            let why = if is_number {
                "value out of range"
            } else {
                "invalid syntax"
            };
            format!("strconv.ParseUint: parsing {text:?}: {why}")
        })
    };
    Ok((number(first)?..=number(last)?, protocol))
}

/// Whether a port such as `80/tcp` is one of those asked for.
fn is_port(known: &str, wanted: &str) -> bool {
    match (port_range(known), port_range(wanted)) {
        (Ok((known, one)), Ok((wanted, other))) => one == other && wanted.contains(known.start()),
        _ => false,
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

fn ports(record: &ContainerRecord) -> Vec<Port> {
    if record.state.process().is_none() {
        return Vec::new();
    }
    let split = |text: &str| {
        let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        Some((port.parse::<u16>().ok()?, protocol.to_owned()))
    };
    let mut ports = Vec::new();
    for (port, bindings) in &record.published {
        let Some((private_port, protocol)) = split(port) else {
            continue;
        };
        for binding in bindings {
            let ip = if binding.host_ip.is_empty() {
                "0.0.0.0"
            } else {
                &binding.host_ip
            };
            let public_port = binding.host_port.parse().ok();
            ports.push(Port {
                ip: ip.into(),
                private_port,
                public_port,
                protocol: protocol.clone(),
            });
        }
    }
    for port in record.config.exposed_ports.keys() {
        let Some((private_port, protocol)) = split(port) else {
            continue;
        };
        if !ports
            .iter()
            .any(|known| known.private_port == private_port && known.protocol == protocol)
        {
            ports.push(Port {
                private_port,
                protocol,
                ..Port::default()
            });
        }
    }
    ports.sort();
    ports
}

/// `starting`, `healthy`, `unhealthy`, or `none` without health tests.
fn health_word(record: &ContainerRecord) -> &str {
    record
        .health
        .as_ref()
        .map_or("none", |health| health.status.as_str())
}

/// For people: `Up 3 minutes`, `Exited (0) 2 hours ago`.
fn status(record: &ContainerRecord, now: Timestamp) -> String {
    let since = |time: Timestamp| age(now.as_second() - time.as_second());
    match &record.state {
        State::Created { .. } => "Created".into(),
        State::Running(running) => match health_word(record) {
            "none" => format!("Up {}", since(running.since)),
            "starting" => format!("Up {} (health: starting)", since(running.since)),
            word => format!("Up {} ({word})", since(running.since)),
        },
        State::Paused(running) => format!("Up {} (Paused)", since(running.since)),
        State::Restarting(ended) => format!(
            "Restarting ({}) {} ago",
            ended.code,
            since(ended.finished_at)
        ),
        State::Exited(ended) => format!("Exited ({}) {} ago", ended.code, since(ended.finished_at)),
    }
}

/// A duration as Docker's client words it.
fn age(seconds: i64) -> String {
    let (minute, hour, day) = (60, 3600, 86_400);
    match seconds {
        ..1 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".into(),
        120..2760 => format!("{} minutes", seconds / minute),
        2760..5400 => "About an hour".into(),
        5400..172_800 => format!("{} hours", (seconds + hour / 2) / hour),
        172_800..1_209_600 => format!("{} days", seconds / day),
        1_209_600..5_184_000 => format!("{} weeks", seconds / (7 * day)),
        5_184_000..63_072_000 => format!("{} months", seconds / (30 * day)),
        _ => format!("{} years", seconds / (365 * day)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_dockers() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (90, "About a minute"),
            (300, "5 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (3 * 86_400, "3 days"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }
}
