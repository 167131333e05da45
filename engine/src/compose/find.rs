//! Which files a project is read from, where its relative paths start, and with which variables.

use std::path::{Path, PathBuf};

use super::dotenv;
use super::error::ComposeError;
use super::interpolate::Environment;
use super::load;
use super::normal::absolute;
use super::project::Source;

/// What a project is read from.
#[derive(Debug)]
pub(super) struct Found {
    /// The files, in order.
    pub(super) files: Vec<PathBuf>,
    /// Where relative paths start.
    pub(super) directory: PathBuf,
    /// The caller's variables over those of the environment files.
    pub(super) environment: Environment,
}

impl Found {
    /// Named files, then `COMPOSE_FILE` (which `.env` may hold), then the usual ones here or above.
    pub(super) fn of(source: &Source) -> Result<Self, ComposeError> {
        let here = std::env::current_dir().map_err(|source| ComposeError::Read {
            path: ".".into(),
            source,
        })?;
        let base = source.directory.as_ref().map(|folder| here.join(folder));
        let mut files: Vec<PathBuf> = source
            .files
            .iter()
            .map(|file| joined(&here, file))
            .collect();
        if files.is_empty() {
            let folder = base.as_deref().unwrap_or(&here);
            let environment = environment(source, folder, &here)?;
            files = listed(&environment, &here);
        }
        let (files, found_in) = match files.first() {
            None => usual(base.as_deref().unwrap_or(&here))?,
            Some(first) if first == Path::new("-") => (files, here.clone()),
            Some(first) => {
                let parent = first.parent().unwrap_or(&here).to_owned();
                (files, parent)
            }
        };
        let directory = base.unwrap_or(found_in);
        let environment = environment(source, &directory, &here)?;
        Ok(Self {
            files,
            directory,
            environment,
        })
    }
}

/// The files that `COMPOSE_FILE` names.
fn listed(environment: &Environment, here: &Path) -> Vec<PathBuf> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let separator = variable("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
    let list = variable("COMPOSE_FILE").map_or("", String::as_str);
    list.split(separator)
        .filter(|file| !file.is_empty())
        .map(|file| joined(here, Path::new(file)))
        .collect()
}

fn joined(here: &Path, file: &Path) -> PathBuf {
    match file == Path::new("-") {
        true => file.to_owned(),
        false => PathBuf::from(absolute(&file.to_string_lossy(), here)),
    }
}

/// The usual file in `directory` or above it, with its override.
fn usual(directory: &Path) -> Result<(Vec<PathBuf>, PathBuf), ComposeError> {
    for folder in directory.ancestors() {
        for name in load::USUAL {
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            let mut files = vec![file];
            let (stem, _) = name
                .rsplit_once('.')
                .expect("every usual name has an ending");
            let overrides =
                ["yml", "yaml"].map(|end| folder.join(format!("{stem}.override.{end}")));
            files.extend(overrides.into_iter().find(|file| file.is_file()));
            return Ok((files, folder.to_owned()));
        }
    }
    Err(ComposeError::NoFile)
}

/// The caller's variables over those of the files: named ones, `COMPOSE_ENV_FILES`, else `.env` of the folder.
fn environment(
    source: &Source,
    directory: &Path,
    here: &Path,
) -> Result<Environment, ComposeError> {
    let given = |name: &str| source.environment.get(name).map(String::as_str);
    let usual = directory.join(".env");
    let is_off = matches!(
        given("COMPOSE_DISABLE_ENV_FILE"),
        Some("1" | "true" | "TRUE" | "True" | "t")
    );
    let files: Vec<PathBuf> = match (source.env_files.as_slice(), given("COMPOSE_ENV_FILES")) {
        ([], Some(list)) if !list.is_empty() => list
            .split(',')
            .map(|file| joined(here, Path::new(file)))
            .collect(),
        ([], _) if !is_off && usual.is_file() => vec![usual],
        (files, _) => files.iter().map(|file| joined(here, file)).collect(),
    };
    let mut environment = dotenv::environment(&files, &source.environment)?;
    environment.extend(source.environment.clone());
    Ok(environment)
}
