//! What the builder asks of the engine around it.

use std::path::PathBuf;

use crate::dockerfile::Network;
use crate::image::Image;
use crate::oci::{Digest, RunConfig};
use crate::runtime::request::MountSpec;
use crate::store::NewLayer;

use super::{BuildError, Report};

/// The engine around a build. Everything blocks.
pub trait BuildHost: Sync {
    /// Finds an image, fetching it when it is missing or `pull` says so.
    fn image(&self, name: &str, stage: usize, report: &dyn Report) -> Result<Image, BuildError>;
    /// Runs a command in a container made for it, to its end.
    fn run(
        &self,
        wish: RunWish<'_>,
        stage: usize,
        report: &dyn Report,
    ) -> Result<RunEnd, BuildError>;
    /// Fetches what an address names into a file.
    fn fetch(&self, url: &str, into: &std::path::Path) -> Result<Fetched, BuildError>;
    /// Checks out a git repository (`URL#REF:DIRECTORY`) into an empty folder; gives the directory that is meant.
    fn fetch_git(
        &self,
        address: &str,
        into: &std::path::Path,
    ) -> Result<std::path::PathBuf, BuildError>;
    /// Whether nobody wants the build any more.
    fn cancelled(&self) -> bool;
}

/// A command and what it runs in.
#[derive(Debug)]
pub struct RunWish<'a> {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Configuration of the image so far: user, working directory, labels.
    pub config: RunConfig,
    /// Variables.
    pub env: Vec<String>,
    /// The image before this step, if there is one.
    pub image: Option<Digest>,
    /// Chain ids below, lowest first.
    pub chains: Vec<Digest>,
    /// Directories below, highest first.
    pub lowers: Vec<PathBuf>,
    /// What the command writes goes here.
    pub layer: &'a NewLayer,
    /// Mounted besides.
    pub mounts: Vec<MountSpec>,
    /// The network.
    pub network: Network,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// Its code.
    pub code: i32,
    /// The container's id.
    pub container: String,
    /// The container was kept, and its layer with it.
    pub kept: bool,
}

/// What an address gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// `Content-Disposition`'s or the path's file name.
    pub name: String,
    /// `Last-Modified`, seconds since the epoch.
    pub modified: Option<i64>,
}
