//! The engine is killed; its containers are not.

use crate::{engine, sleeper};

#[test]
fn a_container_survives_the_death_of_its_engine() {
    let Some(mut engine) = engine("a_container_survives_the_death_of_its_engine") else {
        return;
    };
    let pid = sleeper(&engine, "survivor", &[]);
    engine
        .crash_and_restart()
        .expect("the engine starts again on the same data");
    assert_eq!(engine.pid("survivor"), pid);
    assert_eq!(engine.stdout(&["ps", "--format", "{{.Names}}"]), "survivor");
    assert_eq!(engine.stdout(&["exec", "survivor", "echo", "here"]), "here");
    engine.stdout(&["stop", "-t", "0", "survivor"]);
    assert_eq!(
        engine.stdout(&["inspect", "--format", "{{.State.ExitCode}}", "survivor"]),
        "137"
    );
}
