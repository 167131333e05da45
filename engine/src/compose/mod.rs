//! Compose files: several containers, their networks and volumes, wanted as one project.
//!
//! Everything here decides and nothing acts: files become one [`project::Project`], a service becomes the body of
//! a container ([`body`]), what is wanted and what is present become steps ([`plan`]). The command line
//! (`cli/commands/compose`) performs them through the daemon's socket, so a project can live on a remote engine.
//!
//! The language is the Compose specification's: [`schema`] has a row for each attribute. A key that is not understood
//! is an error. Deliberately absent: `provider` services, models, what only Windows can do.

pub mod error;

mod dotenv;
mod interpolate;
mod words;

mod load;
mod merge;
mod normal;
mod schema;
mod yaml;

mod consistency;
pub mod development;
mod find;
pub mod project;
pub mod pull_policy;
pub mod service;
mod units;

pub mod order;

pub mod body;
pub mod plan;

#[cfg(test)]
mod tests;
