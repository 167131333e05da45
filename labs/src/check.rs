//! Fact × expectation, over time: levels, edges, baselines, stability.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::binding::Identity;
use crate::compare::compare;
use crate::exercise::schema::{AnswerKind, Mode, Question};
use crate::exercise::variables::fill;
use crate::exercise::{Value, schema::Check};
use crate::fact::Fact;
use crate::plan::{Claim, Item, Plan};
use crate::protocol::{Answer, Report};
use crate::round::{Reading, Round, Stop};
use crate::verdict::{Doubt, Mismatch, Reason, Verdict};

/// How long a level must hold before it is green.
pub(crate) const STABLE: Duration = Duration::from_millis(400);

/// What is remembered of every check and question of one exercise.
#[derive(Debug)]
pub(crate) struct Board {
    lines: BTreeMap<String, Line>,
    answers: BTreeMap<String, String>,
    solved: Option<(bool, Option<String>)>,
}

#[derive(Debug, Default)]
struct Line {
    /// An edge that was seen, a question that was answered.
    latched: bool,
    /// The baseline was seen, with these objects behind its names.
    armed: Option<Armed>,
    /// Since when a level holds.
    holds_since: Option<Instant>,
    /// The last verdict that was reported.
    reported: Option<Verdict>,
}

/// With which objects a baseline was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Armed {
    /// In this watch.
    With(BTreeMap<String, Option<Identity>>),
    /// In an earlier one, whose objects are not known any more.
    Before,
}

/// What comparing claims gave.
enum Outcome {
    Holds,
    Fails(Vec<Reason>),
    Doubt(Doubt),
}

impl Board {
    /// A board on which `passed` were already green and `answers` already given.
    pub(crate) fn new(plan: &Plan, passed: &[String], answers: BTreeMap<String, String>) -> Self {
        let line = |item: &Item| {
            let before = passed.iter().any(|id| id == item.id());
            let latches = match item {
                Item::Check { check, .. } => check.mode == Mode::Edge,
                Item::Question(_) => true,
            };
            let line = Line {
                latched: before && latches,
                armed: before.then_some(Armed::Before),
                ..Line::default()
            };
            (item.id().to_owned(), line)
        };
        Self {
            lines: plan.items.iter().map(line).collect(),
            answers,
            solved: None,
        }
    }

    /// Takes an answer; it is compared in the next round. Whether there is such a question.
    pub(crate) fn answer(&mut self, answer: Answer) -> bool {
        let Some(line) = self.lines.get_mut(&answer.id) else {
            return false;
        };
        // Said again even when the new answer gets the same verdict.
        line.reported = None;
        self.answers.insert(answer.id, answer.value);
        true
    }

    /// Forgets what was reported, so that the next round says everything.
    pub(crate) fn forget(&mut self) {
        for line in self.lines.values_mut() {
            line.reported = None;
        }
        self.solved = None;
    }

    /// Whether a level holds but not long enough yet.
    pub(crate) fn settling(&self) -> bool {
        let settling =
            |l: &Line| l.holds_since.is_some() && l.reported.as_ref() != Some(&Verdict::Pass);
        self.lines.values().any(settling)
    }

    /// Whether the platform could not tell something.
    pub(crate) fn doubtful(&self) -> bool {
        let doubt = |l: &Line| matches!(l.reported, Some(Verdict::Undetermined { .. }));
        self.lines.values().any(doubt)
    }

    /// Judges everything in one round and returns what has changed.
    pub(crate) fn judge(&mut self, plan: &Plan, round: &Round<'_>, now: Instant) -> Vec<Report> {
        let mut reports = Vec::new();
        let mut green = BTreeSet::new();
        let mut headline = None;
        for item in &plan.items {
            let line = self.lines.entry(item.id().to_owned()).or_default();
            let missing = item.needs().iter().find(|id| !green.contains(*id));
            let verdict = match (item, missing) {
                _ if line.latched => Some(Verdict::Pass),
                (_, Some(check)) => {
                    line.holds_since = None;
                    let check = check.clone();
                    let reasons = vec![Reason::Needs { check }];
                    Some(Verdict::Fail { reasons })
                }
                (
                    Item::Check {
                        check,
                        baseline,
                        claims,
                    },
                    None,
                ) => line.check(check, baseline, claims, round, plan, now),
                (Item::Question(question), None) => {
                    let given = self.answers.get(&question.id).map(String::as_str);
                    Some(line.question(question, given, round))
                }
            };
            let shown = verdict.as_ref().or(line.reported.as_ref());
            if shown == Some(&Verdict::Pass) {
                green.insert(item.id().to_owned());
            } else if headline.is_none() {
                headline = Some(item.id().to_owned());
            }
            if let Some(verdict) = verdict
                && line.reported.as_ref() != Some(&verdict)
            {
                reports.push(report(item, &verdict, round));
                line.reported = Some(verdict);
            }
        }
        let solved = (headline.is_none(), headline);
        if self.solved.as_ref() != Some(&solved) {
            let (whole, headline) = solved.clone();
            reports.push(Report::Round {
                solved: whole,
                headline,
            });
            self.solved = Some(solved);
        }
        reports
    }
}

impl Line {
    /// The verdict on a check, or nothing while a level is settling.
    fn check(
        &mut self,
        check: &Check,
        baseline: &[Claim],
        claims: &[Claim],
        round: &Round<'_>,
        plan: &Plan,
        now: Instant,
    ) -> Option<Verdict> {
        if !baseline.is_empty() {
            let objects = objects(baseline, round);
            let armed = match &self.armed {
                Some(Armed::Before) => true,
                Some(Armed::With(with)) => *with == objects,
                None => false,
            };
            if !armed {
                self.holds_since = None;
                return Some(match hold(baseline, check, round, plan) {
                    Outcome::Doubt(doubt) => Verdict::Undetermined { doubt },
                    Outcome::Fails(reasons) => Verdict::Fail {
                        reasons: reasons.into_iter().map(as_baseline).collect(),
                    },
                    Outcome::Holds => {
                        self.armed = Some(Armed::With(objects));
                        // The baseline is there; `assert` is for a later round.
                        match hold(claims, check, round, plan) {
                            Outcome::Fails(reasons) => Verdict::Fail { reasons },
                            Outcome::Doubt(doubt) => Verdict::Undetermined { doubt },
                            Outcome::Holds => Verdict::Fail {
                                reasons: Vec::new(),
                            },
                        }
                    }
                });
            }
        }
        match hold(claims, check, round, plan) {
            Outcome::Holds if check.mode == Mode::Edge => {
                self.latched = true;
                Some(Verdict::Pass)
            }
            Outcome::Holds => {
                let since = *self.holds_since.get_or_insert(now);
                (now.duration_since(since) >= STABLE).then_some(Verdict::Pass)
            }
            Outcome::Fails(reasons) => {
                self.holds_since = None;
                Some(Verdict::Fail { reasons })
            }
            Outcome::Doubt(doubt) => {
                self.holds_since = None;
                Some(Verdict::Undetermined { doubt })
            }
        }
    }

    fn question(&mut self, question: &Question, given: Option<&str>, round: &Round<'_>) -> Verdict {
        let fail = |reason| Verdict::Fail {
            reasons: vec![reason],
        };
        let Some(given) = given else {
            return fail(Reason::Unanswered);
        };
        let wrong = || {
            fail(Reason::Wrong {
                given: given.chars().take(200).collect(),
            })
        };
        // An answer is compared when it is given: a wrong one does not become right later.
        if matches!(self.reported, Some(Verdict::Fail { ref reasons })
            if matches!(reasons.first(), Some(Reason::Wrong { .. })))
        {
            return wrong();
        }
        match round.resolve(&question.equals) {
            Ok(Some(expected)) if answers(question.kind, given, &expected) => {
                self.latched = true;
                Verdict::Pass
            }
            Ok(_) => wrong(),
            Err(Stop::Unbound(name)) => fail(Reason::Unbound { name }),
            Err(Stop::Doubt(doubt)) => Verdict::Undetermined { doubt },
        }
    }
}

/// Whether an answer as typed is the expected value.
fn answers(kind: AnswerKind, given: &str, expected: &Value) -> bool {
    let given = given.trim();
    match (kind, expected) {
        (AnswerKind::Integer, Value::Int(expected)) => given.parse() == Ok(*expected),
        (AnswerKind::Integer, _) => false,
        (AnswerKind::Text | AnswerKind::Choice, expected) => {
            given.to_lowercase() == expected.to_string().trim().to_lowercase()
        }
    }
}

fn as_baseline(reason: Reason) -> Reason {
    match reason {
        Reason::Fact(mismatch) => Reason::Baseline(mismatch),
        other => other,
    }
}

/// The objects behind the names of a baseline: those that only `assert` has may come later.
fn objects(baseline: &[Claim], round: &Round<'_>) -> BTreeMap<String, Option<Identity>> {
    let names = baseline.iter().filter_map(|c| c.fact.name());
    names
        .map(|name| (name.to_owned(), round.identity(name)))
        .collect()
}

fn hold(claims: &[Claim], check: &Check, round: &Round<'_>, plan: &Plan) -> Outcome {
    let mut reasons = Vec::new();
    for claim in claims {
        match compare_claim(claim, check, round, plan) {
            Ok(None) => {}
            Ok(Some(mismatch)) => reasons.push(Reason::Fact(mismatch)),
            Err(Stop::Unbound(name)) => {
                let reason = Reason::Unbound { name };
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            Err(Stop::Doubt(doubt)) => return Outcome::Doubt(doubt),
        }
    }
    if reasons.is_empty() {
        Outcome::Holds
    } else {
        Outcome::Fails(reasons)
    }
}

fn compare_claim(
    claim: &Claim,
    check: &Check,
    round: &Round<'_>,
    plan: &Plan,
) -> Result<Option<Mismatch>, Stop> {
    let observed = match round.reading(&claim.fact) {
        Reading::Value(value) => value,
        Reading::Unbound(name) => return Err(Stop::Unbound(name)),
        Reading::Doubt(doubt) => return Err(Stop::Doubt(doubt)),
    };
    let mut resolve = |value: &Value| round.resolve(value);
    let miss = compare(
        &claim.expectation,
        observed.as_ref(),
        claim.equality(),
        &mut resolve,
    )?;
    Ok(miss.map(|miss| Mismatch {
        fact: claim.path.clone(),
        operator: miss.operator,
        expected: miss.expected,
        observed,
        source: round.source(&claim.fact),
        explain: check
            .explain
            .get(&claim.path)
            .map(|text| fill(text, |word| known(word, round, plan))),
    }))
}

/// What stands for `{{word}}` in an explanation: a variable or a fact.
fn known(word: &str, round: &Round<'_>, plan: &Plan) -> Option<String> {
    if let Some(value) = plan.vars.get(word) {
        return Some(value.to_string());
    }
    let fact = Fact::parse(word, &plan.names).ok()?;
    match round.reading(&fact) {
        Reading::Value(Some(value)) => Some(value.to_string()),
        Reading::Value(None) | Reading::Unbound(_) | Reading::Doubt(_) => Some("—".into()),
    }
}

fn report(item: &Item, verdict: &Verdict, round: &Round<'_>) -> Report {
    let verdict = verdict.clone();
    match item {
        Item::Check { check, claims, .. } => {
            let value = |claim: &Claim| match round.reading(&claim.fact) {
                Reading::Value(value) => value,
                Reading::Unbound(_) | Reading::Doubt(_) => None,
            };
            let facts = claims.iter().map(|c| (c.path.clone(), value(c)));
            Report::Check {
                check: check.id.clone(),
                verdict,
                facts: facts.collect(),
            }
        }
        Item::Question(question) => Report::Question {
            question: question.id.clone(),
            verdict,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_by_their_kind() {
        let pid = Value::Int(312);
        assert!(answers(AnswerKind::Integer, " 312 ", &pid));
        assert!(!answers(AnswerKind::Integer, "312.0", &pid));
        assert!(!answers(AnswerKind::Integer, "1", &pid));
        let word = Value::Text("Exited".into());
        assert!(answers(AnswerKind::Text, "exited\n", &word));
        assert!(!answers(AnswerKind::Choice, "running", &word));
    }
}
