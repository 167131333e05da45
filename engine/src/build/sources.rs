//! Where `--from` leads: the context, an earlier stage, a named context or an image.

use kernel::tree::Tree;

use super::execute::Build;
use super::layer::open_to_read;
use super::plan::find;
use super::state::State;
use super::tree::{MountedTree, SourceTree};
use super::{BuildError, Context, NamedContext};

/// Files to copy from.
pub(super) enum Origin<'a> {
    /// The context, or a named one.
    Context(&'a Context),
    /// Texts of the Dockerfile.
    Texts(Context),
    /// Layers, or what was fetched.
    Mounted(MountedTree),
}

impl Origin<'_> {
    pub(super) fn tree(&self) -> &dyn SourceTree {
        match self {
            Self::Context(context) => *context,
            Self::Texts(context) => context,
            Self::Mounted(tree) => tree,
        }
    }
}

impl Build<'_> {
    /// Opens what `--from` names; without it, the context.
    pub(super) fn origin(
        &self,
        index: usize,
        from: Option<&str>,
    ) -> Result<Origin<'_>, BuildError> {
        let Some(from) = from else {
            return Ok(Origin::Context(&self.request.context));
        };
        let stages = &self.request.dockerfile.stages;
        if let Some(stage) = find(&stages[..index], from) {
            let state = self.stage(stage)?;
            return Ok(Origin::Mounted(MountedTree(self.tree_of(&state)?)));
        }
        if find(stages, from).is_some() && from.parse::<usize>().is_err() {
            return Err(BuildError::Later(from.to_owned()));
        }
        let name = match self.request.contexts.get(from) {
            Some(NamedContext::Files(context)) => return Ok(Origin::Context(context)),
            Some(NamedContext::Image(name)) => name,
            None => from,
        };
        let image = self.host.image(name, index, self.report)?;
        let mut state = State::default();
        state.adopt(&self.batch, &image.manifest_digest)?;
        Ok(Origin::Mounted(MountedTree(self.tree_of(&state)?)))
    }

    fn tree_of(&self, state: &State) -> Result<Tree, BuildError> {
        open_to_read(state, &self.request.scratch)
    }
}
