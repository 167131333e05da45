//! Every route of the Docker Engine API 1.45, and how this engine stands to it.
//!
//! `docs/docker-api.md` is written from this table; a test fails when it is not current, another one asks a running
//! engine for every line.

/// How this engine stands to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does what Docker does.
    Served,
    /// It answers with the refusal that Docker gives, or says that it has no such thing.
    Refused(&'static str),
}

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path without a version.
    pub path: &'static str,
    /// The chapter of the API it belongs to.
    pub chapter: &'static str,
    /// How this engine stands to it.
    pub standing: Standing,
}

const fn served(chapter: &'static str, method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        chapter,
        standing: Standing::Served,
    }
}

const fn refused(
    chapter: &'static str,
    method: &'static str,
    path: &'static str,
    why: &'static str,
) -> Route {
    Route {
        method,
        path,
        chapter,
        standing: Standing::Refused(why),
    }
}

/// Every route.
#[rustfmt::skip]
pub const ROUTES: [Route; 113] = [
    served("system", "GET", "/_ping"),
    served("system", "HEAD", "/_ping"),
    served("system", "GET", "/version"),
    served("system", "GET", "/info"),
    served("system", "GET", "/events"),
    served("system", "GET", "/system/df"),
    served("system", "POST", "/auth"),
    served("containers", "GET", "/containers/json"),
    served("containers", "POST", "/containers/create"),
    served("containers", "POST", "/containers/prune"),
    served("containers", "GET", "/containers/{id}/json"),
    served("containers", "GET", "/containers/{id}/top"),
    served("containers", "GET", "/containers/{id}/logs"),
    served("containers", "GET", "/containers/{id}/changes"),
    served("containers", "GET", "/containers/{id}/export"),
    served("containers", "GET", "/containers/{id}/stats"),
    served("containers", "POST", "/containers/{id}/resize"),
    served("containers", "POST", "/containers/{id}/start"),
    served("containers", "POST", "/containers/{id}/stop"),
    served("containers", "POST", "/containers/{id}/restart"),
    served("containers", "POST", "/containers/{id}/kill"),
    served("containers", "POST", "/containers/{id}/update"),
    served("containers", "POST", "/containers/{id}/rename"),
    served("containers", "POST", "/containers/{id}/pause"),
    served("containers", "POST", "/containers/{id}/unpause"),
    served("containers", "POST", "/containers/{id}/attach"),
    served("containers", "GET", "/containers/{id}/attach/ws"),
    served("containers", "POST", "/containers/{id}/wait"),
    served("containers", "HEAD", "/containers/{id}/archive"),
    served("containers", "GET", "/containers/{id}/archive"),
    served("containers", "PUT", "/containers/{id}/archive"),
    served("containers", "POST", "/containers/{id}/exec"),
    served("containers", "DELETE", "/containers/{id}"),
    served("containers", "DELETE", "/containers/{id}/{alias}"),
    refused("containers", "GET", "/containers/{id}/checkpoints", "experimental"),
    refused("containers", "POST", "/containers/{id}/checkpoints", "experimental"),
    refused("containers", "DELETE", "/containers/{id}/checkpoints/{name}", "experimental"),
    served("exec", "POST", "/exec/{id}/start"),
    served("exec", "POST", "/exec/{id}/resize"),
    served("exec", "GET", "/exec/{id}/json"),
    served("images", "GET", "/images/json"),
    served("images", "POST", "/images/create"),
    served("images", "GET", "/images/search"),
    served("images", "POST", "/images/prune"),
    served("images", "GET", "/images/get"),
    served("images", "POST", "/images/load"),
    served("images", "GET", "/images/{name}/json"),
    served("images", "GET", "/images/{name}/history"),
    served("images", "GET", "/images/{name}/get"),
    served("images", "POST", "/images/{name}/push"),
    served("images", "POST", "/images/{name}/tag"),
    served("images", "DELETE", "/images/{name}"),
    served("images", "GET", "/distribution/{name}/json"),
    served("images", "POST", "/commit"),
    served("images", "POST", "/build"),
    served("images", "POST", "/build/prune"),
    served("images", "POST", "/build/cancel"),
    refused("images", "POST", "/session", "BuildKit"),
    refused("images", "POST", "/grpc", "BuildKit"),
    served("networks", "GET", "/networks"),
    served("networks", "GET", "/networks/{id}"),
    served("networks", "DELETE", "/networks/{id}"),
    served("networks", "POST", "/networks/create"),
    served("networks", "POST", "/networks/{id}/connect"),
    served("networks", "POST", "/networks/{id}/disconnect"),
    served("networks", "POST", "/networks/prune"),
    served("volumes", "GET", "/volumes"),
    served("volumes", "POST", "/volumes/create"),
    served("volumes", "GET", "/volumes/{name}"),
    served("volumes", "DELETE", "/volumes/{name}"),
    refused("volumes", "PUT", "/volumes/{name}", "cluster volumes of a swarm"),
    served("volumes", "POST", "/volumes/prune"),
    refused("swarm", "GET", "/swarm", "not a manager"),
    refused("swarm", "POST", "/swarm/init", "swarm mode"),
    refused("swarm", "POST", "/swarm/join", "swarm mode"),
    refused("swarm", "POST", "/swarm/leave", "not in a swarm"),
    refused("swarm", "POST", "/swarm/update", "not a manager"),
    refused("swarm", "GET", "/swarm/unlockkey", "not a manager"),
    refused("swarm", "POST", "/swarm/unlock", "not a manager"),
    refused("swarm", "GET", "/nodes", "not a manager"),
    refused("swarm", "GET", "/nodes/{id}", "not a manager"),
    refused("swarm", "DELETE", "/nodes/{id}", "not a manager"),
    refused("swarm", "POST", "/nodes/{id}/update", "not a manager"),
    refused("swarm", "GET", "/services", "not a manager"),
    refused("swarm", "GET", "/services/{id}", "not a manager"),
    refused("swarm", "DELETE", "/services/{id}", "not a manager"),
    refused("swarm", "POST", "/services/create", "not a manager"),
    refused("swarm", "POST", "/services/{id}/update", "not a manager"),
    refused("swarm", "GET", "/services/{id}/logs", "not a manager"),
    refused("swarm", "GET", "/tasks", "not a manager"),
    refused("swarm", "GET", "/tasks/{id}", "not a manager"),
    refused("swarm", "GET", "/tasks/{id}/logs", "not a manager"),
    refused("swarm", "GET", "/secrets", "not a manager"),
    refused("swarm", "GET", "/secrets/{id}", "not a manager"),
    refused("swarm", "DELETE", "/secrets/{id}", "not a manager"),
    refused("swarm", "POST", "/secrets/create", "not a manager"),
    refused("swarm", "POST", "/secrets/{id}/update", "not a manager"),
    refused("swarm", "GET", "/configs", "not a manager"),
    refused("swarm", "GET", "/configs/{id}", "not a manager"),
    refused("swarm", "DELETE", "/configs/{id}", "not a manager"),
    refused("swarm", "POST", "/configs/create", "not a manager"),
    refused("swarm", "POST", "/configs/{id}/update", "not a manager"),
    served("plugins", "GET", "/plugins"),
    refused("plugins", "GET", "/plugins/privileges", "plugins"),
    refused("plugins", "POST", "/plugins/pull", "plugins"),
    refused("plugins", "POST", "/plugins/create", "plugins"),
    refused("plugins", "GET", "/plugins/{name}/json", "plugins"),
    refused("plugins", "DELETE", "/plugins/{name}", "plugins"),
    refused("plugins", "POST", "/plugins/{name}/enable", "plugins"),
    refused("plugins", "POST", "/plugins/{name}/disable", "plugins"),
    refused("plugins", "POST", "/plugins/{name}/upgrade", "plugins"),
    refused("plugins", "POST", "/plugins/{name}/push", "plugins"),
    refused("plugins", "POST", "/plugins/{name}/set", "plugins"),
];

/// The document that tells people.
pub fn document() -> String {
    let mut text = "# The Docker Engine API\n\nWritten from `engine/src/api/routes/table.rs` by its test \
                    (`UPDATE_DOCS=1 cargo test -p engine --lib routes::table`). Versions 1.24 to 1.45; what is \
                    *refused* answers as a Docker engine without that part does.\n"
        .to_owned();
    let mut chapter = "";
    for route in ROUTES {
        if route.chapter != chapter {
            chapter = route.chapter;
            text.push_str(&format!(
                "\n## {chapter}\n\n| route | status |\n|---|---|\n"
            ));
        }
        let status = match route.standing {
            Standing::Served => "served".to_owned(),
            Standing::Refused(why) => format!("refused: {why}"),
        };
        text.push_str(&format!(
            "| `{} {}` | {status} |\n",
            route.method, route.path
        ));
    }
    let served = ROUTES
        .iter()
        .filter(|route| route.standing == Standing::Served)
        .count();
    text.push_str(&format!(
        "\n{served} of {} routes are served.\n",
        ROUTES.len()
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/docker-api.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == document(),
            "docs/docker-api.md is not current: run this test with UPDATE_DOCS=1"
        );
    }

    #[test]
    fn no_route_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method, route.path)), "{route:?}");
        }
    }
}
