//! One case of a proof: what is done to a machine, and what the verdicts must then be.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use labs::exercise::{Exercise, Value};
use labs::verdict::{Reason, Verdict};
use serde_json::json;
use web::messages::say;

use super::machine::{Machine, ProofError};
use super::script::{self, Ran};
use super::verdicts::{Said, Verdicts};
use crate::routes::verdicts::sentences;

/// How long a machine is left alone to be found unsolved.
const UNTOUCHED: Duration = Duration::from_millis(2500);

/// How long a script may run.
const SCRIPT: Duration = Duration::from_secs(60);

/// How long after its solution everything must be green.
const GREEN: Duration = Duration::from_secs(30);

/// How long after a counter-example its verdicts are read.
const SETTLED: Duration = Duration::from_secs(3);

/// What is done to a machine.
pub(super) enum Case {
    /// Nothing.
    Untouched,
    /// The script that solves it.
    Solution(String),
    /// A near miss.
    CounterExample {
        /// Its script.
        script: String,
        /// The check it must leave red.
        check: String,
    },
}

/// What came of it.
pub(super) enum Outcome {
    /// As it must be.
    Good,
    /// Not as it must be.
    Bad {
        /// What is wrong.
        why: String,
        /// The end of the script's output.
        output: String,
    },
}

impl Case {
    /// All cases of an exercise, in order.
    pub(super) fn all(exercise: &Exercise) -> Vec<Self> {
        let examples = exercise.counterexamples.iter();
        let examples = examples.map(|example| Self::CounterExample {
            script: example.run.clone(),
            check: example.must_fail.clone(),
        });
        [Self::Untouched, Self::Solution(exercise.solve.clone())]
            .into_iter()
            .chain(examples)
            .collect()
    }

    /// The script that is run, if any.
    pub(super) fn script(&self) -> Option<&str> {
        match self {
            Self::Untouched => None,
            Self::Solution(script) | Self::CounterExample { script, .. } => Some(script),
        }
    }
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }

    /// What is wrong, with the end of the output.
    pub(super) fn why(&self) -> Option<String> {
        match self {
            Self::Good => None,
            Self::Bad { why, output } if output.trim().is_empty() => Some(why.clone()),
            Self::Bad { why, output } => Some(format!("{why}\n{output}")),
        }
    }

    /// One line of the report.
    pub(super) fn json(&self, exercise: &str, case: &Case, seconds: &str) -> serde_json::Value {
        let must_fail = match case {
            Case::CounterExample { check, .. } => Some(check),
            _ => None,
        };
        json!({
            "exercise": exercise,
            "script": case.script(),
            "must_fail": must_fail,
            "good": self.is_good(),
            "why": self.why(),
            "seconds": seconds,
        })
    }
}

/// Does what the case says to a fresh machine, and looks.
pub(super) fn judge(
    case: &Case,
    exercise: &Exercise,
    vars: &BTreeMap<String, Value>,
    scripts: &[Option<&str>],
    machines: &[Machine<'_>],
) -> Result<Outcome, ProofError> {
    let keeper = |source| ProofError::Keeper {
        path: "run/<machine>.sock".into(),
        source,
    };
    let mut verdicts = Vec::new();
    for machine in machines {
        let stream = machine.connect()?;
        verdicts.push(Verdicts::open(stream, machine.exercise(), vars).map_err(keeper)?);
    }
    // The scene must have been seen before anything happens, as a learner's page would.
    wait(&verdicts, Duration::from_secs(10), |said| said.rounds > 0);
    let mut ran = Ran {
        status: Some(0),
        output: String::new(),
    };
    let mut streams = Vec::new();
    for machine in machines {
        streams.push(machine.connect()?);
    }
    // On all machines at once: each may wait for what the other does.
    let all = std::thread::scope(|scope| {
        let each = scripts.iter().zip(streams).zip(&mut verdicts);
        let each = each.filter_map(|((script, stream), verdicts)| {
            let script = (*script)?;
            Some(scope.spawn(move || {
                let answer = |id: &str, value: &str| verdicts.answer(id, value);
                script::run(stream, script, vars, SCRIPT, answer)
            }))
        });
        let each: Vec<_> = each.collect();
        let ended = each.into_iter().map(|thread| thread.join());
        ended
            .map(|done| done.expect("a script's thread does not panic"))
            .collect::<Vec<_>>()
    });
    for one in all {
        let one = one.map_err(keeper)?;
        if ran.status == Some(0) {
            ran.status = one.status;
        }
        ran.output.push_str(&one.output);
    }
    match case {
        Case::Untouched => sleep(UNTOUCHED),
        Case::Solution(_) => wait(&verdicts, GREEN, |said| said.solved),
        Case::CounterExample { .. } => sleep(SETTLED),
    }
    let why = wrong(case, exercise, &Verdicts::together(&verdicts), &ran);
    Ok(match why {
        None => Outcome::Good,
        Some(why) => Outcome::Bad {
            why,
            output: ran.output,
        },
    })
}

fn wait(verdicts: &[Verdicts], patience: Duration, done: impl Fn(&Said) -> bool) {
    let until = Instant::now() + patience;
    while Instant::now() < until && !done(&Verdicts::together(verdicts)) {
        sleep(Duration::from_millis(50));
    }
}

/// What is not as the case wants it.
fn wrong(case: &Case, exercise: &Exercise, said: &Said, ran: &Ran) -> Option<String> {
    let wrong =
        |key: &str, values: &[(&str, &str)]| Some(say(&format!("content.wrong.{key}"), values));
    if said.rounds == 0 {
        return wrong("silent", &[("why", &said.errors.join("; "))]);
    }
    match ran.status {
        Some(0) => {}
        Some(status) => return wrong("status", &[("status", &status.to_string())]),
        None => return wrong("endless", &[]),
    }
    let doubt =
        |(_, verdict): &(&String, &Verdict)| matches!(verdict, Verdict::Undetermined { .. });
    if let Some((id, verdict)) = said.verdicts.iter().find(doubt) {
        return wrong("undetermined", &[("check", id), ("why", &brief(verdict))]);
    }
    match case {
        Case::Untouched if said.solved => wrong("solved", &[]),
        Case::Solution(_) if !said.solved => {
            let red = said.verdicts.iter().filter(|(_, v)| **v != Verdict::Pass);
            let red: Vec<String> = red.map(|(id, v)| format!("{id} : {}", brief(v))).collect();
            wrong("red", &[("checks", &red.join(" ; "))])
        }
        Case::Untouched | Case::Solution(_) => None,
        Case::CounterExample { check, .. } => {
            if said.verdicts.get(check) == Some(&Verdict::Pass) {
                return wrong("green", &[("check", check)]);
            }
            let needed = needed(exercise, check);
            let mut red: Vec<&String> = needed
                .iter()
                .filter(|id| said.verdicts.get(*id) != Some(&Verdict::Pass))
                .collect();
            // The cause is the one that does not itself wait for another.
            red.sort_by_key(|id| said.verdicts.get(*id).is_some_and(waits));
            let red = *red.first()?;
            let why = said.verdicts.get(red).map(brief).unwrap_or_default();
            wrong("waits", &[("check", check), ("other", red), ("why", &why)])
        }
    }
}

/// Everything that a check needs, directly or not.
fn needed(exercise: &Exercise, check: &str) -> BTreeSet<String> {
    let needs = |id: &str| {
        let checks = exercise.checks.iter().filter(|c| c.id == id);
        let questions = exercise.ask.iter().filter(|q| q.id == id);
        let direct = checks.flat_map(|c| c.needs.clone());
        direct
            .chain(questions.flat_map(|q| q.needs.clone()))
            .collect::<Vec<String>>()
    };
    let mut found = BTreeSet::new();
    let mut waiting = needs(check);
    while let Some(id) = waiting.pop() {
        if found.insert(id.clone()) {
            waiting.extend(needs(&id));
        }
    }
    found
}

fn waits(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fail { reasons } if matches!(reasons.first(), Some(Reason::Needs { .. })))
}

fn brief(verdict: &Verdict) -> String {
    let sentences = sentences(verdict);
    if sentences.is_empty() {
        return say("content.wrong.waiting", &[]);
    }
    sentences.join(", ")
}
