//! One look at the machine: every fact is read at most once, every name means one object.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::binding::{Bindings, Bound, Identity, Object};
use crate::compare::{Equality, compare};
use crate::exercise::schema::Pick;
use crate::exercise::{Expectation, Value};
use crate::fact::{ContainerFact, ContainerWord, EngineFact, Fact, ImageFact, ProcessFact};
use crate::plan::{Plan, Reference, Selector, equality, reference};
use crate::probe::engine::{Container, Engine};
use crate::probe::{Entry, Machine, ProbeError, ProcessProbe};
use crate::verdict::Doubt;

/// What a fact turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// The value, or that there is none.
    Value(Option<Value>),
    /// The name in front stands for nothing.
    Unbound(String),
    /// The platform cannot tell.
    Doubt(Doubt),
}

/// Why a comparison cannot be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    Unbound(String),
    Doubt(Doubt),
}

/// One look at the machine.
pub(crate) struct Round<'a> {
    plan: &'a Plan,
    machine: &'a Machine,
    table: Vec<Entry>,
    engine: &'a Result<Engine, Doubt>,
    before: &'a Bindings,
    bound: RefCell<BTreeMap<String, Result<Bound, Doubt>>>,
    read: RefCell<BTreeMap<Fact, Reading>>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        machine: &'a Machine,
        engine: &'a Result<Engine, Doubt>,
        before: &'a Bindings,
    ) -> Result<Self, ProbeError> {
        Ok(Self {
            plan,
            machine,
            table: machine.processes()?,
            engine,
            before,
            bound: RefCell::default(),
            read: RefCell::default(),
        })
    }

    /// What the names stood for; keeps the next round consistent with this one.
    pub(crate) fn finish(self) -> BTreeMap<String, Bound> {
        for name in self.plan.names.keys() {
            // A doubt leaves the name with what it stood for before.
            let _ = self.bound(name);
        }
        let bound = self.bound.into_inner();
        bound
            .into_iter()
            .filter_map(|(n, b)| Some((n, b.ok()?)))
            .collect()
    }

    /// Reads a fact.
    pub(crate) fn reading(&self, fact: &Fact) -> Reading {
        if let Some(reading) = self.read.borrow().get(fact) {
            return reading.clone();
        }
        let reading = match self.look(fact) {
            Ok(value) => Reading::Value(value),
            Err(Stop::Unbound(name)) => Reading::Unbound(name),
            Err(Stop::Doubt(doubt)) => Reading::Doubt(doubt),
        };
        self.read.borrow_mut().insert(fact.clone(), reading.clone());
        reading
    }

    /// The kernel file or the request that a fact is read from.
    pub(crate) fn source(&self, fact: &Fact) -> String {
        let of_entry = |entry: &Entry, fact: &ProcessFact| {
            let process = entry.open()?;
            Some(self.probe(entry, &process).source(fact))
        };
        match fact {
            Fact::Process { name, fact } => self
                .entry_of(name)
                .and_then(|entry| of_entry(entry, fact))
                .unwrap_or_default(),
            Fact::Machine(fact) => match self.machine.entry(self.machine.init()) {
                Ok(entry) => self.probe(&entry, self.machine.init()).source(fact),
                Err(_) => String::new(),
            },
            Fact::Container { fact, .. } => match fact {
                ContainerFact::Word(ContainerWord::Events) => "GET /events".into(),
                ContainerFact::Word(ContainerWord::Processes) => "/proc/*/ns/pid".into(),
                _ => "GET /containers/json".into(),
            },
            Fact::Engine(_) | Fact::Image { .. } => "GET /images/json".into(),
            Fact::Count(_) | Fact::Alive(_) => "/proc".into(),
        }
    }

    /// The identity of the object a name stands for.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity> {
        self.bound(name).ok()?.object.map(|o| o.identity())
    }

    /// The value that a written value stands for, references read.
    pub(crate) fn resolve(&self, value: &Value) -> Result<Option<Value>, Stop> {
        match value {
            Value::Text(text) => match reference(text) {
                None => Ok(Some(value.clone())),
                Some(Reference::Literal(text)) => Ok(Some(Value::Text(text.into()))),
                Some(Reference::Variable(name)) => Ok(self.plan.vars.get(name).cloned()),
                Some(Reference::Fact(path)) => {
                    let fact = Fact::parse(path, &self.plan.names)
                        .map_err(|_| Stop::Unbound(path.into()))?;
                    match self.reading(&fact) {
                        Reading::Value(value) => Ok(value),
                        Reading::Unbound(name) => Err(Stop::Unbound(name)),
                        Reading::Doubt(doubt) => Err(Stop::Doubt(doubt)),
                    }
                }
            },
            Value::List(list) => {
                let resolved: Result<Option<Vec<Value>>, Stop> =
                    list.iter().map(|v| self.resolve(v)).collect();
                Ok(resolved?.map(Value::List))
            }
            Value::Bool(_) | Value::Int(_) => Ok(Some(value.clone())),
        }
    }

    fn look(&self, fact: &Fact) -> Result<Option<Value>, Stop> {
        match fact {
            Fact::Count(name) => {
                let count = self.bound(name).map_err(Stop::Doubt)?.count;
                Ok(Some(Value::Int(i64::try_from(count).unwrap_or(i64::MAX))))
            }
            Fact::Alive(name) => {
                let alive = self.bound(name).map_err(Stop::Doubt)?.alive;
                Ok(Some(Value::Bool(alive)))
            }
            Fact::Machine(fact) => {
                let init = self.machine.init();
                let entry = self.machine.entry(init).map_err(doubt("/proc/1"))?;
                let value = self.probe(&entry, init).read(fact);
                value.map_err(doubt("/proc/1"))
            }
            Fact::Process { name, fact } => {
                let bound = self.bound(name).map_err(Stop::Doubt)?;
                let unbound = || Stop::Unbound(name.clone());
                let Some(Object::Process(process, _)) = bound.object.filter(|_| bound.alive) else {
                    return Err(unbound());
                };
                let entry = self.entry_of(name).ok_or_else(unbound)?;
                match self.probe(entry, &process).read(fact) {
                    Ok(value) => Ok(value),
                    Err(ProbeError::Gone) => Err(unbound()),
                    Err(error) => Err(doubt(&format!("/proc/{}", entry.inner_pid))(error)),
                }
            }
            Fact::Container { name, fact } => {
                let bound = self.bound(name).map_err(Stop::Doubt)?;
                let Some(Object::Container(id)) = bound.object else {
                    return Err(Stop::Unbound(name.clone()));
                };
                let engine = self.engine()?;
                let Some(container) = engine.containers.iter().find(|c| c.id == id) else {
                    return Err(Stop::Unbound(name.clone()));
                };
                self.container(container, fact)
            }
            Fact::Engine(EngineFact::Containers) => {
                let present = |c: &&Container| c.state != crate::probe::engine::REMOVED;
                let count = self.engine()?.containers.iter().filter(present).count();
                Ok(Some(Value::Int(i64::try_from(count).unwrap_or(i64::MAX))))
            }
            Fact::Engine(EngineFact::Images) => {
                let tags = self.engine()?.images.values().flatten();
                Ok(Some(Value::List(tags.cloned().map(Value::Text).collect())))
            }
            Fact::Image { reference, fact } => {
                let engine = self.engine()?;
                Ok(match fact {
                    ImageFact::Id => engine.image(reference).map(|id| Value::Text(id.into())),
                    ImageFact::Pulls => i64::try_from(engine.pulls(reference)).ok().map(Value::Int),
                })
            }
        }
    }

    fn engine(&self) -> Result<&Engine, Stop> {
        self.engine.as_ref().map_err(|d| Stop::Doubt(d.clone()))
    }

    fn container(&self, c: &Container, fact: &ContainerFact) -> Result<Option<Value>, Stop> {
        let text = |t: &str| Some(Value::Text(t.into()));
        let list = |l: &[String]| Some(Value::List(l.iter().cloned().map(Value::Text).collect()));
        let word = match fact {
            ContainerFact::Word(word) => *word,
            ContainerFact::Init(fact) => {
                let Some((entry, process)) = self.container_init(c) else {
                    return Ok(None);
                };
                return match self.probe(entry, &process).read(fact) {
                    Ok(value) => Ok(value),
                    Err(ProbeError::Gone) => Ok(None),
                    Err(error) => Err(doubt(&format!("/proc/{}", entry.inner_pid))(error)),
                };
            }
        };
        Ok(match word {
            ContainerWord::Id => text(&c.id),
            ContainerWord::Name => text(&c.name),
            ContainerWord::Image => text(&c.image),
            ContainerWord::State => return self.state(c),
            ContainerWord::ExitCode => c.exit_code.map(Value::Int),
            ContainerWord::Command => list(&c.command),
            ContainerWord::Tty => Some(Value::Bool(c.tty)),
            ContainerWord::StdinOpen => Some(Value::Bool(c.stdin_open)),
            ContainerWord::AutoRemove => Some(Value::Bool(c.auto_remove)),
            ContainerWord::Restarts => Some(Value::Int(c.restarts)),
            ContainerWord::Processes => self.container_processes(c),
            ContainerWord::Events => list(&c.events),
        })
    }

    /// The engine's word, except that a container runs only when the kernel shows its process.
    fn state(&self, c: &Container) -> Result<Option<Value>, Stop> {
        if c.state == "running" && self.container_init(c).is_none() {
            return Err(Stop::Doubt(Doubt::Disagreement {
                engine: format!("container {} is running", c.name),
                kernel: "no process in its cgroup with a mount namespace of its own".into(),
            }));
        }
        Ok(Some(Value::Text(c.state.clone())))
    }

    /// The first process of a container: the one the engine names, if it is in the container's
    /// cgroup and in a mount namespace of its own.
    fn container_init(&self, c: &Container) -> Option<(&Entry, kernel::procfs::Process)> {
        use kernel::procfs::NamespaceKind::Mnt;
        if c.pid == 0 {
            return None;
        }
        let machine = self.machine.namespace(Mnt).ok()?;
        self.table
            .iter()
            .filter(|e| e.inner_pid == c.pid || e.pid == c.pid)
            .find_map(|entry| {
                let process = entry.open()?;
                let cgroup = process.cgroup().ok()?;
                let inside = String::from_utf8_lossy(&cgroup).contains(&c.id);
                let apart = process.namespace(Mnt).ok()? != machine;
                (inside && apart).then_some((entry, process))
            })
    }

    fn container_processes(&self, c: &Container) -> Option<Value> {
        use kernel::procfs::NamespaceKind::Pid;
        let (_, init) = self.container_init(c)?;
        let wanted = init.namespace(Pid).ok()?;
        let inside = self.table.iter().filter(|entry| {
            let process = entry.open();
            process.is_some_and(|p| p.namespace(Pid).is_ok_and(|ns| ns == wanted))
        });
        Some(Value::List(
            inside.map(|e| Value::Text(e.comm.clone())).collect(),
        ))
    }

    fn probe<'b>(
        &'b self,
        entry: &'b Entry,
        process: &'b kernel::procfs::Process,
    ) -> ProcessProbe<'b> {
        ProcessProbe {
            machine: self.machine,
            table: &self.table,
            entry,
            process,
        }
    }

    fn entry_of(&self, name: &str) -> Option<&Entry> {
        match self.bound(name).ok()?.object? {
            Object::Process(_, identity) => self.table.iter().find(|e| e.identity() == identity),
            Object::Container(_) => None,
        }
    }

    /// What a name stands for in this round.
    fn bound(&self, name: &str) -> Result<Bound, Doubt> {
        if let Some(bound) = self.bound.borrow().get(name) {
            return bound.clone();
        }
        let bound = self.choose(name);
        self.bound.borrow_mut().insert(name.into(), bound.clone());
        bound
    }

    fn choose(&self, name: &str) -> Result<Bound, Doubt> {
        let binding = &self.plan.exercise.bind[name];
        let candidates = match &self.plan.selectors[name] {
            Selector::Process(lines) => self.processes(lines)?,
            Selector::Container(lines) => self.containers(lines)?,
        };
        let count = candidates.len();
        let before = self.before.held(name).and_then(|b| b.object.clone());
        let still = before.clone().filter(|object| self.present(object));
        let picked = match binding.pick {
            Pick::Newest => candidates.last(),
            Pick::Oldest => candidates.first(),
        };
        let object = match (still, picked) {
            (Some(object), _) if binding.keep => Some(object),
            (_, Some(picked)) => Some(picked.clone()),
            // Nothing matches: the last object is remembered, whatever has become of it.
            (_, None) => {
                return Ok(Bound {
                    object: before,
                    alive: false,
                    count,
                });
            }
        };
        Ok(Bound {
            alive: object.as_ref().is_some_and(|o| self.present(o)),
            object,
            count,
        })
    }

    fn present(&self, object: &Object) -> bool {
        match object {
            Object::Process(_, identity) => self.table.iter().any(|e| e.identity() == *identity),
            Object::Container(id) => self.engine.as_ref().is_ok_and(|engine| {
                let mut containers = engine.containers.iter();
                containers.any(|c| c.id == *id && c.state != crate::probe::engine::REMOVED)
            }),
        }
    }

    fn processes(&self, lines: &[(ProcessFact, Expectation)]) -> Result<Vec<Object>, Doubt> {
        let mut candidates = Vec::new();
        for entry in &self.table {
            let Some(process) = entry.open() else {
                continue;
            };
            let probe = self.probe(entry, &process);
            let matches = self.all(lines, |fact| match probe.read(fact) {
                Ok(value) => Ok(value),
                // What cannot be read of a stranger does not make it a candidate.
                Err(_) => Ok(None),
            })?;
            if matches {
                let process = Rc::new(process);
                candidates.push(Object::Process(process, entry.identity()));
            }
        }
        Ok(candidates)
    }

    fn containers(&self, lines: &[(ContainerFact, Expectation)]) -> Result<Vec<Object>, Doubt> {
        let engine = self.engine.as_ref().map_err(Clone::clone)?;
        let mut candidates = Vec::new();
        for container in &engine.containers {
            if self.all(lines, |fact| self.container(container, fact))? {
                candidates.push(Object::Container(container.id.clone()));
            }
        }
        Ok(candidates)
    }

    fn all<F: EqualityOf>(
        &self,
        lines: &[(F, Expectation)],
        read: impl Fn(&F) -> Result<Option<Value>, Stop>,
    ) -> Result<bool, Doubt> {
        for (fact, expectation) in lines {
            let holds = read(fact).and_then(|observed| {
                let mut resolve = |value: &Value| self.resolve(value);
                compare(
                    expectation,
                    observed.as_ref(),
                    fact.equality(),
                    &mut resolve,
                )
            });
            match holds {
                Ok(None) => {}
                Ok(Some(_)) | Err(Stop::Unbound(_)) => return Ok(false),
                Err(Stop::Doubt(doubt)) => return Err(doubt),
            }
        }
        Ok(true)
    }
}

/// How values of a fact are compared in a selector.
trait EqualityOf {
    fn equality(&self) -> Equality;
}

impl EqualityOf for ProcessFact {
    fn equality(&self) -> Equality {
        Equality::Exact
    }
}

impl EqualityOf for ContainerFact {
    fn equality(&self) -> Equality {
        equality(self)
    }
}

fn doubt(what: &str) -> impl Fn(ProbeError) -> Stop {
    let what = what.to_owned();
    move |error| {
        let why = match &error {
            ProbeError::Kernel(source) => source.to_string(),
            ProbeError::Gone => error.to_string(),
        };
        let what = what.clone();
        Stop::Doubt(Doubt::Unreadable { what, why })
    }
}
