//! The output of several containers at once, each line marked with the container it comes from.

use std::io::{self, Write, stderr, stdout};

use futures_util::future::join_all;
use http_body_util::BodyExt;
use hyper::Method;

use super::scope::Container;
use crate::cli::client::Payload;
use crate::cli::demux::{Demux, Outputs};
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::cli::{Session, tty};

/// Colours of the marks, as ANSI numbers.
const COLOURS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// What is shown and how.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Go on while the containers run.
    pub(super) follow: bool,
    /// Lines from the end, or `all`.
    pub(super) tail: String,
    /// Only what is newer.
    pub(super) since: Option<String>,
    /// Only what is older.
    pub(super) until: Option<String>,
    /// With the moment of each line.
    pub(super) timestamps: bool,
    /// Whether lines are marked.
    pub(super) marks: Marks,
    /// Whether the end of a container is told.
    pub(super) tells_end: bool,
}

/// How lines are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// With a coloured name.
    Coloured,
    /// With a name.
    Plain,
    /// Not at all.
    None,
}

impl Marks {
    /// Colours only where somebody sees them.
    pub(super) fn of(no_prefix: bool, no_color: bool, ansi: Option<&str>) -> Self {
        match (no_prefix, no_color, ansi) {
            (true, ..) => Self::None,
            (_, true, _) | (.., Some("never")) => Self::Plain,
            (.., Some("always")) => Self::Coloured,
            _ if tty::has_output() => Self::Coloured,
            _ => Self::Plain,
        }
    }
}

/// Shows the output of `containers` until all of it has been shown.
pub(super) async fn show(
    session: &Session,
    containers: &[Container],
    shown: &Shown,
) -> Result<(), CliError> {
    let width = containers
        .iter()
        .map(|container| container.mark().len())
        .max()
        .unwrap_or(0);
    let all = containers.iter().enumerate().map(|(index, container)| {
        let mark = mark(&container.mark(), width, index, shown.marks);
        one(session, container, shown, mark)
    });
    join_all(all).await.into_iter().collect()
}

/// `web-1  | `
fn mark(name: &str, width: usize, index: usize, marks: Marks) -> String {
    let text = format!("{name:width$}  | ");
    match marks {
        Marks::None => String::new(),
        Marks::Plain => text,
        Marks::Coloured => format!("\x1b[{}m{text}\x1b[0m", COLOURS[index % COLOURS.len()]),
    }
}

async fn one(
    session: &Session,
    container: &Container,
    shown: &Shown,
    mark: String,
) -> Result<(), CliError> {
    let inspect = Query::new(&["containers", &container.id, "json"]);
    let is_plain = session.client.get(&inspect).await?["Config"]["Tty"] == true;
    let query = Query::new(&["containers", &container.id, "logs"])
        .with("stdout", "1")
        .with("stderr", "1")
        .with_switch("follow", shown.follow)
        .with_switch("timestamps", shown.timestamps)
        .with("tail", &shown.tail)
        .with_some("since", shown.since.as_deref())
        .with_some("until", shown.until.as_deref());
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    let mut demux = Demux::default();
    let mut outputs = Outputs {
        out: Marked::new(stdout(), mark.clone()),
        err: Marked::new(stderr(), mark),
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
        if let Some(bytes) = frame.data_ref() {
            match is_plain {
                true => outputs.out.write_all(bytes),
                false => demux.feed(bytes, &mut outputs),
            }
            .map_err(CliError::Output)?;
        }
    }
    outputs
        .out
        .finish()
        .and_then(|()| outputs.err.finish())
        .map_err(CliError::Output)?;
    if shown.tells_end && shown.follow {
        // The daemon may have been asked to remove it meanwhile: then nothing is left to tell.
        if let Ok(inspected) = session.client.get(&inspect).await
            && inspected["State"]["Running"] == false
        {
            let code = &inspected["State"]["ExitCode"];
            crate::cli::output::line(&format!("{} exited with code {code}", container.mark()))?;
        }
    }
    Ok(())
}

/// Writes whole lines, each behind a mark.
struct Marked<W> {
    out: W,
    mark: String,
    line: Vec<u8>,
}

/// A line without an end is cut here, in bytes.
const LONGEST: usize = 64 * 1024;

impl<W: Write> Marked<W> {
    fn new(out: W, mark: String) -> Self {
        Self {
            out,
            mark,
            line: Vec::new(),
        }
    }

    /// Writes the last line, which has no end.
    fn finish(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        self.line.push(b'\n');
        self.put()
    }

    fn put(&mut self) -> io::Result<()> {
        let mut whole = self.mark.clone().into_bytes();
        whole.append(&mut self.line);
        self.out.write_all(&whole)?;
        self.out.flush()
    }
}

impl<W: Write> Write for Marked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.put()?;
            } else if self.line.len() > LONGEST {
                self.finish()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cut_anywhere_are_marked_once() {
        let mut marked = Marked::new(Vec::new(), "web-1  | ".into());
        for piece in ["one\ntw", "o\n", "", "three"] {
            marked.write_all(piece.as_bytes()).unwrap();
        }
        marked.finish().unwrap();
        assert_eq!(
            String::from_utf8(marked.out).unwrap(),
            "web-1  | one\nweb-1  | two\nweb-1  | three\n"
        );
    }

    #[test]
    fn marks_are_as_wide_as_the_widest() {
        assert_eq!(mark("db-1", 6, 0, Marks::Plain), "db-1    | ");
        assert_eq!(mark("db-1", 6, 0, Marks::None), "");
        assert_eq!(mark("a", 1, 11, Marks::Coloured), "\x1b[33ma  | \x1b[0m");
    }
}
