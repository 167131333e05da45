//! Transcripts: steps of a shell script, each with what it prints and how it ends.

use std::fs;
use std::path::{Path, PathBuf};

/// One script.
pub(crate) struct Transcript {
    /// `run`
    pub(crate) name: String,
    path: PathBuf,
    /// What stands before the first step: what the script shows.
    head: Vec<String>,
    /// Its steps, in order.
    pub(crate) steps: Vec<Step>,
}

/// One line of the script.
pub(crate) struct Step {
    /// What the shell is given.
    pub(crate) command: String,
    /// `| stdout`, `! stderr` and `? exit code`, line by line.
    pub(crate) output: Vec<String>,
}

impl Transcript {
    /// Every transcript, by name.
    pub(crate) fn all() -> Vec<Self> {
        let folder = here().join("transcripts");
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .expect("the transcripts are there")
            .map(|entry| entry.expect("the folder can be read").path())
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a transcript can be read");
        let mut transcript = Self {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            path: path.to_owned(),
            head: Vec::new(),
            steps: Vec::new(),
        };
        for line in text.lines() {
            match (line.strip_prefix("$ "), transcript.steps.last_mut()) {
                (Some(command), _) => transcript.steps.push(Step {
                    command: command.to_owned(),
                    output: Vec::new(),
                }),
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => transcript.head.push(line.to_owned()),
            }
        }
        transcript
    }

    /// Writes what the steps now hold.
    pub(crate) fn write(&self) {
        let mut lines = self.head.clone();
        for step in &self.steps {
            lines.push(format!("$ {}", step.command));
            lines.extend_from_slice(&step.output);
        }
        fs::write(&self.path, lines.join("\n") + "\n").expect("the transcript can be written");
    }
}

/// The folder of this suite.
pub(crate) fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cli")
}
