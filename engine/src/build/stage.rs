//! One stage: its base, then its steps, each looked for in the cache before it is made.

use crate::dockerfile::{Instruction, KeyValue, Step};
use crate::image::{AddedLayer, Image};
use crate::oci::{Digest, Hasher};
use crate::store::StepRecord;

use super::execute::Build;
use super::plan::PlannedStage;
use super::state::State;
use super::step::{Given, apply};
use super::{Base, BuildError, CachePolicy, Event, NamedContext, Platform};

/// The search path of images that name none.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes the layer of a step on a state; some steps make none.
pub(super) type Make<'a> = Box<dyn FnOnce(&State) -> Result<Option<AddedLayer>, BuildError> + 'a>;

/// A step that has been understood: what history says, and what its cache depends on besides.
pub(super) struct Prepared<'a> {
    pub(super) created_by: String,
    /// Beyond the image before and the sentence.
    pub(super) depends: Vec<Digest>,
    /// Makes the layer.
    pub(super) make: Make<'a>,
}

impl Build<'_> {
    pub(super) fn run_stage(&self, index: usize, state: &mut State) -> Result<(), BuildError> {
        let file = &self.request.dockerfile;
        let planned = self
            .plan
            .stages
            .iter()
            .find(|stage| stage.index == index)
            .ok_or(BuildError::Nothing)?;
        let stage = &file.stages[index];
        if self
            .plan
            .stages
            .first()
            .is_some_and(|first| first.index == index)
        {
            for (number, step) in file.args.iter().enumerate() {
                self.tell_step(index, number + 1, &step.original);
            }
        }
        self.tell_step(index, planned.first, &stage.original);
        self.base(planned, state)?;
        self.tell(index, Event::Image(short(state)));
        self.triggers(index, state)?;
        for (number, step) in stage.steps.iter().enumerate() {
            self.tell_step(index, planned.first + 1 + number, &step.original);
            self.step(index, state, step)?;
        }
        let is_last = self
            .plan
            .stages
            .last()
            .is_some_and(|last| last.index == index);
        if is_last && !self.request.labels.is_empty() {
            self.labels(index, state)?;
        }
        Ok(())
    }

    fn base(&self, planned: &PlannedStage, state: &mut State) -> Result<(), BuildError> {
        match &planned.base {
            Base::Scratch => {
                let platform = planned.platform.as_ref().unwrap_or(&self.platform);
                state.config.os.clone_from(&platform.os);
                state.config.architecture.clone_from(&platform.architecture);
                state.config.variant.clone_from(&platform.variant);
            }
            Base::Stage(base) => {
                let base = self.stage(*base)?;
                *state = State {
                    image: base.image.clone(),
                    manifest: base.manifest.clone(),
                    config: base.config.clone(),
                    layers: base.layers.clone(),
                    changed: base.changed,
                    ..State::default()
                };
            }
            Base::Image(name) => {
                let name = match self.request.contexts.get(name) {
                    Some(NamedContext::Image(other)) => other,
                    Some(NamedContext::Files(_)) => {
                        return Err(BuildError::Unsupported(format!(
                            "FROM the named context {name}, which holds files"
                        )));
                    }
                    None => name,
                };
                let image = self.host.image(name, planned.index, self.report)?;
                self.check_platform(name, planned.platform.as_ref(), &image)?;
                state.adopt(&self.batch, &image.manifest_digest)?;
            }
        }
        // A stage has its own shell and history, but no arguments of another.
        if !state.env().iter().any(|pair| pair.starts_with("PATH=")) {
            state
                .config
                .config
                .env
                .get_or_insert_default()
                .push(DEFAULT_PATH.to_owned());
        }
        Ok(())
    }

    fn check_platform(
        &self,
        name: &str,
        platform: Option<&Platform>,
        image: &Image,
    ) -> Result<(), BuildError> {
        let Some(wanted) = platform.or(self.request.platform.as_ref()) else {
            return Ok(());
        };
        let actual = Platform {
            os: image.config.os.clone(),
            architecture: image.config.architecture.clone(),
            variant: image.config.variant.clone(),
        };
        let fits = actual.os == wanted.os
            && actual.architecture == wanted.architecture
            && (wanted.variant.is_empty()
                || actual.variant.is_empty()
                || actual.variant == wanted.variant);
        if fits {
            return Ok(());
        }
        let (wanted, actual) = (wanted.to_string(), actual.to_string());
        Err(BuildError::OtherPlatform {
            name: name.to_owned(),
            wanted,
            actual,
        })
    }

    /// ONBUILD of the base fires once and is not handed on.
    fn triggers(&self, index: usize, state: &mut State) -> Result<(), BuildError> {
        let triggers = state.config.config.on_build.take().unwrap_or_default();
        if triggers.is_empty() {
            return Ok(());
        }
        let plural = if triggers.len() == 1 { "" } else { "s" };
        self.tell(
            index,
            Event::Note(format!(
                "# Executing {} build trigger{plural}\n",
                triggers.len()
            )),
        );
        for text in triggers {
            let step = Step::parse(&text)?;
            self.step(index, state, &step)?;
        }
        Ok(())
    }

    fn labels(&self, index: usize, state: &mut State) -> Result<(), BuildError> {
        let labels = &self.request.labels;
        let text: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.tell_step(index, self.plan.total, &format!("LABEL {}", text.join(" ")));
        let quote = |text: &str| format!("'{}'", text.replace('\'', "'\"'\"'"));
        let pairs = labels.iter().map(|(name, value)| KeyValue {
            name: quote(name),
            value: quote(value),
        });
        let step = Step {
            instruction: Instruction::Label(pairs.collect()),
            original: String::new(),
            lines: (0, 0),
        };
        self.step(index, state, &step)
    }

    fn step(&self, index: usize, state: &mut State, step: &Step) -> Result<(), BuildError> {
        if self.host.cancelled() {
            return Err(BuildError::Cancelled);
        }
        let prepared = match &step.instruction {
            Instruction::Copy(copy) => self.prepare_copy(index, state, copy, "COPY")?,
            Instruction::Add(copy) => self.prepare_copy(index, state, copy, "ADD")?,
            Instruction::Workdir(path) => self.prepare_workdir(state, path)?,
            Instruction::Run(run) => self.prepare_run(index, state, run)?,
            other => {
                let given = Given {
                    build_args: &self.request.build_args,
                    global: &self.global,
                };
                let sentence = apply(state, other, self.request.dockerfile.escape, &given)?;
                let created_by = format!("{} #(nop) {sentence}", state.shell().join(" "));
                Prepared {
                    created_by,
                    depends: Vec::new(),
                    make: Box::new(|_| Ok(None)),
                }
            }
        };
        self.commit(
            index,
            state,
            prepared,
            matches!(
                step.instruction,
                Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_)
            ),
        )
    }

    /// Takes the step from the cache, or makes it and remembers it.
    fn commit(
        &self,
        index: usize,
        state: &mut State,
        prepared: Prepared<'_>,
        silent: bool,
    ) -> Result<(), BuildError> {
        let key = key(state, &prepared, self.epoch);
        let parent = state.image.clone();
        self.keys
            .lock()
            .expect("no panic while holding it")
            .push(key.clone());
        if !state.changed
            && self.request.cache == CachePolicy::Use
            && let Some(known) = self.known(&key)?
            && self.adopt(state, &known)
        {
            self.tell(index, Event::Cached);
            self.tell(index, Event::Image(short(state)));
            state.is_new = true;
            return Ok(());
        }
        if !state.changed
            && self.request.cache != CachePolicy::Ignore
            && self.import(index, state, &key)
        {
            self.remember(key, parent, state);
            self.tell(index, Event::Cached);
            self.tell(index, Event::Image(short(state)));
            state.is_new = true;
            return Ok(());
        }
        if !state.changed
            && self.request.cache != CachePolicy::Ignore
            && self.cache_from(index, state, &prepared)?
        {
            self.remember(key, parent, state);
            self.tell(index, Event::Cached);
            self.tell(index, Event::Image(short(state)));
            return Ok(());
        }
        state.changed = true;
        // Docker makes a container for these too, and says so.
        let container = (!silent).then(random_id);
        if let Some(id) = &container {
            self.tell(index, Event::Running(id.clone()));
        }
        let layer = (prepared.make)(state)?;
        state.seal(&self.batch, &prepared.created_by, layer, &self.created)?;
        self.remember(key, parent, state);
        if let Some(id) = container {
            self.tell(index, Event::Removed(id));
        }
        self.tell(index, Event::Image(short(state)));
        Ok(())
    }

    fn remember(&self, key: Digest, parent: Option<Digest>, state: &State) {
        if let (Some(image), Some(manifest)) = (&state.image, &state.manifest) {
            let record = StepRecord {
                key,
                parent,
                image: image.clone(),
                manifest: manifest.clone(),
                at: jiff::Timestamp::now().as_second(),
            };
            self.steps
                .lock()
                .expect("no panic while holding it")
                .push(record);
        }
    }

    fn known(&self, key: &Digest) -> Result<Option<StepRecord>, BuildError> {
        let own = self
            .steps
            .lock()
            .expect("no panic while holding it")
            .iter()
            .find(|step| step.key == *key)
            .cloned();
        Ok(match own {
            Some(step) => Some(step),
            None => self.store.steps().find(key)?,
        })
    }

    /// Takes over the image of a step; says no when something of it has been removed since.
    fn adopt(&self, state: &mut State, known: &StepRecord) -> bool {
        // ARG and CMD of this step are in the state already, and not in the image.
        match state.adopt(&self.batch, &known.manifest) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!("a step is built again: {error}");
                false
            }
        }
    }

    /// A step that was built elsewhere; one that cannot be brought here is built.
    fn import(&self, index: usize, state: &mut State, key: &Digest) -> bool {
        for cache in &self.request.imported {
            let Some(step) = cache.find(key) else {
                continue;
            };
            let brought = cache.bring(self.store, step);
            let brought = brought.and_then(|held| {
                state.adopt(&self.batch, &step.manifest)?;
                Ok(held)
            });
            match brought {
                Ok(held) => {
                    self.held
                        .lock()
                        .expect("no panic while holding it")
                        .push(held);
                    return true;
                }
                Err(error) => {
                    let why = format!("a step of an imported cache is built again: {error}");
                    self.tell(index, Event::Warning(why));
                }
            }
        }
        false
    }

    /// A step of an image that `--cache-from` names: the same history so far, then the same sentence.
    fn cache_from(
        &self,
        index: usize,
        state: &mut State,
        prepared: &Prepared<'_>,
    ) -> Result<bool, BuildError> {
        for name in &self.request.cache_from {
            let Ok(image) = self.host.image(name, index, self.report) else {
                continue;
            };
            let (history, done) = (&image.config.history, state.config.history.len());
            let same = history.len() > done
                && history[..done] == state.config.history
                && history[done].created_by == prepared.created_by;
            let layers = state.layers.len();
            let ids = &image.config.rootfs.diff_ids;
            let below = state
                .layers
                .iter()
                .zip(ids)
                .all(|(layer, id)| layer.layer.record.diff_id == *id);
            if !same || !below {
                continue;
            }
            let mut whole = State::default();
            whole.adopt(&self.batch, &image.manifest_digest)?;
            let layer = if history[done].empty_layer {
                None
            } else {
                whole.layers.get(layers).cloned()
            };
            let created = history[done]
                .created
                .clone()
                .unwrap_or_else(|| self.created.clone());
            state.seal(&self.batch, &prepared.created_by, layer, &created)?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn tell(&self, index: usize, event: Event) {
        self.report.tell(index, event);
    }

    fn tell_step(&self, index: usize, number: usize, text: &str) {
        let name = self.request.dockerfile.stages[index].name.clone();
        let event = Event::Step {
            stage: index,
            name,
            number,
            total: self.plan.total,
            text: text.to_owned(),
        };
        self.tell(index, event);
    }
}

fn key(state: &State, prepared: &Prepared<'_>, epoch: Option<i64>) -> Digest {
    let mut hasher = Hasher::default();
    // An image with another date is another image.
    if let Some(epoch) = epoch {
        hasher.update(format!("epoch {epoch} ").as_bytes());
    }
    match &state.image {
        Some(image) => hasher.update(image.to_string().as_bytes()),
        None => hasher.update(
            format!("scratch {}/{}", state.config.os, state.config.architecture).as_bytes(),
        ),
    }
    hasher.update(b"\0");
    hasher.update(prepared.created_by.as_bytes());
    for digest in &prepared.depends {
        hasher.update(digest.to_string().as_bytes());
    }
    hasher.finish()
}

fn short(state: &State) -> String {
    state
        .image
        .as_ref()
        .map(|image| image.short().to_owned())
        .unwrap_or_default()
}

/// An id such as containers have.
pub(super) fn random_id() -> String {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
