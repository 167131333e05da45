//! From `tp.md` to an exercise and its prose, or to the line that is wrong.

use std::path::{Path, PathBuf};

use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Budget, Options};

use super::problem::{Cause, Problem, closest};
use super::schema::{Exercise, SCHEMA};

/// Larger than any exercise; smaller than what would hurt.
const LARGEST: u64 = 1 << 20;

/// An exercise as it stands on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The front matter.
    pub exercise: Exercise,
    /// The French prose below it, Markdown.
    pub prose: String,
    /// `tp.md` itself.
    pub file: PathBuf,
    /// The front matter as text: its first line is line 2 of the file.
    pub front: String,
}

/// Reads `tp.md`.
pub fn load(file: &Path) -> Result<Source, Problem> {
    let problem = |cause| Problem {
        file: file.into(),
        line: None,
        cause,
    };
    let unreadable = |why: String| problem(Cause::Unreadable { why });
    let size = std::fs::metadata(file).map_err(|e| unreadable(e.to_string()))?;
    if size.len() > LARGEST {
        return Err(unreadable(format!("larger than {LARGEST} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|e| unreadable(e.to_string()))?;
    parse(file, &text)
}

/// Reads the text of a `tp.md`; `file` is only named in problems.
pub fn parse(file: &Path, text: &str) -> Result<Source, Problem> {
    let problem = |line, cause| Problem {
        file: file.into(),
        line,
        cause,
    };
    let (front, prose) = split(text).ok_or_else(|| problem(Some(1), Cause::NoFrontMatter))?;
    let exercise: Exercise =
        serde_saphyr::from_str_with_options(front, options()).map_err(|e| {
            // The front matter begins on the file's second line.
            let line = e.location().map(|l| l.line() + 1).filter(|l| *l > 1);
            problem(line, cause(&e))
        })?;
    if exercise.schema != SCHEMA {
        let found = exercise.schema;
        return Err(problem(Some(2), Cause::Schema { found }));
    }
    Ok(Source {
        exercise,
        prose: prose.into(),
        file: file.into(),
        front: front.into(),
    })
}

/// The text between the first line `---` and the next one, and what follows.
fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("---\n")?;
    if let Some(prose) = rest.strip_prefix("---\n") {
        return Some(("", prose));
    }
    let (front, prose) = rest.split_once("\n---\n")?;
    Some((front, prose))
}

/// No duplicate keys, no merge keys, and no alias that multiplies the file.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_documents = 1;
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = 2000;
    aliases.max_replay_stack_depth = 4;
    aliases.max_alias_expansions_per_anchor = 100;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits = aliases;
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.merge_keys = MergeKeyPolicy::Error;
    options.with_snippet = false;
    options
}

fn cause(error: &serde_saphyr::Error) -> Cause {
    match error {
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => Cause::UnknownField {
            field: field.clone(),
            closest: closest(field, expected.iter().copied()),
            known: expected.iter().map(|k| (*k).into()).collect(),
        },
        serde_saphyr::Error::SerdeMissingField { field, .. } => Cause::MissingField {
            field: (*field).into(),
        },
        other => Cause::Yaml {
            message: without_place(&other.to_string()),
        },
    }
}

/// The parser's sentence without its own line numbers, which count from the front matter.
fn without_place(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let sentence = line.split(" at line ").next().unwrap_or_default();
    sentence.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "---\nschema: 1\nid: a/b\ntitle: Un titre\nduration: 5m\nchecks:\n  - id: c\n    text: Oui\n    assert: { machine.hostname: x }\nsolve: s.sh\ncounterexamples: []\n---\nProse.\n";

    #[track_caller]
    fn check(text: &str, line: Option<u64>, expected: &str) {
        let problem = parse(Path::new("tp.md"), text).unwrap_err();
        assert_eq!(problem.line, line, "{problem}");
        assert!(problem.to_string().contains(expected), "{problem}");
    }

    #[test]
    fn front_matter_and_prose_are_told_apart() {
        let source = parse(Path::new("tp.md"), GOOD).unwrap();
        assert_eq!(source.prose, "Prose.\n");
        assert_eq!(source.exercise.id, "a/b");
    }

    #[test]
    fn an_unknown_field_is_reported_with_its_line_and_the_closest_name() {
        let text = GOOD.replace("duration", "durration");
        check(&text, Some(5), "did you mean \"duration\"?");
        let text = GOOD.replace("    text: Oui", "    texte: Oui");
        check(&text, Some(8), "did you mean \"text\"?");
        let text = GOOD.replace(
            "{ machine.hostname: x }",
            "{ machine.hostname: { equal: x } }",
        );
        check(&text, Some(9), "unknown field \"equal\"");
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_said() {
        check(
            &GOOD.replace("title: Un titre\n", ""),
            Some(10),
            "missing field \"title\"",
        );
        check(&GOOD.replace("5m", "5 minutes"), Some(5), "is no duration");
        check(
            &GOOD.replace("schema: 1", "schema: 2"),
            Some(2),
            "schema: 1",
        );
        check("Prose.\n", Some(1), "no front matter");
        check(
            &GOOD.replace("id: a/b", "id: [a"),
            Some(3),
            "expected string",
        );
    }

    #[test]
    fn a_key_written_twice_is_refused() {
        check(
            &GOOD.replace("id: a/b", "id: a/b\nid: a/c"),
            Some(4),
            "duplicate",
        );
    }

    #[test]
    fn an_alias_bomb_is_refused_at_once() {
        let bomb = "requires: &a [x,x,x,x,x,x,x,x,x,x]\nneeds: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nask: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nhints: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nvars: { v: { pick: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c] } }\n";
        let text = GOOD.replace("schema: 1\n", &format!("schema: 1\n{bomb}"));
        assert!(parse(Path::new("tp.md"), &text).is_err());
        // Even where the type would accept the lists.
        let text = GOOD.replace(
            "schema: 1\n",
            "schema: 1\nvars:\n  a: { pick: &a [x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x] }\n  b: { pick: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a] }\n  c: { pick: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b] }\n  d: { pick: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c,*c] }\n",
        );
        check(&text, Some(6), "alias");
    }
}
