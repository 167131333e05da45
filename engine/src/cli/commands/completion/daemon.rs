//! The names of a daemon's objects. A daemon that does not answer has none: whoever presses a
//! key wants no error there.

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::path::Query;

/// A kind of objects, or those of a kind in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// Every container.
    Containers,
    /// Those that run.
    Running,
    /// Those that run and are paused.
    Paused,
    /// Those that do not run.
    Stopped,
    /// Images.
    Images,
    /// Networks.
    Networks,
    /// Volumes.
    Volumes,
}

/// Names, and what each is.
pub(super) async fn list(client: &Client, objects: Objects) -> Vec<(String, String)> {
    let query = match objects {
        Objects::Images => Query::new(&["images", "json"]),
        Objects::Networks => Query::new(&["networks"]),
        Objects::Volumes => Query::new(&["volumes"]),
        Objects::Running => Query::new(&["containers", "json"]),
        _ => Query::new(&["containers", "json"]).with("all", "1"),
    };
    let Ok(answer) = client.get(&query).await else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match objects {
        Objects::Images => items(&answer)
            .iter()
            .flat_map(|image| items(&image["RepoTags"]))
            .map(|name| text(&name))
            .filter(|name| !name.contains("<none>"))
            .flat_map(|name| {
                let bare = name.strip_suffix(":latest").map(str::to_owned);
                bare.into_iter().chain([name])
            })
            .map(|name| (name, String::new()))
            .collect(),
        Objects::Networks => items(&answer)
            .iter()
            .map(|network| (text(&network["Name"]), text(&network["Driver"])))
            .collect(),
        Objects::Volumes => items(&answer["Volumes"])
            .iter()
            .map(|volume| (text(&volume["Name"]), text(&volume["Driver"])))
            .collect(),
        _ => items(&answer)
            .iter()
            .filter(|container| {
                let state = text(&container["State"]);
                match objects {
                    Objects::Paused => state == "paused",
                    Objects::Stopped => matches!(state.as_str(), "created" | "exited" | "dead"),
                    _ => true,
                }
            })
            .flat_map(|container| {
                let about = text(&container["Status"]);
                let names = items(&container["Names"]);
                names
                    .iter()
                    .map(|name| (text(name).trim_start_matches('/').to_owned(), about.clone()))
                    .collect::<Vec<_>>()
            })
            .collect(),
    }
}
