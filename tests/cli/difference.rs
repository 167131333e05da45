//! `differences.txt`: steps that end otherwise than recorded, each below its reason.
//!
//! A comment is the reason of the lines below it, up to the next empty line. A line is
//! `KIND NAME: $ COMMAND`; its kind says in which pairs the step has to differ: `engine` in all with
//! our engine, `client` in all with our client, `ours-on-ours`, `real-on-ours` or `ours-on-real` in
//! this one alone. A line that is no longer true is an error, as one without a reason is.

use std::fs;

use crate::transcript::here;

/// One known difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    kind: String,
    /// `NAME: $ COMMAND`
    pub(crate) step: String,
    reason: String,
}

impl Difference {
    /// All of the file.
    pub(crate) fn all() -> Vec<Self> {
        parse(&fs::read_to_string(here().join("differences.txt")).unwrap_or_default())
    }

    /// Whether the step has to differ when these two meet.
    pub(crate) fn is_about(&self, pair: &str, client_is_ours: bool, engine_is_ours: bool) -> bool {
        match self.kind.as_str() {
            "engine" => engine_is_ours,
            "client" => client_is_ours,
            kind => kind == pair.replace(' ', "-"),
        }
    }
}

fn parse(text: &str) -> Vec<Difference> {
    let (mut reason, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        if line.is_empty() {
            reason.clear();
        } else if let Some(words) = line.strip_prefix("# ") {
            reason = format!("{reason} {words}").trim().to_owned();
        } else if let Some((kind, step)) = line
            .split_once(' ')
            .filter(|(_, step)| step.contains(": $ "))
        {
            found.push(Difference {
                kind: kind.to_owned(),
                step: step.to_owned(),
                reason: reason.clone(),
            });
        } else {
            panic!("differences.txt: neither a reason nor a step: {line:?}");
        }
    }
    found
}

#[test]
fn every_known_difference_has_a_reason() {
    let without: Vec<_> = Difference::all()
        .into_iter()
        .filter(|difference| difference.reason.is_empty())
        .map(|difference| difference.step)
        .collect();
    assert!(without.is_empty(), "no reason is given for {without:#?}");
}

#[test]
fn a_reason_is_that_of_the_lines_below_it() {
    let found = parse("# because\n# so\nengine a: $ x\nclient b: $ y\n\nours-on-ours a: $ z\n");
    assert_eq!(found[1].reason, "because so");
    assert_eq!(
        (found[2].step.as_str(), found[2].reason.as_str()),
        ("a: $ z", "")
    );
    assert!(found[0].is_about("real on ours", false, true));
    assert!(!found[1].is_about("real on ours", false, true));
    assert!(found[2].is_about("ours on ours", true, true));
}
