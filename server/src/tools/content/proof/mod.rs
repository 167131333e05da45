//! `quai content test`: every exercise is proved in a real machine.
//!
//! Untouched, it is not solved; after its solution everything is green; after each counter-example
//! the named check is red, and for its own reason: what it needs is green. The verdicts are those
//! of a real watcher, the scripts are run by the machine's keeper.

mod case;
mod machine;
mod script;
mod verdicts;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use labs::exercise::Exercise;
use labs::exercise::load::parse;
use labs::exercise::variables::choose;
use web::messages::say;

use self::case::{Case, Outcome};
use self::machine::{Machine, ProofError};
use crate::course::source::Source;

/// What is asked.
pub(super) struct Options {
    /// The course.
    pub(super) source: Source,
    /// Only this exercise.
    pub(super) tp: Option<String>,
    /// A file for the results, one JSON line per case.
    pub(super) report: Option<PathBuf>,
    /// The data whose catalogue of images is used.
    pub(super) data: PathBuf,
}

/// An exercise to prove.
struct Subject {
    source: labs::exercise::Source,
    scripts: Vec<(String, String)>,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> ExitCode {
    match prove(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let why = crate::error::chain(&error);
            eprintln!("{}", say("content.proof.broken", &[("why", &why)]));
            ExitCode::FAILURE
        }
    }
}

fn prove(options: &Options) -> Result<bool, ProofError> {
    // Everything is read while this process is still root.
    let subjects = subjects(&options.source, options.tp.as_deref())?;
    if subjects.is_empty() {
        let tp = options.tp.clone().unwrap_or_default();
        return Err(ProofError::NoExercise(tp));
    }
    let mut report = match &options.report {
        Some(path) => Some(create(path)?),
        None => None,
    };
    let host = machine::Host::start(&options.data)?;
    let (mut good, mut bad) = (0, 0);
    for subject in &subjects {
        let exercise = &subject.source.exercise;
        let vars = choose(exercise, b"proof");
        let parts = exercise.parts();
        let mut machines = Vec::new();
        for part in &parts {
            machines.push(Machine::start(&host, part)?);
        }
        for (index, case) in Case::all(exercise).into_iter().enumerate() {
            let started = Instant::now();
            if index > 0 {
                for machine in &machines {
                    machine.reset()?;
                }
            }
            let script = |part: &Exercise| {
                let name = on_host(case.script()?, part);
                let mut scripts = subject.scripts.iter();
                scripts.find(|(n, _)| *n == name).map(|(_, text)| &**text)
            };
            let scripts: Vec<_> = parts.iter().map(script).collect();
            let outcome = case::judge(&case, exercise, &vars, &scripts, &machines)?;
            let seconds = format!("{:.1}", started.elapsed().as_secs_f64());
            if outcome.is_good() {
                good += 1;
            } else {
                bad += 1;
            }
            tell(&exercise.id, &case, &outcome, &seconds);
            if let Some(report) = &mut report {
                let line = outcome.json(&exercise.id, &case, &seconds);
                writeln!(report, "{line}").map_err(ProofError::Report)?;
            }
        }
        for machine in machines {
            machine.delete()?;
        }
    }
    let (good, wrong) = (good.to_string(), bad.to_string());
    let values = [("good", &*good), ("bad", &*wrong)];
    line(&say("content.proof.total", &values));
    Ok(bad == 0)
}

/// The name of a case's script for one of the exercise's machines: `solution.sh` for the first,
/// `solution.deux.sh` for the other one when it is called `deux`.
fn on_host(script: &str, part: &Exercise) -> String {
    match (part.machine.place, part.host(), script.rsplit_once('.')) {
        (2.., Some(host), Some((stem, end))) => format!("{stem}.{host}.{end}"),
        _ => script.to_owned(),
    }
}

fn subjects(source: &Source, tp: Option<&str>) -> Result<Vec<Subject>, ProofError> {
    let mut subjects = Vec::new();
    for path in source.files().map_err(ProofError::Course)? {
        let Some(folder) = path.strip_suffix("/tp.md") else {
            continue;
        };
        let read = |path: &str| {
            let bytes = source.read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let parsed = parse(Path::new(&source.shown(&path)), &read(&path));
        let parsed = parsed.map_err(ProofError::Exercise)?;
        if tp.is_some_and(|tp| tp != parsed.exercise.id) {
            continue;
        }
        let exercise = &parsed.exercise;
        let examples = exercise.counterexamples.iter().map(|c| &c.run);
        let names: Vec<_> = std::iter::once(&exercise.solve).chain(examples).collect();
        let parts = exercise.parts();
        let all = parts
            .iter()
            .flat_map(|part| names.iter().map(|name| on_host(name, part)));
        let scripts = all
            .filter_map(|name| {
                let bytes = source.read(&format!("{folder}/{name}"))?;
                Some((name, String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect();
        subjects.push(Subject {
            source: parsed,
            scripts,
        });
    }
    Ok(subjects)
}

fn create(path: &Path) -> Result<std::fs::File, ProofError> {
    std::fs::File::create(path).map_err(ProofError::Report)
}

fn tell(exercise: &str, case: &Case, outcome: &Outcome, seconds: &str) {
    let mark = if outcome.is_good() { "✓" } else { "✗" };
    let name = match case {
        Case::Untouched => say("content.proof.untouched", &[]),
        Case::Solution(script) => say("content.proof.solution", &[("script", script)]),
        Case::CounterExample { script, check } => say(
            "content.proof.counterexample",
            &[("script", script), ("check", check)],
        ),
    };
    line(&format!("{mark} {exercise} · {name} · {seconds} s"));
    if let Some(why) = outcome.why() {
        line(&format!("    {why}"));
    }
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn line(text: &str) {
    println!("{text}");
}
