//! The pages of the course.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use labs::exercise::schema::AnswerKind;
use web::pages::exercise::{CheckRow, Hint, Input, Question};
use web::pages::home::{Done, ModuleCard};
use web::pages::module::{Step as StepView, StepKind, StepState};
use web::pages::{
    Crumb, ExercisePage, Frame, HomePage, LessonPage, Link, ModulePage, Template, lesson,
};

use super::assets;
use crate::app::{App, Shared};
use crate::course::catalogue::Place;
use crate::course::exercise::{Told, Tp};
use crate::course::markdown::{self, Rendered};
use crate::course::{Module, Step, StepBody};
use crate::error::Failure;
use crate::progress::{ExerciseState, Overview, Reached};
use crate::router::StyleNonce;
use crate::session::Learner;

/// `GET /`.
pub(crate) async fn home(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Extension(nonce): Extension<StyleNonce>,
) -> Result<Html<String>, Failure> {
    let overview = app.progress.overview(learner).await?;
    let modules = app.course.modules.iter().map(|module| ModuleCard {
        place: module.name.place,
        title: module.title.clone(),
        summary: module.summary.clone(),
        href: module.href(),
        done: done(module, &overview),
    });
    page(&HomePage {
        frame: frame(&web::messages::say("page.home", &[]), Vec::new(), nonce),
        resume: resume(&app, &overview),
        modules: modules.collect(),
        faults: app
            .course
            .all_faults()
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

/// `GET /cours/{module}`.
pub(crate) async fn module(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path(slug): Path<String>,
    Extension(nonce): Extension<StyleNonce>,
) -> Result<Html<String>, Failure> {
    let module = app.course.module(&slug).ok_or(Failure::NotFound)?;
    let overview = app.progress.overview(learner).await?;
    let steps = module.steps.iter();
    page(&ModulePage {
        frame: frame(&module.title, vec![home_crumb()], nonce),
        place: module.name.place,
        title: module.title.clone(),
        summary: module.summary.clone(),
        body_html: module.body.html.clone(),
        done: done(module, &overview),
        steps: steps
            .map(|step| step_view(&app, module, step, &overview))
            .collect(),
    })
}

/// `GET /cours/{module}/{page}`.
pub(crate) async fn lesson(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path((module, slug)): Path<(String, String)>,
    Extension(nonce): Extension<StyleNonce>,
) -> Result<Html<String>, Failure> {
    let place = app.course.lesson(&module, &slug).ok_or(Failure::NotFound)?;
    let body = match &place.step.body {
        StepBody::Lesson(body) => body,
        StepBody::BrokenLesson(fault) => return Err(Failure::Broken(fault.clone())),
        _ => return Err(Failure::NotFound),
    };
    let id = place.module.step_id(place.step);
    app.progress.opened(learner.clone(), id.clone()).await?;
    let overview = app.progress.overview(learner).await?;
    page(&LessonPage {
        frame: step_frame(&place, nonce),
        title: place.step.title.clone(),
        summary: place.step.summary.clone(),
        contents: contents(body),
        body_html: body.html.clone(),
        previous: neighbour(place.previous),
        next: neighbour(place.next),
        read_href: format!("{}/lu", place.module.step_href(place.step)),
        read: overview.step(&id) == Some(Reached::Done),
    })
}

/// `POST /cours/{module}/{page}/lu`: the page was read to its end.
pub(crate) async fn read(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path((module, slug)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let place = app.course.lesson(&module, &slug).ok_or(Failure::NotFound)?;
    let id = place.module.step_id(place.step);
    app.progress.read(learner, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /tp/{module}/{tp}`.
pub(crate) async fn exercise(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path((module, slug)): Path<(String, String)>,
    Extension(nonce): Extension<StyleNonce>,
) -> Result<Html<String>, Failure> {
    let place = app
        .course
        .exercise(&module, &slug)
        .ok_or(Failure::NotFound)?;
    let tp = match &place.step.body {
        StepBody::Exercise(tp) => tp,
        StepBody::BrokenExercise(fault) => return Err(Failure::Broken(fault.clone())),
        _ => return Err(Failure::NotFound),
    };
    let id = tp.exercise.id.clone();
    app.progress.opened(learner.clone(), id.clone()).await?;
    app.progress.begun(learner.clone(), id.clone()).await?;
    let told = tp.told_to(learner.as_str());
    let mut state = app.progress.exercise(learner.clone(), id).await?;
    for part in tp.parts.iter().filter(|part| part.host().is_some()) {
        let part = app
            .progress
            .exercise(learner.clone(), part.id.clone())
            .await?;
        state.items.extend(part.items);
        state.answers.extend(part.answers);
    }
    page(&exercise_page(&app, &place, (tp, told), &state, nonce))
}

fn exercise_page(
    app: &App,
    place: &Place<'_>,
    (tp, told): (&Tp, Told),
    state: &ExerciseState,
    nonce: StyleNonce,
) -> ExercisePage {
    let exercise = &tp.exercise;
    let passed = |id: &str| state.items.get(id).is_some_and(|known| known.passed);
    let minutes = exercise.duration.minutes().to_string();
    let checks = exercise.checks.iter().map(|check| CheckRow {
        id: check.id.clone(),
        text: told.sentence(&check.text),
        needs: check.needs.clone(),
        passed: passed(&check.id),
    });
    let questions = exercise.ask.iter().map(|question| Question {
        id: question.id.clone(),
        text_html: markdown::render_line(&told.sentence(&question.text)),
        input: match question.kind {
            AnswerKind::Integer => Input::Integer,
            AnswerKind::Text => Input::Text,
            AnswerKind::Choice => Input::Choice(question.choices.clone()),
        },
        answer: state.answers.get(&question.id).cloned().unwrap_or_default(),
        passed: passed(&question.id),
    });
    let hints = exercise
        .hints
        .iter()
        .zip(&told.hints_html)
        .map(|(hint, html)| Hint {
            after_s: hint.after.0.as_secs(),
            body_html: html.clone(),
        });
    ExercisePage {
        frame: step_frame(place, nonce),
        title: exercise.title.clone(),
        duration: web::messages::say("page.minutes", &[("minutes", &minutes)]),
        body_html: told.statement_html.clone(),
        href: place.module.step_href(place.step),
        id: exercise.id.clone(),
        hosts: exercise.machine.hosts.clone(),
        checks: checks.collect(),
        questions: questions.collect(),
        hints: hints.collect(),
        solved: state.solved,
        unavailable: app.unavailable(exercise),
        previous: neighbour(place.previous),
        next: neighbour(place.next),
    }
}

fn page(view: &impl Template) -> Result<Html<String>, Failure> {
    Ok(Html(view.render()?))
}

fn frame(title: &str, trail: Vec<Crumb>, nonce: StyleNonce) -> Frame {
    Frame {
        title: title.to_owned(),
        trail,
        assets: assets::addresses(),
        style_nonce: nonce.0,
    }
}

fn home_crumb() -> Crumb {
    Crumb {
        title: web::messages::say("page.home", &[]),
        href: "/".to_owned(),
    }
}

fn step_frame(place: &Place<'_>, nonce: StyleNonce) -> Frame {
    let module = Crumb {
        title: place.module.title.clone(),
        href: place.module.href(),
    };
    frame(&place.step.title, vec![home_crumb(), module], nonce)
}

fn contents(body: &Rendered) -> Vec<lesson::Heading> {
    let headings = body.headings.iter().map(|heading| lesson::Heading {
        level: heading.level,
        id: heading.id.clone(),
        title: heading.title.clone(),
    });
    headings.collect()
}

fn neighbour(found: Option<(&Module, &Step)>) -> Option<Link> {
    found.map(|(module, step)| Link {
        title: step.title.clone(),
        href: module.step_href(step),
    })
}

/// Where to go on: the step opened last, or the one after it when it is done.
fn resume(app: &App, overview: &Overview) -> Option<Link> {
    let last = overview.last.as_deref()?;
    let mut rest = app
        .course
        .steps()
        .skip_while(|(module, step)| module.step_id(step) != last);
    let first = rest.next()?;
    let done = overview.step(last) == Some(Reached::Done);
    neighbour(Some(if done {
        rest.next().unwrap_or(first)
    } else {
        first
    }))
}

fn done(module: &Module, overview: &Overview) -> Done {
    let mut done = Done::default();
    for step in &module.steps {
        let reached = overview.step(&module.step_id(step)) == Some(Reached::Done);
        if step.is_exercise() {
            done.exercises_total += 1;
            done.exercises += usize::from(reached);
        } else {
            done.pages_total += 1;
            done.pages += usize::from(reached);
        }
    }
    done
}

fn step_view(app: &App, module: &Module, step: &Step, overview: &Overview) -> StepView {
    let unavailable = match &step.body {
        StepBody::Exercise(tp) => !app.unavailable(&tp.exercise).is_empty(),
        _ => false,
    };
    let state = match overview.step(&module.step_id(step)) {
        _ if step.fault().is_some() => StepState::Broken,
        Some(Reached::Done) => StepState::Done,
        _ if unavailable => StepState::Unavailable,
        Some(Reached::Begun) => StepState::Begun,
        None => StepState::New,
    };
    StepView {
        kind: if step.is_exercise() {
            StepKind::Exercise
        } else {
            StepKind::Page
        },
        title: step.title.clone(),
        note: step.summary.clone(),
        href: module.step_href(step),
        state,
    }
}
