//! Folders and files → the course.

use std::collections::{BTreeMap, BTreeSet};

use web::messages::say;

use super::catalogue::{Course, Module, Step, StepBody};
use super::exercise::Tp;
use super::fault::Fault;
use super::front_matter;
use super::markdown;
use super::name::Name;
use super::source::{Source, SourceError};

/// What a module's folder holds, by name.
#[derive(Debug, Default)]
struct Folder {
    index: Option<String>,
    pages: Vec<String>,
    exercises: BTreeSet<String>,
}

/// Reads the whole course; what is broken becomes faults, never an error.
pub(crate) fn load(source: &Source) -> Result<Course, SourceError> {
    let mut course = Course::default();
    let mut modules: Vec<(Name, Folder)> = Vec::new();
    for (folder, content) in folders(&source.files()?) {
        match Name::parse(&folder) {
            Ok(name) if modules.iter().any(|(known, _)| known.slug == name.slug) => {
                let cause = say("fault.module-twice", &[("name", &name.slug)]);
                course.faults.push(Fault::new(&folder, cause));
            }
            Ok(name) => modules.push((name, content)),
            Err(error) => course.faults.push(Fault::new(&folder, error)),
        }
    }
    modules.sort_by(|(a, _), (b, _)| a.cmp(b));
    let reader = Reader { source };
    for (name, content) in modules {
        let module = reader.module(name, &content, &mut course.faults);
        course.modules.push(module);
    }
    wrong_links(&mut course);
    Ok(course)
}

/// Groups paths by module; only names are looked at.
fn folders(files: &[String]) -> BTreeMap<String, Folder> {
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for path in files {
        let Some((module, rest)) = path.split_once('/') else {
            continue;
        };
        let folder = folders.entry(module.to_owned()).or_default();
        match rest.split_once('/') {
            None if rest == "index.md" => folder.index = Some(path.clone()),
            None if rest.ends_with(".md") => folder.pages.push(rest.to_owned()),
            Some((exercise, "tp.md")) => {
                folder.exercises.insert(exercise.to_owned());
            }
            _ => {}
        }
    }
    folders
}

struct Reader<'a> {
    source: &'a Source,
}

impl Reader<'_> {
    fn module(&self, name: Name, content: &Folder, faults: &mut Vec<Fault>) -> Module {
        let folder = name.to_string();
        let assets = format!("/cours/{}/assets", name.slug);
        let index = match &content.index {
            Some(path) => self.page(path, &assets),
            None => Err(Fault::new(&folder, say("fault.no-index", &[]))),
        };
        let (title, summary, body) = index.unwrap_or_else(|fault| {
            faults.push(fault);
            (
                name.slug.clone(),
                String::new(),
                markdown::Rendered::default(),
            )
        });
        let mut steps = Vec::new();
        for file in &content.pages {
            let path = format!("{folder}/{file}");
            let stem = file.trim_end_matches(".md");
            self.add(&mut steps, faults, stem, &path, |step| {
                self.lesson(step, &path, &assets)
            });
        }
        for stem in &content.exercises {
            let path = format!("{folder}/{stem}/tp.md");
            self.add(&mut steps, faults, stem, &path, |step| {
                self.exercise(step, &path, &name.slug)
            });
        }
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        Module {
            name,
            title,
            summary,
            body,
            steps,
        }
    }

    /// Adds the step called `stem`, unless its name is wrong or taken.
    fn add(
        &self,
        steps: &mut Vec<Step>,
        faults: &mut Vec<Fault>,
        stem: &str,
        path: &str,
        read: impl FnOnce(Name) -> Step,
    ) {
        match Name::parse(stem) {
            Ok(name) if steps.iter().any(|step| step.name.slug == name.slug) => {
                let cause = say("fault.step-twice", &[("name", &name.slug)]);
                faults.push(Fault::new(&self.source.shown(path), cause));
            }
            Ok(name) => steps.push(read(name)),
            Err(error) => faults.push(Fault::new(&self.source.shown(path), error)),
        }
    }

    fn lesson(&self, name: Name, path: &str, assets: &str) -> Step {
        match self.page(path, assets) {
            Ok((title, summary, body)) => Step {
                name,
                title,
                summary,
                body: StepBody::Lesson(body),
            },
            Err(fault) => Step {
                title: name.slug.clone(),
                summary: String::new(),
                name,
                body: StepBody::BrokenLesson(fault),
            },
        }
    }

    fn exercise(&self, name: Name, path: &str, module: &str) -> Step {
        let id = format!("{module}/{}", name.slug);
        let assets = format!("/tp/{id}/assets");
        let read = self
            .text(path)
            .and_then(|text| Tp::read(&self.source.shown(path), &text, &id, &assets));
        match read {
            Ok(tp) => Step {
                name,
                title: tp.exercise.title.clone(),
                summary: tp.exercise.summary.clone().unwrap_or_default(),
                body: StepBody::Exercise(Box::new(tp)),
            },
            Err(fault) => Step {
                title: name.slug.clone(),
                summary: String::new(),
                name,
                body: StepBody::BrokenExercise(fault),
            },
        }
    }

    fn page(
        &self,
        path: &str,
        assets: &str,
    ) -> Result<(String, String, markdown::Rendered), Fault> {
        let text = self.text(path)?;
        let shown = self.source.shown(path);
        let parts = front_matter::split(&shown, &text)?;
        let head = front_matter::head(&shown, &parts)?;
        let body = markdown::render(parts.body, assets);
        Ok((head.title, head.summary, body))
    }

    fn text(&self, path: &str) -> Result<String, Fault> {
        let shown = self.source.shown(path);
        let bytes = self
            .source
            .read(path)
            .ok_or_else(|| Fault::new(&shown, say("fault.unreadable", &[])))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()]
                .iter()
                .filter(|b| **b == b'\n')
                .count();
            Fault::at(&shown, line, say("fault.not-text", &[]))
        })?;
        Ok(text.to_owned())
    }
}

/// Finds links inside the course that lead nowhere.
fn wrong_links(course: &mut Course) {
    let mut known: BTreeSet<String> = BTreeSet::from(["/".to_owned()]);
    for module in &course.modules {
        known.insert(module.href());
        known.extend(module.steps.iter().map(|step| module.step_href(step)));
    }
    let mut wrong = Vec::new();
    let mut look = |at: String, links: &[String]| {
        for link in links {
            let path = link.split(['#', '?']).next().unwrap_or_default();
            let inside = path.starts_with('/');
            let relative = !inside && !path.is_empty() && !link.contains(':');
            if (inside && !known.contains(path)) || relative {
                wrong.push(Fault::new(&at, say("fault.link", &[("link", link)])));
            }
        }
    };
    for module in &course.modules {
        look(module.href(), &module.body.links);
        for step in &module.steps {
            let links = match &step.body {
                StepBody::Lesson(page) => &page.links,
                StepBody::Exercise(tp) => &tp.statement.links,
                StepBody::BrokenLesson(_) | StepBody::BrokenExercise(_) => continue,
            };
            look(module.step_href(step), links);
        }
    }
    course.faults.extend(wrong);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(files: &[(&str, &str)]) -> Course {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        load(&Source::Literal(files)).unwrap()
    }

    const INDEX: &str = "---\ntitle: Espaces\n---\n";

    #[test]
    fn names_give_the_order_and_the_addresses() {
        let course = course(&[
            ("02-b/index.md", INDEX),
            ("01-a/index.md", INDEX),
            (
                "01-a/02-deux.md",
                "---\ntitle: Deux\n---\n[un](/cours/a/un)\n",
            ),
            ("01-a/01-un.md", "---\ntitle: Un\n---\n## T\n"),
            ("02-b/01-trois.md", "---\ntitle: Trois\n---\n"),
        ]);
        assert_eq!(course.all_faults(), Vec::<&Fault>::new());
        let place = course.lesson("a", "deux").unwrap();
        assert_eq!(place.previous.unwrap().1.title, "Un");
        let (module, step) = place.next.unwrap();
        assert_eq!(module.step_href(step), "/cours/b/trois");
    }

    #[test]
    fn a_broken_page_leaves_the_others() {
        let course = course(&[
            ("01-a/index.md", INDEX),
            ("01-a/01-un.md", "pas de tête\n"),
            (
                "01-a/02-tp/tp.md",
                "---\nschema: 1\nid: a/tp\ntitel: x\n---\n",
            ),
            ("01-a/03-trois.md", "---\ntitle: Trois\n---\n"),
            ("01-a/quatre.md", "---\ntitle: Quatre\n---\n"),
        ]);
        let faults: Vec<_> = course
            .all_faults()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(faults.len(), 3, "{faults:#?}");
        assert!(course.exercise("a", "tp").is_some());
        assert!(course.tp("a", "tp").is_none());
        let fault = course.exercise("a", "tp").unwrap().step.fault().unwrap();
        assert_eq!(fault.line, Some(4), "{fault}");
        assert_eq!(course.lesson("a", "trois").unwrap().step.title, "Trois");
    }

    #[test]
    fn links_that_lead_nowhere_are_faults() {
        let course = course(&[
            ("01-a/index.md", INDEX),
            (
                "01-a/01-un.md",
                "---\ntitle: Un\n---\n[x](/cours/a/zut) [y](02-deux.md) [z](#t)\n",
            ),
        ]);
        assert_eq!(course.faults.len(), 2, "{:?}", course.faults);
    }

    #[test]
    fn the_embedded_course_has_no_fault() {
        let course = load(&Source::Embedded).unwrap();
        assert!(!course.modules.is_empty());
        let faults: Vec<_> = course
            .all_faults()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
