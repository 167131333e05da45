//! Want of memory.

use serde_json::json;

use crate::engine_process::Engine;
use crate::{Case, wait_until};

pub(crate) const CASES: &[Case] = &[(
    "want_of_memory_is_told_while_the_container_goes_on",
    told_at_once,
)];

fn told_at_once(engine: &mut Engine) {
    let groups = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    if !groups.contains("memory") && !groups.contains("cgroup2") {
        println!("SKIP want_of_memory: no memory controller is mounted");
        return;
    }
    let limits = json!({ "Memory": 16 << 20, "MemorySwap": 16 << 20 });
    let command = "dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 300";
    engine.run("oo", command, limits.clone(), json!({}));
    wait_until("the container is known to have wanted memory", || {
        engine.state("oo")["OOMKilled"] == true
    });
    assert_eq!(engine.state("oo")["Running"], true);
    assert_eq!(
        engine.actions("oo").iter().filter(|a| *a == "oom").count(),
        1
    );
    engine.run(
        "pp",
        "exec dd if=/dev/zero of=/dev/null bs=100M count=1",
        limits,
        json!({}),
    );
    wait_until("the first process is killed", || {
        engine.state("pp")["Status"] == "exited"
    });
    let state = engine.state("pp");
    assert_eq!(
        (&state["OOMKilled"], &state["ExitCode"]),
        (&json!(true), &json!(137))
    );
    assert_eq!(
        engine.actions("pp").iter().filter(|a| *a == "oom").count(),
        1
    );
}
