//! What is well formed and yet cannot work: found before a learner does.

use std::collections::{BTreeMap, BTreeSet};

use super::load::Source;
use super::problem::{Cause, Problem, closest};
use super::schema::{Check, Expectations};
use super::variables::choose;
use super::{Operators, Value};
use crate::fact::{ContainerFact, Fact, Kind, ProcessFact, Subject, Unknown, steps};
use crate::plan::{Plan, PlanError, Reference, names, operands, reference};

/// Host capabilities that `requires` may name.
const CAPABILITIES: [&str; 5] = [
    "apparmor",
    "cgroup.cpu",
    "cgroup.memory",
    "cgroup.pids",
    "seccomp",
];

/// What an exercise is measured against.
pub struct Course<'a> {
    /// The ids of all exercises.
    pub exercises: &'a BTreeSet<String>,
    /// Whether a script of this name stands beside the exercise.
    pub has_script: &'a dyn Fn(&str) -> bool,
}

/// Everything that is wrong with one exercise.
pub fn lint(source: &Source, course: &Course<'_>) -> Vec<Problem> {
    let mut lint = Lint {
        source,
        problems: Vec::new(),
    };
    lint.ids(course.exercises);
    lint.hosts();
    lint.scripts(course.has_script);
    lint.french();
    match names(&source.exercise) {
        Ok(names) => {
            lint.facts(&names);
            for check in &source.exercise.checks {
                lint.baseline(check);
            }
        }
        Err(error) => lint.plan(error),
    }
    if lint.problems.is_empty() {
        let exercise = source.exercise.clone();
        let vars = choose(&exercise, b"lint");
        if let Err(error) = Plan::new(exercise, vars) {
            lint.plan(error);
        }
    }
    lint.problems
}

struct Lint<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl Lint<'_> {
    /// Notes a problem at the first line of the front matter that has `word`.
    fn note(&mut self, word: &str, cause: Cause) {
        let mut lines = self.source.front.lines();
        let line = lines
            .position(|l| !word.is_empty() && l.contains(word))
            .and_then(|l| u64::try_from(l + 2).ok());
        let file = self.source.file.clone();
        let problem = Problem { file, line, cause };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn ids(&mut self, known: &BTreeSet<String>) {
        let exercise = &self.source.exercise;
        let form = exercise.id.split_once('/');
        if !form.is_some_and(|(module, tp)| is_slug(module) && is_slug(tp)) {
            self.malformed("id", &exercise.id);
        }
        let mut seen = BTreeSet::new();
        let checks = exercise.checks.iter().map(|c| &c.id);
        for id in checks.chain(exercise.ask.iter().map(|q| &q.id)) {
            if !is_slug(id) {
                self.malformed("id", id);
            }
            if !seen.insert(id.as_str()) {
                self.note(id, Cause::DuplicateId { id: id.clone() });
            }
        }
        for name in exercise.vars.keys().chain(exercise.bind.keys()) {
            if !is_name(name) || ["machine", "engine", "images"].contains(&name.as_str()) {
                self.malformed("name", name);
            }
        }
        let needs = exercise.checks.iter().flat_map(|c| &c.needs);
        for id in needs.chain(exercise.ask.iter().flat_map(|q| &q.needs)) {
            self.known("needs", id, seen.iter().copied());
        }
        for id in &exercise.needs {
            self.known("needs", id, known.iter().map(String::as_str));
        }
        for id in &exercise.requires {
            self.known("requires", id, CAPABILITIES);
        }
        for example in &exercise.counterexamples {
            self.known("must_fail", &example.must_fail, seen.iter().copied());
        }
        if exercise.checks.is_empty() {
            self.malformed("checks", "[]");
        }
        if exercise.counterexamples.is_empty() {
            self.malformed("counterexamples", "[]");
        }
    }

    /// One machine or two; a check needs what is read on its own machine.
    fn hosts(&mut self) {
        let exercise = &self.source.exercise;
        let hosts = &exercise.machine.hosts;
        let distinct: BTreeSet<_> = hosts.iter().collect();
        if ![0, 2].contains(&hosts.len()) || distinct.len() != hosts.len() {
            self.malformed("hosts", &format!("[{}]", hosts.join(", ")));
        }
        for host in hosts.iter().filter(|host| !is_slug(host)) {
            self.malformed("hosts", host);
        }
        let checks = exercise.checks.iter().map(|c| (&c.id, &c.host, &c.needs));
        let questions = exercise.ask.iter().map(|q| (&q.id, &q.host, &q.needs));
        let items: Vec<_> = checks.chain(questions).collect();
        let place = |host: &'_ Option<String>| host.clone().or_else(|| hosts.first().cloned());
        for (_, host, needs) in &items {
            if let Some(host) = host {
                self.known("host", host, hosts.iter().map(String::as_str));
            }
            let here = items
                .iter()
                .filter(|(_, other, _)| place(other) == place(host));
            let here: Vec<&str> = here.map(|(id, _, _)| id.as_str()).collect();
            for id in needs.iter() {
                self.known("needs", id, here.iter().copied());
            }
        }
    }

    fn known<'b>(&mut self, field: &str, id: &str, known: impl IntoIterator<Item = &'b str>) {
        let known: Vec<&str> = known.into_iter().collect();
        if !known.contains(&id) {
            let cause = Cause::UnknownId {
                field: field.into(),
                id: id.into(),
                closest: closest(id, known),
            };
            self.note(id, cause);
        }
    }

    fn malformed(&mut self, field: &str, value: &str) {
        let cause = Cause::Malformed {
            field: field.into(),
            value: value.into(),
        };
        let word = if value == "[]" { field } else { value };
        self.note(word, cause);
    }

    fn scripts(&mut self, has_script: &dyn Fn(&str) -> bool) {
        let exercise = &self.source.exercise;
        let examples = exercise.counterexamples.iter().map(|c| &c.run);
        for script in std::iter::once(&exercise.solve).chain(examples) {
            if script.contains('/') || !has_script(script) {
                let script = script.clone();
                self.note(&script.clone(), Cause::NoScript { script });
            }
        }
    }

    fn facts(&mut self, names: &BTreeMap<String, Subject>) {
        let exercise = &self.source.exercise;
        for (name, binding) in &exercise.bind {
            for (path, expectation) in binding.process.iter().flatten() {
                let fact = ProcessFact::parse(&steps(path).unwrap_or_default());
                self.line(path, fact.map(|f| f.kind()), &expectation.0, names);
            }
            for (path, expectation) in binding.container.iter().flatten() {
                let fact = ContainerFact::parse(&steps(path).unwrap_or_default());
                self.line(path, fact.map(|f| f.kind()), &expectation.0, names);
            }
            debug_assert!(names.contains_key(name), "names come from the bindings");
        }
        for check in &exercise.checks {
            let lines: [&Expectations; 2] = [&check.baseline, &check.expect];
            for (path, expectation) in lines.into_iter().flatten() {
                let fact = Fact::parse(path, names);
                self.line(path, fact.map(|f| f.kind()), &expectation.0, names);
            }
            for path in check.explain.keys() {
                self.known("explain", path, check.expect.keys().map(String::as_str));
            }
        }
        for question in &exercise.ask {
            self.references(&question.equals, names);
        }
    }

    fn line(
        &mut self,
        path: &str,
        kind: Result<Kind, Unknown>,
        operators: &Operators,
        names: &BTreeMap<String, Subject>,
    ) {
        match kind {
            Ok(kind) => {
                for operator in impossible(kind, operators) {
                    let path = path.to_owned();
                    let operator = operator.to_owned();
                    self.note(&path.clone(), Cause::Operator { path, operator });
                }
            }
            Err(unknown) => self.unknown_fact(path, unknown),
        }
        let mut values = Vec::new();
        operands(operators, &mut values);
        for value in &values {
            self.references(value, names);
        }
    }

    fn references(&mut self, value: &Value, names: &BTreeMap<String, Subject>) {
        match value {
            Value::Text(text) => match reference(text) {
                Some(Reference::Fact(path)) => {
                    if let Err(unknown) = Fact::parse(path, names) {
                        self.unknown_fact(path, unknown);
                    }
                }
                Some(Reference::Variable(name))
                    if !self.source.exercise.vars.contains_key(name) =>
                {
                    let name = name.to_owned();
                    self.note(text, Cause::UnknownVariable { name });
                }
                _ => {}
            },
            Value::List(list) => list.iter().for_each(|v| self.references(v, names)),
            Value::Bool(_) | Value::Int(_) => {}
        }
    }

    fn unknown_fact(&mut self, path: &str, unknown: Unknown) {
        let cause = Cause::UnknownFact {
            path: path.into(),
            word: unknown.word,
            closest: unknown.closest,
        };
        self.note(path, cause);
    }

    /// What is gone before the scene exists would be green from the start.
    fn baseline(&mut self, check: &Check) {
        let guarded = !check.baseline.is_empty() || !check.needs.is_empty();
        if !guarded && check.expect.values().all(|e| wants_absence(&e.0)) {
            let check = check.id.clone();
            self.note(&check.clone(), Cause::NoBaseline { check });
        }
    }

    fn plan(&mut self, error: PlanError) {
        match error {
            PlanError::Fact { path, unknown } => self.unknown_fact(&path, unknown),
            PlanError::Binding { name } => self.malformed("bind", &name),
            PlanError::Variable { name } => {
                self.note(&format!("${name}"), Cause::UnknownVariable { name });
            }
            PlanError::Circle { name } => {
                let bound = self.source.exercise.bind.contains_key(&name);
                let word = if bound {
                    format!(" {name}:")
                } else {
                    name.clone()
                };
                self.note(&word, Cause::Circle { name });
            }
            PlanError::Need { id } => self.known("needs", &id, []),
        }
    }

    fn french(&mut self) {
        let exercise = &self.source.exercise;
        let texts = exercise.checks.iter().map(|c| ("text", &c.text));
        let texts = texts
            .chain(exercise.ask.iter().map(|q| ("text", &q.text)))
            .chain(exercise.hints.iter().map(|h| ("hints", &h.md)))
            .chain([("title", &exercise.title)])
            .chain(exercise.summary.iter().map(|s| ("summary", s)));
        let texts: Vec<_> = texts.map(|(f, t)| (f.to_owned(), t.clone())).collect();
        for (field, text) in texts {
            if text.trim().is_empty() {
                self.malformed(&field, &text);
            } else if is_english(&text) {
                let word = text.lines().next().unwrap_or_default().to_owned();
                self.note(&word, Cause::NotFrench { field });
            }
        }
        if count(&self.source.prose, &FRENCH) < 5 {
            let field = "prose".into();
            self.note("", Cause::NotFrench { field });
        }
    }
}

/// Words that nearly every French text has, and nearly no English one.
const FRENCH: [&str; 14] = [
    "le", "la", "les", "des", "et", "un", "une", "dans", "est", "du", "au", "que", "pour", "vous",
];

/// The same for English.
const ENGLISH: [&str; 10] = [
    "the", "and", "is", "of", "with", "this", "that", "you", "are", "has",
];

fn is_english(text: &str) -> bool {
    count(text, &ENGLISH) > count(text, &FRENCH)
}

fn count(text: &str, words: &[&str]) -> usize {
    let lower = text.to_lowercase();
    let found = lower.split(|c: char| !c.is_alphabetic());
    found.filter(|w| words.contains(w)).count()
}

/// Operators that can never hold for a fact of this type.
fn impossible(kind: Kind, operators: &Operators) -> Vec<&'static str> {
    let list = kind == Kind::List;
    let int = kind == Kind::Int;
    [
        ("gte", operators.gte.is_some() && !int),
        ("lte", operators.lte.is_some() && !int),
        ("contains", operators.contains.is_some() && !list),
        ("lacks", operators.lacks.is_some() && !list),
        ("sequence", operators.sequence.is_some() && !list),
        ("count", operators.count.is_some() && !list),
        ("under", operators.under.is_some() && kind != Kind::Path),
        (
            "eq",
            operators.eq.as_ref().is_some_and(|v| !may_be(v, kind)),
        ),
        (
            "ne",
            operators.ne.as_ref().is_some_and(|v| !may_be(v, kind)),
        ),
    ]
    .into_iter()
    .filter_map(|(operator, wrong)| wrong.then_some(operator))
    .collect()
}

/// Whether a written value can be of this type; a reference may be anything.
fn may_be(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Text(text) if reference(text).is_some() => true,
        Value::Text(_) => matches!(kind, Kind::Text | Kind::Path),
        Value::Int(_) => kind == Kind::Int,
        Value::Bool(_) => kind == Kind::Bool,
        Value::List(_) => kind == Kind::List,
    }
}

fn wants_absence(operators: &Operators) -> bool {
    let zero = |value: &Value| {
        matches!(value, Value::Int(0) | Value::Bool(false))
            || *value == Value::Text("removed".into())
    };
    operators.exists == Some(false) || operators.eq.as_ref().is_some_and(zero)
}

fn is_slug(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::load::parse;
    use std::path::Path;

    const GOOD: &str = "---
schema: 1
id: namespaces/nom
title: Changer le nom
duration: 5m
vars: { nom: { pick: [a, b] } }
bind:
  p: { process: { ns.private: { contains: uts } } }
checks:
  - id: un
    text: Un processus existe
    assert: { p.hostname: $nom }
  - id: deux
    text: Le nom de la machine n'est pas le sien
    needs: [un]
    assert: { p.hostname: { ne: $machine.hostname } }
    explain: { p.hostname: 'Il est {{p.hostname}}' }
solve: oui.sh
counterexamples: [ { run: oui.sh, must_fail: un } ]
---
La machine est à vous : dans le terminal, créez un processus et donnez-lui le nom demandé. Vous pouvez
lire la page du cours pour savoir comment un nom est gardé dans le noyau.
";

    fn lint_text(text: &str) -> Vec<Problem> {
        let source = parse(Path::new("tp.md"), text).unwrap();
        let course = Course {
            exercises: &BTreeSet::from(["a/b".to_owned()]),
            has_script: &|name| name == "oui.sh",
        };
        lint(&source, &course)
    }

    #[track_caller]
    fn check(from: &str, to: &str, line: u64, expected: &str) {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from:?} is not in the example");
        let problems = lint_text(&text);
        let found = problems
            .iter()
            .any(|p| p.line == Some(line) && p.cause.to_string().contains(expected));
        assert!(found, "{problems:#?}");
    }

    #[test]
    fn a_good_exercise_has_no_problem() {
        assert_eq!(lint_text(GOOD), []);
    }

    #[test]
    fn what_cannot_work_is_found_with_its_line() {
        check(
            "p.hostname: $nom",
            "p.hostnam: $nom",
            12,
            "did you mean \"hostname\"?",
        );
        check("$nom", "$nome", 12, "no variable is called \"nome\"");
        check("$machine.hostname", "$machin.hostname", 16, "is no fact");
        check("needs: [un]", "needs: [une]", 15, "did you mean \"un\"?");
        check(
            "must_fail: un",
            "must_fail: trois",
            19,
            "nothing has the id",
        );
        check(
            "solve: oui.sh",
            "solve: perdu.sh",
            18,
            "no script \"perdu.sh\"",
        );
        check(
            "p.hostname: $nom",
            "p.hostname: { gte: 2 }",
            12,
            "gte can never hold",
        );
        check("p.hostname: $nom", "p.pid: un", 12, "eq can never hold");
        check("p.hostname: $nom", "p.alive: false", 10, "baseline");
        check("id: deux", "id: un", 10, "used twice");
        check(
            "Un processus existe",
            "The process is of the machine",
            11,
            "French",
        );
        check("needs: [un]", "needs: [deux]", 13, "depends on itself");
        check("contains: uts", "contains: $p.comm", 8, "depends on itself");
        // Two machines or none; what is needed is read on the same one.
        let two = "5m\nmachine: { image: machine, hosts: [ici, la] }\n";
        check("5m\n", &two.replace(", la", ""), 6, "hosts");
        let there = format!(
            "{two}ask: [ {{ id: q, text: Où, host: la, type: integer, equals: 1, needs: [un] }} ]\n"
        );
        check("5m\n", &there, 7, "nothing has the id");
        check(
            "5m\n",
            &there.replace("host: la", "host: loin"),
            7,
            "nothing has the id",
        );
    }
}
