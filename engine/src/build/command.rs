//! RUN: a command in a container that sees the layers so far, and what it writes becomes the next one.

use crate::dockerfile::{Form, Run};
use crate::image::AddedLayer;
use crate::oci::Digest;

use super::execute::Build;
use super::mounts::Mounted;
use super::stage::Prepared;
use super::state::State;
use super::step::command_words;
use super::variables::PREDEFINED;
use super::{BuildError, Event, RunWish, layer};

impl Build<'_> {
    pub(super) fn prepare_run(
        &self,
        index: usize,
        state: &State,
        run: &Run,
    ) -> Result<Prepared<'_>, BuildError> {
        let mut command = run.command.clone();
        if command.form == Form::Shell && !run.heredocs.is_empty() {
            command.words = vec![run.script()];
        }
        let argv = match command.form {
            // An empty line is handed to the shell, which says what it thinks of it.
            Form::Shell if command.words.is_empty() => state.shell(),
            _ => command_words(state, &command),
        };
        let mounted = self.mounts(index, state, run)?;
        let used: Vec<String> = state
            .arguments
            .pairs()
            .filter(|(name, _)| !PREDEFINED.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let shown = argv.join(" ");
        let created_by = if used.is_empty() {
            shown.clone()
        } else {
            format!("|{} {} {shown}", used.len(), used.join(" "))
        };
        let flags = format!("{:?} {:?} {:?}", run.mounts, run.network, run.heredocs);
        let mut depends = vec![Digest::of(flags.as_bytes())];
        depends.extend(mounted.depends.iter().cloned());
        let env = self.variables(state);
        let network = run.network;
        let make =
            move |state: &State| self.command(index, state, argv, env, network, mounted, shown);
        Ok(Prepared {
            created_by,
            depends,
            make: Box::new(make),
        })
    }

    /// ENV, then arguments that ENV does not set, then proxies from the command line.
    fn variables(&self, state: &State) -> Vec<String> {
        let mut env = state.env().to_vec();
        let known = |env: &[String], name: &str| {
            env.iter()
                .any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name))
        };
        for (name, value) in state.arguments.pairs() {
            if !known(&env, name) {
                env.push(format!("{name}={value}"));
            }
        }
        for (name, value) in &self.request.build_args {
            if let Some(value) = value
                && PREDEFINED.contains(&name.as_str())
                && !known(&env, name)
            {
                env.push(format!("{name}={value}"));
            }
        }
        env
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is one fact about the command, all decided before"
    )]
    fn command(
        &self,
        index: usize,
        state: &State,
        argv: Vec<String>,
        env: Vec<String>,
        network: crate::dockerfile::Network,
        mounted: Mounted,
        shown: String,
    ) -> Result<Option<AddedLayer>, BuildError> {
        let new = layer::begin(&self.batch, state)?;
        let prepared = mounted.prepare(self)?;
        let wish = RunWish {
            argv,
            config: state.config.config.clone(),
            env: [env, prepared.env].concat(),
            image: state.image.clone(),
            chains: state.chains(),
            lowers: state.lowers(),
            layer: &new,
            mounts: prepared.mounts,
            network,
        };
        let ended = match self.host.run(wish, index, self.report) {
            Ok(ended) => ended,
            Err(error) => {
                self.batch.discard(new)?;
                return Err(error);
            }
        };
        if !ended.kept {
            self.tell(index, Event::Removed(ended.container));
        }
        if self.host.cancelled() {
            self.batch.discard(new)?;
            return Err(BuildError::Cancelled);
        }
        if ended.code != 0 {
            self.batch.discard(new)?;
            return Err(BuildError::Command {
                command: shown,
                code: ended.code,
            });
        }
        layer::finish(&self.batch, new, state.chains().last(), self.epoch)
    }
}
