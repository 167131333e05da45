//! The progress of a build as a tree that is drawn again and again.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::progress::{Graph, Vertex};

/// How often it is drawn at most.
const REDRAW: Duration = Duration::from_millis(80);
/// Output lines shown below a step that runs.
const TAIL: usize = 4;

/// The tree on the terminal.
#[derive(Debug)]
pub(crate) struct Live {
    started: Instant,
    drawn: Option<Instant>,
    /// Lines that are on the screen now.
    height: usize,
}

impl Live {
    /// Nothing is drawn yet.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            drawn: None,
            height: 0,
        }
    }

    /// What to write, when it is time to.
    pub(crate) fn tick(&mut self, graph: &Graph, size: (usize, usize)) -> Option<String> {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return None;
        }
        Some(self.draw(graph, size, Ending::None))
    }

    /// The last picture.
    pub(crate) fn finish(&mut self, graph: &Graph, size: (usize, usize), failed: bool) -> String {
        self.draw(
            graph,
            size,
            if failed { Ending::Failed } else { Ending::Done },
        )
    }

    fn draw(&mut self, graph: &Graph, (cols, rows): (usize, usize), ending: Ending) -> String {
        self.drawn = Some(Instant::now());
        let done = graph
            .vertices
            .iter()
            .filter(|vertex| vertex.ended.is_some())
            .count();
        let word = match ending {
            Ending::None => "",
            Ending::Done => " FINISHED",
            Ending::Failed => " ERROR",
        };
        let mut lines = vec![format!(
            "[+] Building {:.1}s ({done}/{}){word}",
            self.started.elapsed().as_secs_f64(),
            graph.vertices.len()
        )];
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        for vertex in &graph.vertices {
            lines.push(title(vertex, now, cols));
            let running = vertex.ended.is_none() && ending == Ending::None;
            if running || vertex.failed {
                let skip = vertex
                    .lines
                    .len()
                    .saturating_sub(if vertex.failed { 10 } else { TAIL });
                lines.extend(
                    vertex.lines[skip..]
                        .iter()
                        .map(|line| format!(" => => # {line}")),
                );
            }
        }
        if ending == Ending::None && lines.len() >= rows {
            // What does not fit scrolls away: the end is what moves.
            let head = lines.remove(0);
            lines.drain(..lines.len() + 2 - rows);
            lines.insert(0, head);
        }
        let mut text = String::new();
        if self.height > 0 {
            let _ = write!(text, "\x1b[{}A", self.height);
        }
        for line in &lines {
            let cut: String = line
                .chars()
                .filter(|letter| !letter.is_control())
                .take(cols)
                .collect();
            let _ = write!(text, "\r\x1b[2K{cut}\n");
        }
        text.push_str("\x1b[J");
        self.height = lines.len();
        text
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    None,
    Done,
    Failed,
}

fn title(vertex: &Vertex, now: u64, cols: usize) -> String {
    let end = vertex.ended.unwrap_or(now);
    let time = format!("{:.1}s", end.saturating_sub(vertex.began) as f64 / 1000.0);
    let word = match () {
        () if vertex.failed => "ERROR ",
        () if vertex.cached => "CACHED ",
        () => "",
    };
    let text = format!(" => {word}{}", vertex.title);
    let room = cols.saturating_sub(time.len() + 1);
    let cut: String = text.chars().take(room).collect();
    format!("{cut:<room$} {time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_never_exceeds_the_terminal() {
        let mut graph = Graph::default();
        for number in 0..50 {
            graph.take(&serde_json::json!({
                "kind": "step", "stage": number, "number": 1, "total": 50, "text": "RUN \u{1b}[31m".repeat(40), "at": 0,
            }));
        }
        let mut live = Live::new();
        let text = live.tick(&graph, (80, 24)).unwrap();
        assert!(text.lines().count() <= 24, "{text}");
        assert!(
            text.lines()
                .all(|line| line.replace("\r\x1b[2K", "").chars().count() <= 83),
            "{text}"
        );
        assert!(live.tick(&graph, (80, 24)).is_none(), "not so soon");
    }
}
