//! What builds did before: one line per step, appended; the cache of builds and the parents of images.
//!
//! A step's key says everything it depends on: the image before it, the instruction, and what it copies. A line that
//! was cut short is ignored, and losing lines costs time only.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

use super::{StoreError, write_atomically};

/// A step that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What it depends on.
    pub key: Digest,
    /// The image before it.
    pub parent: Option<Digest>,
    /// Digest of the configuration of the image after it.
    pub image: Digest,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// When, seconds since the epoch.
    pub at: i64,
}

/// The file `steps.jsonl`.
#[derive(Debug)]
pub struct Steps {
    path: PathBuf,
    known: Mutex<Option<BTreeMap<Digest, StepRecord>>>,
}

impl Steps {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            known: Mutex::default(),
        }
    }

    /// The step with this key.
    pub fn find(&self, key: &Digest) -> Result<Option<StepRecord>, StoreError> {
        Ok(self
            .load()?
            .as_ref()
            .and_then(|known| known.get(key).cloned()))
    }

    /// All steps, in no order.
    pub fn all(&self) -> Result<Vec<StepRecord>, StoreError> {
        Ok(self
            .load()?
            .iter()
            .flat_map(|known| known.values())
            .cloned()
            .collect())
    }

    /// Adds steps.
    pub fn add(&self, steps: &[StepRecord]) -> Result<(), StoreError> {
        if steps.is_empty() {
            return Ok(());
        }
        let mut known = self.load()?;
        let mut text = Vec::new();
        for step in steps {
            serde_json::to_writer(&mut text, step).expect("steps are plain data");
            text.push(b'\n');
        }
        let fail = |source| StoreError::io("write", &self.path, source);
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(fail)?;
        file.write_all(&text).map_err(fail)?;
        let known = known.get_or_insert_default();
        known.extend(steps.iter().map(|step| (step.key.clone(), step.clone())));
        Ok(())
    }

    /// Forgets the steps for which `keep` says no; tells how many.
    pub fn retain(&self, keep: impl Fn(&StepRecord) -> bool) -> Result<usize, StoreError> {
        let mut known = self.load()?;
        let known = known.get_or_insert_default();
        let before = known.len();
        known.retain(|_, step| keep(step));
        if known.len() != before {
            let mut text = Vec::new();
            for step in known.values() {
                serde_json::to_writer(&mut text, step).expect("steps are plain data");
                text.push(b'\n');
            }
            write_atomically(&self.path, &text)?;
        }
        Ok(before - known.len())
    }

    fn load(&self) -> Result<MutexGuard<'_, Option<BTreeMap<Digest, StepRecord>>>, StoreError> {
        let mut known = self.known.lock().expect("no panic while holding it");
        if known.is_none() {
            let text = match fs::read(&self.path) {
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                read => read.map_err(|source| StoreError::io("read", &self.path, source))?,
            };
            let lines = text.split(|byte| *byte == b'\n');
            let steps = lines.filter_map(|line| serde_json::from_slice::<StepRecord>(line).ok());
            *known = Some(steps.map(|step| (step.key.clone(), step)).collect());
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    #[test]
    fn a_torn_line_hides_no_other() {
        let scratch = Scratch::new();
        let path = scratch.path().join("steps.jsonl");
        let step = |name: &[u8]| StepRecord {
            key: Digest::of(name),
            parent: None,
            image: Digest::of(b"image"),
            manifest: Digest::of(b"manifest"),
            at: 0,
        };
        Steps::new(path.clone())
            .add(&[step(b"a"), step(b"b")])
            .unwrap();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let steps = Steps::new(path);
        assert!(steps.find(&Digest::of(b"a")).unwrap().is_some());
        assert!(steps.find(&Digest::of(b"b")).unwrap().is_none());
        assert_eq!(steps.retain(|_| false).unwrap(), 1);
    }
}
