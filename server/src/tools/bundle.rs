//! `quai bundle`: the catalogue and the course in one file, for machines without a network.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use engine::image::bundle::{BundleError, Folder, Imported, export, import};
use engine::store::{Scratch, Store, StoreError};
use web::messages::say;

use crate::config::Config;
use crate::course::source::{Source, SourceError};
use crate::error::chain;

#[derive(Debug, Parser)]
#[command(
    name = "quai bundle",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
struct Words {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Export {
        file: PathBuf,
        #[arg(long, default_value = Config::DATA)]
        data: PathBuf,
        #[arg(long)]
        content: Option<PathBuf>,
        #[arg(long)]
        image: Vec<String>,
    },
    Import {
        file: PathBuf,
        #[arg(long, default_value = Config::DATA)]
        data: PathBuf,
    },
}

/// A bundle that cannot be made or used.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Course(#[from] SourceError),
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The course, as a folder of the bundle.
const COURSE: &str = "course";
/// What the store remembers of recipes, so that `script/images` makes nothing again that came in a bundle.
const RECIPES: &str = "recipes";

/// Runs the command.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let words = std::iter::once("quai bundle".into()).chain(words);
    let Ok(Words { verb }) = Words::try_parse_from(words) else {
        eprintln!("{}", say("bundle.usage", &[]));
        return ExitCode::from(2);
    };
    let (file, done) = match verb {
        Verb::Export {
            file,
            data,
            content,
            image,
        } => (file.clone(), write(&file, &data, content, &image)),
        Verb::Import { file, data } => (file.clone(), read(&file, &data)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (file, why) = (file.display().to_string(), chain(&error));
            let values = [("file", file.as_str()), ("why", &why)];
            eprintln!("{}", say("bundle.failed", &values));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn write(
    file: &Path,
    data: &Path,
    content: Option<PathBuf>,
    names: &[String],
) -> Result<(), Failed> {
    let store = Store::open(&data.join("store"))?;
    let source = content.map_or(Source::Embedded, Source::Folder);
    let mut course = BTreeMap::new();
    for path in source.files()? {
        if let Some(bytes) = source.read(&path) {
            course.insert(path, bytes.into_owned());
        }
    }
    let mut folders = vec![folder(COURSE, course)];
    // A part of the images is not what the recipes made.
    if names.is_empty() {
        folders.push(folder(RECIPES, recipes(&store)));
    }
    let images = export(&store, names, &folders, file)?;
    let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
    let values = [
        ("count", images.len().to_string()),
        ("pages", folders[0].files.len().to_string()),
        ("megabytes", size.div_ceil(1_000_000).to_string()),
        ("file", file.display().to_string()),
    ];
    println!("{}", tell("bundle.exported", &values));
    Ok(())
}

fn folder(name: &str, files: BTreeMap<String, Vec<u8>>) -> Folder {
    Folder {
        name: name.to_owned(),
        files,
    }
}

fn recipes(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(store.dir().join("recipes"));
    let entries = entries.into_iter().flatten().filter_map(Result::ok);
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, fs::read(entry.path()).ok()?))
    });
    files.collect()
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn read(file: &Path, data: &Path) -> Result<(), Failed> {
    let store = Store::open(&data.join("store"))?;
    let scratch = Scratch::of(&store)?;
    let Imported { images, folders } = import(&store, file, scratch.path())?;
    drop(scratch);
    let mut course = None;
    for folder in &folders {
        match folder.name.as_str() {
            COURSE => {
                let place = data.join("course");
                replace(&place, folder)?;
                course = Some(place);
            }
            RECIPES => write_files(&store.dir().join("recipes"), folder)?,
            _ => {}
        }
    }
    let values = [
        ("count", images.len().to_string()),
        ("store", store.dir().display().to_string()),
    ];
    println!("{}", tell("bundle.imported", &values));
    if let Some(place) = course {
        let values = [("folder", place.display().to_string())];
        println!("{}", tell("bundle.course", &values));
    }
    Ok(())
}

fn tell(key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    say(key, &values)
}

/// Puts a folder in place of what was there, as a whole.
fn replace(place: &Path, folder: &Folder) -> Result<(), Failed> {
    let aside = place.with_extension("new");
    let old = place.with_extension("old");
    for path in [&aside, &old] {
        remove(path)?;
    }
    write_files(&aside, folder)?;
    let fail = |source| Failed::Write {
        path: place.to_owned(),
        source,
    };
    if place.exists() {
        fs::rename(place, &old).map_err(fail)?;
    }
    fs::rename(&aside, place).map_err(fail)?;
    remove(&old)
}

fn remove(path: &Path) -> Result<(), Failed> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Failed::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Paths were looked at by the import: relative and clean.
fn write_files(dir: &Path, folder: &Folder) -> Result<(), Failed> {
    for (path, bytes) in &folder.files {
        let path = dir.join(path);
        let written = fs::create_dir_all(path.parent().unwrap_or(dir));
        written
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|source| Failed::Write { path, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_replaced_as_a_whole() {
        let data = crate::test_folder("bundle-course");
        let place = data.join("course");
        let with = |path: &str| folder(COURSE, [(path.to_owned(), b"x".to_vec())].into());
        replace(&place, &with("a/old.md")).unwrap();
        replace(&place, &with("b/new.md")).unwrap();
        assert!(place.join("b/new.md").is_file());
        assert!(!place.join("a").exists());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn words_that_make_no_sense_are_refused() {
        for words in [
            &["export"][..],
            &["import", "f", "--image", "x"],
            &["copy", "f"],
            &[],
        ] {
            let words = std::iter::once("quai bundle").chain(words.iter().copied());
            assert!(Words::try_parse_from(words).is_err());
        }
    }
}
