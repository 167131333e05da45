//! The progress of pulls, loads and imports: bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::Write;

use serde_json::Value;

use super::super::error::CliError;
use super::amount;

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A terminal of this width, where lines can be rewritten.
    Terminal(usize),
    /// A file or a pipe.
    Plain,
}

/// Shows one stream of messages.
#[derive(Debug)]
pub(crate) struct Progress<W> {
    out: W,
    screen: Screen,
    /// The line of each layer, counted from the first.
    lines: HashMap<String, usize>,
}

impl<W: Write> Progress<W> {
    /// Shows messages on `out`.
    pub(crate) fn new(out: W, screen: Screen) -> Self {
        Self {
            out,
            screen,
            lines: HashMap::new(),
        }
    }

    /// Shows one message; a message that is an error ends the stream.
    pub(crate) fn show(&mut self, message: &Value) -> Result<(), CliError> {
        if let Some(error) = message["errorDetail"]["message"]
            .as_str()
            .or(message["error"].as_str())
        {
            return Err(CliError::Said(error.to_owned()));
        }
        let text = message["stream"].as_str().unwrap_or_default();
        let status = message["status"].as_str().unwrap_or_default();
        let id = message["id"].as_str().unwrap_or_default();
        let detail = &message["progressDetail"];
        let moving = detail["current"]
            .as_f64()
            .is_some_and(|current| current > 0.0);
        let written = match self.screen {
            _ if message.get("aux").is_some() => Ok(()),
            _ if !text.is_empty() => write!(self.out, "{text}"),
            Screen::Plain if moving => Ok(()),
            Screen::Plain if id.is_empty() => writeln!(self.out, "{status}"),
            Screen::Plain => writeln!(self.out, "{id}: {status}"),
            Screen::Terminal(_) if id.is_empty() => writeln!(self.out, "{status}"),
            Screen::Terminal(width) => {
                let bar = if moving {
                    bar(detail, width)
                } else {
                    String::new()
                };
                let line = format!("{id}: {status} {bar}");
                self.rewrite(id, line.trim_end())
            }
        };
        written
            .and_then(|()| self.out.flush())
            .map_err(CliError::Output)
    }

    /// Goes up to the layer's line, writes it anew and comes back.
    fn rewrite(&mut self, id: &str, line: &str) -> std::io::Result<()> {
        let count = self.lines.len();
        let Some(&at) = self.lines.get(id) else {
            self.lines.insert(id.to_owned(), count);
            return writeln!(self.out, "\r\x1b[2K{line}");
        };
        let up = count - at;
        write!(self.out, "\x1b[{up}A\r\x1b[2K{line}\r\x1b[{up}B")
    }
}

/// `[=====>     ]  1.2MB/3.4MB`
fn bar(detail: &Value, width: usize) -> String {
    let current = detail["current"].as_f64().unwrap_or_default();
    let total = detail["total"].as_f64().unwrap_or_default();
    if total <= 0.0 {
        return amount::decimal(current);
    }
    let numbers = format!("{:>8}/{}", amount::decimal(current), amount::decimal(total));
    if width <= 110 {
        return numbers;
    }
    let done = ((current / total) * 50.0).clamp(0.0, 50.0) as usize;
    format!("[{}>{}] {numbers}", "=".repeat(done), " ".repeat(50 - done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(screen: Screen) -> String {
        let mut out = Vec::new();
        let mut progress = Progress::new(&mut out, screen);
        for message in [
            json!({"status": "Pulling from library/x", "id": "latest"}),
            json!({"status": "Pulling fs layer", "progressDetail": {}, "id": "aa"}),
            json!({"status": "Downloading", "progressDetail": {"current": 5, "total": 10}, "id": "aa"}),
            json!({"status": "Status: done"}),
        ] {
            progress.show(&message).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_file_gets_one_line_per_event() {
        assert_eq!(
            shown(Screen::Plain),
            "latest: Pulling from library/x\naa: Pulling fs layer\nStatus: done\n"
        );
    }

    #[test]
    fn a_terminal_gets_moving_bars() {
        let shown = shown(Screen::Terminal(120));
        assert!(
            shown.contains("\x1b[1A\r\x1b[2Kaa: Downloading [==="),
            "{shown:?}"
        );
        assert!(shown.contains("5B/10B"), "{shown:?}");
    }

    #[test]
    fn an_error_ends_the_stream() {
        let mut progress = Progress::new(Vec::new(), Screen::Plain);
        let error = progress.show(&json!({"errorDetail": {"message": "no"}, "error": "no"}));
        assert_eq!(error.unwrap_err().to_string(), "no");
    }
}
