//! A Dockerfile becomes an image: stages form a graph, steps have a cache, layers are made without a container.
//!
//! Reading order: `plan` (which stages, on what), `execute` (the graph, one thread per core), `stage` (one stage, step
//! by step), `state` (what a stage has become), `step` (instructions that change only the configuration), `files` and
//! `add` (COPY, ADD, WORKDIR: by descriptor inside the root), `command` (RUN), `context` and `tree` (where files come
//! from), `cache` (steps that travel). What the builder needs from the engine around it is a trait, `host`; what it tells is `report`.
//!
//! The cache is keyed as Docker documents it: the image before, the instruction, the content of what is copied, the
//! arguments of RUN. A build writes into one `store::Batch`, durable at its end, also when a step fails.

mod error;
mod host;
mod report;

mod platform;
mod variables;

mod plan;
mod state;

mod execute;
mod stage;
mod step;
mod words;

mod add;
mod command;
mod copy;
mod files;
mod layer;
mod mounts;
mod sources;
mod writer;

mod cache;
mod context;
mod tree;

pub use cache::{BlobSource, CACHE_MEDIA_TYPE, CacheExport, CacheScope, ImportedCache};
pub use context::Context;
pub use error::BuildError;
pub use execute::{Built, CachePolicy, NamedContext, Outcome, Request, build};
pub use host::{BuildHost, Fetched, RunEnd, RunWish};
pub use plan::{Base, Plan, PlannedStage};
pub use platform::Platform;
pub use report::{Event, Report};
pub use tree::{Kind, Meta, MountedTree, SourceTree};
