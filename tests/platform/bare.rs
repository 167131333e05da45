//! One machine without a web server, and scripts that its root runs.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::engine::catalogue;
use tests::host::{self, Need};
use tests::machines::Machines;

/// The machine's name.
const ID: &str = "m-00000000c1a5";

/// A running machine.
pub(crate) struct Bare(Machines);

impl Bare {
    /// Starts it; `None` with a printed reason where this host or this call cannot have one.
    pub(crate) fn start(test: &str) -> Option<Self> {
        if host::lacks(test, &[Need::Root, Need::Overlay, Need::Loop]) {
            return None;
        }
        let Some(catalogue) = catalogue() else {
            host::report(
                test,
                "QUAI_STORE names no store with the base images (script/test makes one)",
            );
            return None;
        };
        let mut machines = Machines::new(&catalogue).expect("a helper");
        machines.start(ID, json!({})).expect("a machine");
        Some(Self(machines))
    }

    /// Runs a script that must succeed; what it printed, without the last end of line.
    #[track_caller]
    pub(crate) fn does(&self, script: &str) -> String {
        let ran = self.0.run(ID, &with_path(script));
        assert_eq!(ran.code, 0, "{script}:\n{}", ran.output);
        ran.output.trim_end().to_owned()
    }

    /// Runs a script that must print this.
    #[track_caller]
    pub(crate) fn says(&self, script: &str, expected: &str) {
        assert_eq!(self.does(script), expected, "{script}");
    }

    /// Runs a script that must fail.
    #[track_caller]
    pub(crate) fn fails(&self, script: &str) {
        let ran = self.0.run(ID, &with_path(script));
        assert_ne!(ran.code, 0, "{script} succeeded:\n{}", ran.output);
    }

    /// Runs a script again and again until it prints this.
    #[track_caller]
    pub(crate) fn until(&self, script: &str, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ran = self.0.run(ID, &with_path(script));
            if ran.code == 0 && ran.output.trim_end() == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{script}:\n{}", ran.output);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Each line of a script must succeed, as a learner would stop at the first that does not.
fn with_path(script: &str) -> String {
    format!("set -e; exec 2>&1; {script}")
}
