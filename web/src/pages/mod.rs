//! One view struct per page, beside its template of the same name in `templates/pages/`.
//!
//! Fields that hold HTML are called `…html` and come from the course's sanitiser; every other
//! field is plain text and is escaped by the template.

pub mod exercise;
pub mod failure;
pub mod frame;
pub mod home;
pub mod lesson;
pub mod module;
pub mod published;

pub use askama::{Error as RenderError, Template};
pub use exercise::ExercisePage;
pub use failure::FailurePage;
pub use frame::{Assets, Crumb, Frame, Link};
pub use home::HomePage;
pub use lesson::LessonPage;
pub use module::ModulePage;
pub use published::PublishedPage;
