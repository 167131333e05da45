//! An exercise made ready to be watched: paths parsed, names known, checks in dependency order.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::Equality;
use crate::exercise::schema::{Check, Expectations, Question};
use crate::exercise::{Exercise, Expectation, Operators, Value};
use crate::fact::{ContainerFact, ContainerWord, Fact, ProcessFact, Subject, Unknown, steps};

/// Why an exercise cannot be watched. `lint` finds all of these before anybody tries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A path names no fact.
    #[error("{path:?} is no fact: {:?} is not known", .unknown.word)]
    Fact {
        /// The path.
        path: String,
        /// The word that is not known.
        unknown: Unknown,
    },
    /// A binding selects neither a process nor a container, or both.
    #[error("the binding {name:?} must have either process or container")]
    Binding {
        /// The binding.
        name: String,
    },
    /// A reference to a variable without a value.
    #[error("no variable is called {name:?}")]
    Variable {
        /// The variable.
        name: String,
    },
    /// Names or needs that depend on one another in a circle.
    #[error("{name:?} depends on itself")]
    Circle {
        /// One of them.
        name: String,
    },
    /// `needs` names nothing.
    #[error("nothing has the id {id:?}")]
    Need {
        /// The id.
        id: String,
    },
}

/// An exercise ready to be watched.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) exercise: Exercise,
    pub(crate) vars: BTreeMap<String, Value>,
    pub(crate) names: BTreeMap<String, Subject>,
    pub(crate) selectors: BTreeMap<String, Selector>,
    /// Checks and questions, each after what it needs.
    pub(crate) items: Vec<Item>,
}

/// What a candidate must be like.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    Process(Vec<(ProcessFact, Expectation)>),
    Container(Vec<(ContainerFact, Expectation)>),
}

/// A line of the check list.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Check {
        check: Check,
        baseline: Vec<Claim>,
        claims: Vec<Claim>,
    },
    Question(Question),
}

/// A fact and what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) path: String,
    pub(crate) fact: Fact,
    pub(crate) expectation: Expectation,
}

/// What a text that begins with `$` refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    Variable(&'a str),
    Fact(&'a str),
    /// `$$…` writes a plain `$…`.
    Literal(&'a str),
}

impl Item {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Check { check, .. } => &check.id,
            Self::Question(question) => &question.id,
        }
    }

    pub(crate) fn needs(&self) -> &[String] {
        match self {
            Self::Check { check, .. } => &check.needs,
            Self::Question(question) => &question.needs,
        }
    }
}

impl Claim {
    /// Facts that are image references are equal when they mean the same.
    pub(crate) fn equality(&self) -> Equality {
        match &self.fact {
            Fact::Container { fact, .. } => equality(fact),
            Fact::Engine(_) => Equality::Image,
            _ => Equality::Exact,
        }
    }
}

pub(crate) fn equality(fact: &ContainerFact) -> Equality {
    match fact {
        ContainerFact::Word(ContainerWord::Image) => Equality::Image,
        _ => Equality::Exact,
    }
}

impl Plan {
    /// Makes an exercise ready, with a learner's values of its variables.
    pub fn new(exercise: Exercise, vars: BTreeMap<String, Value>) -> Result<Self, PlanError> {
        let names = names(&exercise)?;
        let mut selectors = BTreeMap::new();
        for (name, binding) in &exercise.bind {
            let lines = binding.process.as_ref().or(binding.container.as_ref());
            let lines = lines.into_iter().flatten();
            let selector = match names[name] {
                Subject::Process => Selector::Process(selector(lines, ProcessFact::parse)?),
                Subject::Container => Selector::Container(selector(lines, ContainerFact::parse)?),
            };
            selectors.insert(name.clone(), selector);
        }
        let items = items(&exercise, &names)?;
        let plan = Self {
            exercise,
            vars,
            names,
            selectors,
            items,
        };
        plan.check_references()?;
        Ok(plan)
    }

    /// Whether the engine must be asked for anything.
    pub(crate) fn asks_engine(&self) -> bool {
        let container = self.names.values().any(|s| *s == Subject::Container);
        let claims = self.items.iter().flat_map(|item| match item {
            Item::Check {
                baseline, claims, ..
            } => baseline.iter().chain(claims).collect(),
            Item::Question(_) => Vec::new(),
        });
        container
            || claims.into_iter().any(|c| c.fact.asks_engine())
            || self
                .references()
                .iter()
                .any(|path| Fact::parse(path, &self.names).is_ok_and(|fact| fact.asks_engine()))
    }

    /// Every path that is referred to.
    fn references(&self) -> Vec<String> {
        let mut values = Vec::new();
        for lines in all_lines(&self.exercise) {
            lines.values().for_each(|e| operands(&e.0, &mut values));
        }
        values.extend(self.exercise.ask.iter().map(|q| q.equals.clone()));
        let mut paths = Vec::new();
        for value in &values {
            texts(value, &mut |text| {
                if let Some(Reference::Fact(path)) = reference(text) {
                    paths.push(path.to_owned());
                }
            });
        }
        paths
    }

    fn check_references(&self) -> Result<(), PlanError> {
        for path in self.references() {
            let parsed = Fact::parse(&path, &self.names);
            parsed.map_err(|unknown| PlanError::Fact { path, unknown })?;
        }
        let mut values = Vec::new();
        for lines in all_lines(&self.exercise) {
            lines.values().for_each(|e| operands(&e.0, &mut values));
        }
        values.extend(self.exercise.ask.iter().map(|q| q.equals.clone()));
        for value in &values {
            let mut missing = None;
            texts(value, &mut |text| match reference(text) {
                Some(Reference::Variable(name)) if !self.vars.contains_key(name) => {
                    missing = Some(name.to_owned());
                }
                _ => {}
            });
            if let Some(name) = missing {
                return Err(PlanError::Variable { name });
            }
        }
        for name in self.names.keys() {
            let mut seen = BTreeSet::new();
            self.follow(name, name, &mut seen)?;
        }
        Ok(())
    }

    /// Refuses a binding whose selector leads back to itself.
    fn follow(
        &self,
        start: &str,
        name: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), PlanError> {
        let Some(binding) = self.exercise.bind.get(name) else {
            return Ok(());
        };
        let mut values = Vec::new();
        for lines in [&binding.process, &binding.container].into_iter().flatten() {
            lines.values().for_each(|e| operands(&e.0, &mut values));
        }
        let mut next = Vec::new();
        for value in &values {
            texts(value, &mut |text| {
                if let Some(Reference::Fact(path)) = reference(text)
                    && let Ok(fact) = Fact::parse(path, &self.names)
                    && let Some(name) = fact.name()
                {
                    next.push(name.to_owned());
                }
            });
        }
        for name in next {
            if name == start {
                return Err(PlanError::Circle { name });
            }
            if seen.insert(name.clone()) {
                self.follow(start, &name, seen)?;
            }
        }
        Ok(())
    }
}

/// What a text refers to, if it begins with `$`.
pub(crate) fn reference(text: &str) -> Option<Reference<'_>> {
    let rest = text.strip_prefix('$')?;
    Some(match rest {
        _ if rest.starts_with('$') => Reference::Literal(rest),
        _ if rest.contains(['.', '[']) => Reference::Fact(rest),
        _ => Reference::Variable(rest),
    })
}

/// Every operand that is written in a comparison.
pub(crate) fn operands(operators: &Operators, into: &mut Vec<Value>) {
    let Operators {
        eq,
        ne,
        gte,
        lte,
        one_of,
        contains,
        lacks,
        under,
        sequence,
        count,
        exists: _,
    } = operators;
    for value in [eq, ne, gte, lte, contains, lacks, under] {
        into.extend(value.clone());
    }
    for list in [one_of, sequence] {
        into.extend(list.clone().map(Value::List));
    }
    if let Some(count) = count {
        operands(&count.0, into);
    }
}

fn texts(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Text(text) => visit(text),
        Value::List(list) => list.iter().for_each(|v| texts(v, visit)),
        Value::Bool(_) | Value::Int(_) => {}
    }
}

fn all_lines(exercise: &Exercise) -> impl Iterator<Item = &Expectations> {
    let bind = exercise.bind.values();
    let selectors = bind.flat_map(|b| b.process.iter().chain(b.container.iter()));
    let checks = exercise
        .checks
        .iter()
        .flat_map(|c| [&c.baseline, &c.expect]);
    selectors.chain(checks)
}

pub(crate) fn names(exercise: &Exercise) -> Result<BTreeMap<String, Subject>, PlanError> {
    let subject = |(name, binding): (&String, &crate::exercise::schema::Binding)| {
        let subject = match (&binding.process, &binding.container) {
            (Some(_), None) => Subject::Process,
            (None, Some(_)) => Subject::Container,
            _ => return Err(PlanError::Binding { name: name.clone() }),
        };
        Ok((name.clone(), subject))
    };
    exercise.bind.iter().map(subject).collect()
}

fn selector<'a, F>(
    lines: impl Iterator<Item = (&'a String, &'a Expectation)>,
    parse: fn(&[crate::fact::Step<'_>]) -> Result<F, Unknown>,
) -> Result<Vec<(F, Expectation)>, PlanError> {
    let line = |(path, expectation): (&String, &Expectation)| {
        let cut = steps(path).unwrap_or_default();
        let fact = parse(&cut).map_err(|unknown| PlanError::Fact {
            path: path.clone(),
            unknown,
        })?;
        Ok((fact, expectation.clone()))
    };
    lines.map(line).collect()
}

fn claims(
    lines: &Expectations,
    names: &BTreeMap<String, Subject>,
) -> Result<Vec<Claim>, PlanError> {
    let claim = |(path, expectation): (&String, &Expectation)| {
        let fact = Fact::parse(path, names).map_err(|unknown| PlanError::Fact {
            path: path.clone(),
            unknown,
        })?;
        Ok(Claim {
            path: path.clone(),
            fact,
            expectation: expectation.clone(),
        })
    };
    lines.iter().map(claim).collect()
}

/// Checks, then questions, each moved behind what it needs.
fn items(exercise: &Exercise, names: &BTreeMap<String, Subject>) -> Result<Vec<Item>, PlanError> {
    let mut waiting = Vec::new();
    for check in &exercise.checks {
        waiting.push(Item::Check {
            check: check.clone(),
            baseline: claims(&check.baseline, names)?,
            claims: claims(&check.expect, names)?,
        });
    }
    waiting.extend(exercise.ask.iter().cloned().map(Item::Question));
    let ids: BTreeSet<String> = waiting.iter().map(|i| i.id().to_owned()).collect();
    if let Some(id) = waiting
        .iter()
        .flat_map(Item::needs)
        .find(|id| !ids.contains(*id))
    {
        return Err(PlanError::Need { id: id.clone() });
    }
    let mut ordered: Vec<Item> = Vec::new();
    let mut placed = BTreeSet::new();
    while !waiting.is_empty() {
        let free = |item: &Item| item.needs().iter().all(|id| placed.contains(id));
        let Some(next) = waiting.iter().position(free) else {
            let name = waiting[0].id().to_owned();
            return Err(PlanError::Circle { name });
        };
        let item = waiting.remove(next);
        placed.insert(item.id().to_owned());
        ordered.push(item);
    }
    Ok(ordered)
}
