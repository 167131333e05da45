//! An engine that is killed between freezing a container and writing so: what the kernel says is found at the next start.

use std::path::PathBuf;

use engine::runtime::cgroups;
use engine::stage::Stage;
use serde_json::{Value, json};

use crate::Case;
use crate::engine_process::Engine;

pub(crate) const CASES: &[Case] = &[
    ("a_freeze_that_was_not_written_is_undone", unwritten_freeze),
    ("a_thaw_that_was_not_written_holds", unwritten_thaw),
];

fn group(id: &str) -> PathBuf {
    cgroups::path(&Stage::Host, "", id)
}

fn unwritten_freeze(engine: &mut Engine) {
    let id = engine.run("stiff", "sleep 1000", json!({}), json!({}));
    engine.kill();
    cgroups::freeze(&group(&id)).unwrap();
    engine.start_again();
    assert_eq!(engine.state("stiff")["Status"], "running");
    assert!(!cgroups::is_frozen(&group(&id)));
    let removed = engine.client.delete("/containers/stiff?force=1");
    assert_eq!(removed.status, 204, "{}", removed.message());
}

fn unwritten_thaw(engine: &mut Engine) {
    let id = engine.run("limber", "sleep 1000", json!({}), json!({}));
    let post = |engine: &Engine, what: &str| {
        let path = format!("/containers/limber/{what}");
        engine.client.post(&path, &Value::Null).status
    };
    assert_eq!(post(engine, "pause"), 204);
    engine.kill();
    cgroups::thaw(&group(&id)).unwrap();
    engine.start_again();
    assert_eq!(engine.state("limber")["Status"], "running");
    assert_eq!(post(engine, "pause"), 204);
    // One that was told of stays.
    engine.kill();
    engine.start_again();
    assert_eq!(engine.state("limber")["Status"], "paused");
    assert_eq!(post(engine, "unpause"), 204);
}
