//! What the machine's engine says through its public API: containers, images, events.
//!
//! These are claims: a container said to run counts only when the kernel shows its process, see
//! `crate::round`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bounds::words;
use super::socket::{self, SocketError};
use crate::compare::whole;

/// The newest containers that are looked at.
const MOST: usize = 100;

/// All that the engine says at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    /// Containers that exist or have existed, in ascending order of creation.
    pub containers: Vec<Container>,
    /// Tags of each image, by id.
    pub images: BTreeMap<String, Vec<String>>,
    /// References that were pulled, in order.
    pub pulls: Vec<String>,
}

/// A container, present or past.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Full id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Image as written.
    pub image: String,
    /// Lifecycle, as the engine claims.
    pub state: String,
    /// Last exit code.
    pub exit_code: Option<i64>,
    /// Nanoseconds since 1970.
    pub created: i128,
    /// Pid of its first process, as the engine claims; 0 without one.
    pub pid: i32,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its input stays open.
    pub stdin_open: bool,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Restarts by policy.
    pub restarts: i64,
    /// What happened to it, in order.
    pub events: Vec<String>,
}

impl Engine {
    /// Asks everything; an engine that was never started has nothing.
    pub fn fetch(socket: &Path) -> Result<Self, SocketError> {
        match Self::ask(socket) {
            Err(SocketError::Absent) => Ok(Self::default()),
            other => other,
        }
    }

    /// The image that a reference means.
    pub fn image(&self, reference: &str) -> Option<&str> {
        let wanted = whole(reference);
        let tagged = |tags: &Vec<String>| tags.iter().any(|t| whole(t) == wanted);
        let mut images = self.images.iter();
        images
            .find(|(_, tags)| tagged(tags))
            .map(|(id, _)| id.as_str())
    }

    /// How many times a reference was pulled.
    pub fn pulls(&self, reference: &str) -> usize {
        let wanted = whole(reference);
        self.pulls.iter().filter(|p| whole(p) == wanted).count()
    }

    fn ask(socket: &Path) -> Result<Self, SocketError> {
        let listed: Vec<Listed> = json(socket, "/containers/json?all=1")?;
        let images: Vec<Image> = json(socket, "/images/json")?;
        let events = events(socket)?;
        let mut containers = Vec::new();
        for Listed { id } in listed.into_iter().take(MOST) {
            match json::<Inspected>(socket, &format!("/containers/{id}/json")) {
                Ok(inspected) => containers.push(present(inspected)),
                // Removed since it was listed: the events tell about it.
                Err(SocketError::Refused { status: 404, .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let mut engine = Self {
            containers,
            images: images
                .into_iter()
                .map(|i| (i.id, i.repo_tags.unwrap_or_default()))
                .collect(),
            pulls: Vec::new(),
        };
        events.iter().for_each(|event| engine.learn(event));
        engine
            .containers
            .sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(engine)
    }

    /// Adds what an event tells: actions of containers, containers that are no more, pulls.
    fn learn(&mut self, event: &Event) {
        let attribute = |name: &str| event.actor.attributes.get(name).cloned();
        match event.kind.as_str() {
            "image" if event.action == "pull" => {
                // Docker names what was asked for; an engine may give the image's id instead.
                let asked = &event.actor.id;
                let name = attribute("name").filter(|_| asked.starts_with("sha256:"));
                self.pulls.push(name.unwrap_or_else(|| asked.clone()));
            }
            "container" => {
                let id = &event.actor.id;
                let known = self.containers.iter().position(|c| c.id == *id);
                let index = known.unwrap_or_else(|| {
                    self.containers.push(past(id, event.time));
                    self.containers.len() - 1
                });
                let container = &mut self.containers[index];
                // `exec_create: /bin/sh` carries its command behind the colon.
                let action = event.action.split(':').next().unwrap_or_default();
                container.events.push(words(action.as_bytes()));
                if container.state == REMOVED {
                    container.name = attribute("name").unwrap_or_default();
                    container.image = attribute("image").unwrap_or_default();
                    let code = attribute("exitCode").and_then(|c| c.parse().ok());
                    container.exit_code = code.or(container.exit_code);
                }
            }
            _ => {}
        }
    }
}

/// The state of a container that the engine no longer lists.
pub(crate) const REMOVED: &str = "removed";

fn past(id: &str, created: i128) -> Container {
    Container {
        id: words(id.as_bytes()),
        name: String::new(),
        image: String::new(),
        state: REMOVED.into(),
        exit_code: None,
        created,
        pid: 0,
        command: Vec::new(),
        tty: false,
        stdin_open: false,
        auto_remove: false,
        restarts: 0,
        events: Vec::new(),
    }
}

fn present(c: Inspected) -> Container {
    // Docker's date of what has not happened yet.
    let ended = !c.state.finished_at.is_empty() && !c.state.finished_at.starts_with("0001-");
    let bounded = |word: &String| words(word.as_bytes());
    Container {
        id: c.id,
        name: words(c.name.trim_start_matches('/').as_bytes()),
        image: words(c.config.image.as_bytes()),
        state: c.state.status,
        exit_code: ended.then_some(c.state.exit_code),
        created: nanoseconds(&c.created),
        pid: c.state.pid,
        command: std::iter::once(&c.path)
            .chain(&c.args)
            .map(bounded)
            .collect(),
        tty: c.config.tty,
        stdin_open: c.config.open_stdin,
        auto_remove: c.host_config.auto_remove,
        restarts: c.restart_count,
        events: Vec::new(),
    }
}

fn nanoseconds(date: &str) -> i128 {
    date.parse::<jiff::Timestamp>()
        .map_or(0, |t| t.as_nanosecond())
}

/// Every event the engine remembers: objects one after another, not an array.
fn events(socket: &Path) -> Result<Vec<Event>, SocketError> {
    let now = jiff::Timestamp::now().as_second() + 1;
    let path = format!("/events?since=0&until={now}");
    let body = socket::get(socket, &path)?;
    serde_json::Deserializer::from_slice(&body)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|_| SocketError::Malformed { path })
}

fn json<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T, SocketError> {
    let body = socket::get(socket, path)?;
    serde_json::from_slice(&body).map_err(|_| SocketError::Malformed { path: path.into() })
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    repo_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(rename = "timeNano", default)]
    time: i128,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    created: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    args: Vec<String>,
    state: State,
    config: Config,
    #[serde(default)]
    host_config: HostConfig,
    #[serde(default)]
    restart_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    pid: i32,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    finished_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    image: String,
    #[serde(default)]
    tty: bool,
    #[serde(default)]
    open_stdin: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    auto_remove: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = attributes.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Event {
            kind: "container".into(),
            action: action.into(),
            actor: Actor {
                id: "c1".into(),
                attributes: attributes.collect(),
            },
            time: 7,
        }
    }

    #[test]
    fn a_removed_container_is_known_by_its_events() {
        let mut engine = Engine::default();
        let names = [("name", "web"), ("image", "debian")];
        engine.learn(&event("create", &names));
        engine.learn(&event("exec_create: /bin/sh", &names));
        engine.learn(&event("die", &[names[0], names[1], ("exitCode", "137")]));
        engine.learn(&event("destroy", &names));
        let container = &engine.containers[0];
        assert_eq!(
            container.events,
            ["create", "exec_create", "die", "destroy"]
        );
        assert_eq!(
            (container.name.as_str(), container.exit_code),
            ("web", Some(137))
        );
        assert_eq!(container.state, REMOVED);
    }

    #[test]
    fn an_inspected_container_is_read() {
        let text = r#"{"Id":"c1","Name":"/web","Created":"2026-01-02T03:04:05.5Z","Path":"sleep",
            "Args":["60"],"State":{"Status":"exited","Pid":0,"ExitCode":3,
            "FinishedAt":"2026-01-02T03:05:05Z"},"Config":{"Image":"debian","Tty":true}}"#;
        let container = present(serde_json::from_str(text).unwrap());
        assert_eq!(container.name, "web");
        assert_eq!(container.command, ["sleep", "60"]);
        assert_eq!(container.exit_code, Some(3));
        assert!(container.tty && container.created > 1_700_000_000_000_000_000);
        let fresh = text.replace("2026-01-02T03:05:05Z", "0001-01-01T00:00:00Z");
        assert_eq!(
            present(serde_json::from_str(&fresh).unwrap()).exit_code,
            None
        );
    }

    #[test]
    fn an_engine_that_was_never_started_has_nothing() {
        let engine = Engine::fetch(Path::new("/nonexistent/engine.sock")).unwrap();
        assert_eq!(engine, Engine::default());
    }
}
