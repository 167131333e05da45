//! The progress of a build on plain lines, as BuildKit writes it.

use std::collections::BTreeMap;

use serde_json::Value;

/// One step that was begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vertex {
    /// `[one 2/5] RUN true`
    pub(crate) title: String,
    /// Milliseconds.
    pub(crate) began: u64,
    /// Milliseconds, once it has ended.
    pub(crate) ended: Option<u64>,
    pub(crate) cached: bool,
    pub(crate) failed: bool,
    /// Its last lines.
    pub(crate) lines: Vec<String>,
    /// A line whose end has not come.
    partial: String,
}

/// The steps of a build, by number.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) vertices: Vec<Vertex>,
    current: BTreeMap<u64, usize>,
    pub(crate) total: u64,
}

/// Lines kept of a step.
const KEPT: usize = 200;

impl Graph {
    /// Takes an event in; gives the lines that a plain reader is shown.
    pub(crate) fn take(&mut self, event: &Value) -> Vec<String> {
        let stage = event["stage"].as_u64().unwrap_or(0);
        let at = event["at"].as_u64().unwrap_or(0);
        let text = event["text"].as_str().unwrap_or_default();
        let mut shown = Vec::new();
        match event["kind"].as_str().unwrap_or_default() {
            "step" => {
                self.end(stage, at, &mut shown);
                self.total = event["total"].as_u64().unwrap_or(0);
                let name = event["name"]
                    .as_str()
                    .map_or_else(|| format!("stage-{stage}"), str::to_owned);
                let title = format!("[{name} {}/{}] {text}", event["number"], event["total"]);
                self.vertices.push(Vertex {
                    title: title.clone(),
                    began: at,
                    ..Vertex::default()
                });
                self.current.insert(stage, self.vertices.len() - 1);
                shown.push(String::new());
                shown.push(format!("#{} {title}", self.vertices.len()));
            }
            "cached" => {
                if let Some((_, vertex)) = self.vertex(stage) {
                    vertex.cached = true;
                }
            }
            "output" | "note" => {
                if let Some((number, vertex)) = self.vertex(stage) {
                    let seconds = at.saturating_sub(vertex.began) as f64 / 1000.0;
                    for line in vertex.complete(text) {
                        shown.push(format!("#{number} {seconds:.3} {line}"));
                    }
                }
            }
            "warning" => {
                if let Some((number, vertex)) = self.vertex(stage) {
                    vertex.lines.push(format!("WARNING: {text}"));
                    shown.push(format!("#{number} WARNING: {text}"));
                }
            }
            "pull" => {
                let message = &event["message"];
                let status = message["status"].as_str().unwrap_or_default();
                // Bars are for terminals.
                if message["progressDetail"]["total"].is_null()
                    && let Some((number, vertex)) = self.vertex(stage)
                {
                    let line = format!("{} {status}", message["id"].as_str().unwrap_or_default());
                    vertex.lines.push(line.trim().to_owned());
                    shown.push(format!("#{number} {}", line.trim()));
                }
            }
            "done" => self.end(stage, at, &mut shown),
            _ => {}
        }
        shown
    }

    /// A build that failed: the step that runs is to blame.
    pub(crate) fn fail(&mut self, message: &str) -> Vec<String> {
        let mut shown = Vec::new();
        let open: Vec<usize> = (0..self.vertices.len())
            .filter(|index| self.vertices[*index].ended.is_none())
            .collect();
        for index in open {
            let vertex = &mut self.vertices[index];
            (vertex.ended, vertex.failed) = (Some(vertex.began), true);
            shown.push(format!("#{} ERROR: {message}", index + 1));
        }
        shown
    }

    fn vertex(&mut self, stage: u64) -> Option<(usize, &mut Vertex)> {
        let index = *self.current.get(&stage)?;
        Some((index + 1, &mut self.vertices[index]))
    }

    fn end(&mut self, stage: u64, at: u64, shown: &mut Vec<String>) {
        let Some((number, vertex)) = self.vertex(stage) else {
            return;
        };
        if vertex.ended.is_some() {
            return;
        }
        vertex.ended = Some(at);
        let rest = std::mem::take(&mut vertex.partial);
        if !rest.is_empty() {
            vertex.lines.push(rest.clone());
            shown.push(format!("#{number} {rest}"));
        }
        let seconds = at.saturating_sub(vertex.began) as f64 / 1000.0;
        shown.push(if vertex.cached {
            format!("#{number} CACHED")
        } else {
            format!("#{number} DONE {seconds:.1}s")
        });
    }
}

impl Vertex {
    /// The whole lines that a piece of output completes.
    fn complete(&mut self, text: &str) -> Vec<String> {
        self.partial.push_str(text);
        let mut whole = Vec::new();
        while let Some(end) = self.partial.find('\n') {
            let line: String = self.partial.drain(..=end).collect();
            whole.push(line.trim_end_matches(['\n', '\r']).to_owned());
        }
        self.lines.extend(whole.iter().cloned());
        if self.lines.len() > KEPT {
            self.lines.drain(..self.lines.len() - KEPT);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_become_buildkits_lines() {
        let mut graph = Graph::default();
        let mut lines = Vec::new();
        for event in [
            json!({"kind": "step", "stage": 0, "name": "one", "number": 1, "total": 2, "text": "FROM a", "at": 0}),
            json!({"kind": "step", "stage": 0, "name": "one", "number": 2, "total": 2, "text": "RUN b", "at": 100}),
            json!({"kind": "output", "stage": 0, "text": "half", "at": 150}),
            json!({"kind": "output", "stage": 0, "text": " line\nrest", "at": 200}),
            json!({"kind": "cached", "stage": 0, "at": 200}),
            json!({"kind": "done", "stage": 0, "at": 300}),
        ] {
            lines.extend(graph.take(&event));
        }
        let expected = [
            "",
            "#1 [one 1/2] FROM a",
            "#1 DONE 0.1s",
            "",
            "#2 [one 2/2] RUN b",
            "#2 0.100 half line",
            "#2 rest",
            "#2 CACHED",
        ];
        assert_eq!(lines, expected);
    }
}
