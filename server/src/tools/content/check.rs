//! `quai content check [DIR]`: every page and exercise, with file, line and cause of what is wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use labs::exercise::lint::{Course, lint};
use labs::exercise::load::parse;
use web::messages::say;

use crate::course::fault::Fault;
use crate::course::load::load;
use crate::course::source::Source;

/// Runs the command.
pub(super) fn run(source: &Source) -> ExitCode {
    let course = match load(source) {
        Ok(course) => course,
        Err(error) => return unreadable(&error),
    };
    let mut faults: Vec<Fault> = course.all_faults().into_iter().cloned().collect();
    match exercises(source) {
        Ok(more) => faults.extend(more),
        Err(error) => return unreadable(&error),
    }
    faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for fault in &faults {
        eprintln!("{fault}");
    }
    let steps = course.steps().count().to_string();
    let modules = course.modules.len().to_string();
    if faults.is_empty() {
        conclude(&say(
            "content.good",
            &[("modules", &modules), ("steps", &steps)],
        ));
        ExitCode::SUCCESS
    } else {
        let count = faults.len().to_string();
        conclude(&say("content.bad", &[("count", &count)]));
        ExitCode::FAILURE
    }
}

/// What is wrong with exercises that are well formed; those that are not are faults already.
fn exercises(source: &Source) -> Result<Vec<Fault>, crate::course::source::SourceError> {
    let mut parsed = Vec::new();
    for path in source.files()? {
        let Some(folder) = path.strip_suffix("/tp.md") else {
            continue;
        };
        let text = source.read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if let Ok(exercise) = parse(Path::new(&source.shown(&path)), &text) {
            parsed.push((folder.to_owned(), exercise));
        }
    }
    let ids: BTreeSet<String> = parsed.iter().map(|(_, e)| e.exercise.id.clone()).collect();
    let problems = parsed.iter().flat_map(|(folder, exercise)| {
        let course = Course {
            exercises: &ids,
            has_script: &|name| source.read(&format!("{folder}/{name}")).is_some(),
        };
        lint(exercise, &course)
    });
    Ok(problems.map(|p| Fault::from(&p)).collect())
}

fn unreadable(error: &dyn std::error::Error) -> ExitCode {
    let why = crate::error::chain(error);
    eprintln!("{}", say("content.unreadable", &[("why", &why)]));
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn conclude(sentence: &str) {
    println!("{sentence}");
}
