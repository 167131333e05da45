//! Every line of the table of routes, asked of a running engine.

use engine::api::table::{ROUTES, Standing};

use crate::cases::Case;
use crate::client::Client;

pub(crate) const CASES: [Case; 2] = [
    ("every_route_is_there", all),
    ("what_is_refused_says_so", refused),
];

fn path(template: &str) -> String {
    template
        .replace("{id}", "nobody")
        .replace("{name}", "nobody")
}

fn all(client: &Client) {
    for route in ROUTES {
        // They last, or need a body: the others of their kind speak for them.
        let lasting = [
            "/events",
            "/images/load",
            "/build",
            "/build/cancel",
            "/auth",
            "/images/search",
            "/distribution/{name}/json",
        ];
        if lasting.contains(&route.path) || route.path.ends_with("/prune") {
            continue;
        }
        let answer = client.ask(route.method, &path(route.path));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            !text.contains("page not found"),
            "{} {}: {} {text}",
            route.method,
            route.path,
            answer.status
        );
    }
    let answer = client.get("/containers/nobody/attach");
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (404, "page not found")
    );
}

fn refused(client: &Client) {
    for route in ROUTES {
        if route.standing == Standing::Served || route.method == "HEAD" {
            continue;
        }
        let answer = client.ask(route.method, &path(route.path));
        assert!(
            [400, 404, 501, 503].contains(&answer.status),
            "{} {}: {}",
            route.method,
            route.path,
            answer.status
        );
        assert!(!answer.message().is_empty());
    }
    let answer = client.get("/v1.30/nodes");
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .message()
            .starts_with("This node is not a swarm manager. Use \"docker swarm init\"")
    );
    assert_eq!(client.get("/plugins").body, b"[]");
}
