//! Which machine of which exercise an address is about.

use labs::exercise::Exercise;
use serde::Deserialize;

use crate::app::App;
use crate::error::Failure;

/// The beginning of an address: `/tp/{module}/{tp}` or `/tp/{module}/{tp}/hote/{host}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Seat {
    module: String,
    tp: String,
    #[serde(default)]
    host: Option<String>,
}

impl Seat {
    /// The exercise, or the part of it that happens on that machine.
    pub(crate) fn exercise<'a>(&self, app: &'a App) -> Result<&'a Exercise, Failure> {
        let tp = app.course.tp(&self.module, &self.tp);
        tp.and_then(|tp| tp.part(self.host.as_deref()))
            .ok_or(Failure::NotFound)
    }
}
