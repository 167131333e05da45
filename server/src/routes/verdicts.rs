//! Verdicts as data → what the page shows; the sentences come from `web`.

use labs::exercise::Value;
use labs::protocol::Report;
use labs::verdict::{Doubt, Mismatch, Reason, Verdict};
use serde::Serialize;
use web::messages::say;
use web::phrases;

use crate::machine::pool::MachineState;
use crate::session::watches::{News, Snapshot};

/// One message to the page; `front/checks.ts` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum PageMessage {
    /// A check or a question.
    Item {
        /// Its id.
        id: String,
        /// Colour and icon.
        state: ItemState,
        /// Why it is not green.
        why: Vec<phrases::Why>,
    },
    /// The whole.
    Round {
        /// Whether everything is green.
        solved: bool,
        /// The first item that is not.
        headline: Option<String>,
    },
    /// The machine.
    Machine {
        /// For the style sheet.
        state: &'static str,
        /// In words.
        text: String,
        /// Why and what to do, when it failed.
        why: Option<String>,
    },
    /// Where programs of the machine can be reached.
    Ports {
        /// TCP ports, in ascending order.
        ports: Vec<u16>,
    },
    /// Everything said before is void.
    Reset,
}

/// Colour and icon of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemState {
    /// Green.
    Pass,
    /// Not so yet.
    Fail,
    /// Something else comes first, or no answer was given.
    Pending,
    /// The platform cannot tell.
    Undetermined,
}

/// Everything a tab must be told at its opening.
pub(crate) fn messages(snapshot: &Snapshot) -> Vec<PageMessage> {
    let machine = snapshot.machine.iter().map(machine);
    let reports = snapshot.reports.values().map(report);
    let round = snapshot.round.iter().map(report);
    let ports = snapshot.ports.iter().map(report);
    machine.chain(reports).chain(round).chain(ports).collect()
}

/// One change.
pub(crate) fn message(news: &News) -> PageMessage {
    match news {
        News::Report(said) => report(said),
        News::Machine(state) => machine(state),
        News::Reset => PageMessage::Reset,
    }
}

fn report(report: &Report) -> PageMessage {
    match report {
        Report::Check {
            check: id, verdict, ..
        }
        | Report::Question {
            question: id,
            verdict,
        } => {
            let (state, why) = item(verdict);
            PageMessage::Item {
                id: id.clone(),
                state,
                why,
            }
        }
        Report::Round { solved, headline } => PageMessage::Round {
            solved: *solved,
            headline: headline.clone(),
        },
        Report::Ports { ports } => PageMessage::Ports {
            ports: ports.clone(),
        },
    }
}

fn item(verdict: &Verdict) -> (ItemState, Vec<phrases::Why>) {
    match verdict {
        Verdict::Pass => (ItemState::Pass, Vec::new()),
        Verdict::Fail { reasons } => {
            let waits = reasons
                .iter()
                .all(|reason| matches!(reason, Reason::Needs { .. } | Reason::Unanswered));
            let state = if waits {
                ItemState::Pending
            } else {
                ItemState::Fail
            };
            (state, reasons.iter().filter_map(why).collect())
        }
        Verdict::Undetermined { doubt } => (
            ItemState::Undetermined,
            vec![phrases::undetermined(&why_not(doubt))],
        ),
    }
}

/// Why the platform cannot tell.
fn why_not(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Unreadable { what, why } => say("doubt.unreadable", &[("what", what), ("why", why)]),
        Doubt::Engine { why } => say("doubt.engine", &[("why", why)]),
        Doubt::Disagreement { engine, kernel } => say(
            "doubt.disagreement",
            &[("engine", engine), ("kernel", kernel)],
        ),
    }
}

/// A verdict in the words that the page shows; nothing for what is green or waits for another.
pub(crate) fn sentences(verdict: &Verdict) -> Vec<String> {
    let lines = item(verdict).1.into_iter();
    lines
        .map(|why| {
            why.explain
                .map_or(why.line.clone(), |said| format!("{} ({said})", why.line))
        })
        .collect()
}

fn why(reason: &Reason) -> Option<phrases::Why> {
    match reason {
        Reason::Fact(mismatch) => Some(phrases::mismatch(&view(mismatch))),
        Reason::Baseline(mismatch) => Some(phrases::baseline(&view(mismatch))),
        Reason::Unbound { name } => Some(phrases::unbound(name)),
        Reason::Wrong { given } => Some(phrases::wrong(given)),
        Reason::Needs { .. } | Reason::Unanswered => None,
    }
}

fn view(mismatch: &Mismatch) -> phrases::Mismatch {
    phrases::Mismatch {
        fact: mismatch.fact.clone(),
        operator: mismatch.operator.clone(),
        expected: mismatch.expected.as_ref().map(value),
        observed: mismatch.observed.as_ref().map(value),
        source: mismatch.source.clone(),
        explain: mismatch.explain.clone(),
    }
}

fn value(value: &Value) -> phrases::Value {
    match value {
        Value::Bool(yes) => phrases::Value::Truth(*yes),
        Value::Int(number) => phrases::Value::Number(*number),
        Value::Text(text) => phrases::Value::Text(text.clone()),
        Value::List(list) => phrases::Value::List(list.iter().map(self::value).collect()),
    }
}

fn machine(state: &MachineState) -> PageMessage {
    let name = match state {
        MachineState::Absent => "absent",
        MachineState::Starting => "starting",
        MachineState::Ready => "ready",
        MachineState::Stopped => "stopped",
        MachineState::Failed(_) => "failed",
    };
    let why = match state {
        MachineState::Failed(error) => {
            Some(format!("{} : {}. {}", error.what, error.why, error.remedy))
        }
        _ => None,
    };
    PageMessage::Machine {
        state: name,
        text: say(&format!("machine.{name}"), &[]),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_reaches_the_page_as_sentences() {
        let report: Report = serde_json::from_value(serde_json::json!({
            "check": "limite", "facts": {},
            "verdict": { "status": "fail", "reasons": [{
                "kind": "fact", "fact": "groupe.memory.max", "operator": "eq",
                "expected": 67108864, "observed": "max", "source": "/sys/fs/cgroup/tp/memory.max"
            }]}
        }))
        .unwrap();
        let json = serde_json::to_value(message(&News::Report(report))).unwrap();
        assert_eq!(json["kind"], "item");
        assert_eq!(json["state"], "fail");
        let line = json["why"][0]["line"].as_str().unwrap();
        assert!(line.contains("67108864") && line.contains("max"), "{line}");
    }

    #[test]
    fn what_waits_for_another_check_is_not_red() {
        let verdict: Verdict = serde_json::from_value(serde_json::json!({
            "status": "fail", "reasons": [{ "kind": "needs", "check": "a" }]
        }))
        .unwrap();
        assert_eq!(item(&verdict), (ItemState::Pending, Vec::new()));
    }
}
