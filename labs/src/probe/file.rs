//! Files below the root of a process, read without trusting that root.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use kernel::beneath::{self, FileType, Found, Last};
use sha2::{Digest, Sha256};

use super::bounds::int;
use super::{ProbeError, ProcessProbe};
use crate::exercise::Value;
use crate::fact::FileField;

/// The longest text that becomes a value.
const LONGEST_TEXT: u64 = 4096;

/// The largest file whose digest is computed.
const LARGEST_DIGESTED: u64 = 16 << 20;

/// Reads one field of the file at `path`.
pub(super) fn read(
    probe: &ProcessProbe<'_>,
    path: &str,
    field: FileField,
) -> Result<Option<Value>, ProbeError> {
    let root = probe.process.root()?;
    let last = match field {
        FileField::Text | FileField::Sha256 => Last::Follow,
        _ => Last::Itself,
    };
    let Some(found) = beneath::find(root.as_fd(), Path::new(path), last)? else {
        return Ok(None);
    };
    match field {
        FileField::Type => Ok(Some(Value::Text(type_name(found.file_type()).into()))),
        FileField::Size => Ok(Some(int(found.size()))),
        FileField::Mode => Ok(Some(Value::Text(format!("{:04o}", found.mode())))),
        FileField::Uid => Ok(Some(int(found.uid()))),
        FileField::Gid => Ok(Some(int(found.gid()))),
        FileField::Text => content(&found, LONGEST_TEXT).map(|c| c.and_then(as_text)),
        FileField::Sha256 => content(&found, LARGEST_DIGESTED).map(|c| c.map(|c| digest(&c))),
    }
}

/// The whole content, unless it is no regular file or larger than `limit`.
fn content(found: &Found, limit: u64) -> Result<Option<Vec<u8>>, ProbeError> {
    if found.size() > limit {
        return Ok(None);
    }
    let Some(file) = found.open()? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    // A file that cannot be read (a broken file system of the learner's) has no content.
    let read = file.take(limit + 1).read_to_end(&mut content);
    Ok((read.is_ok() && content.len() as u64 <= limit).then_some(content))
}

fn as_text(content: Vec<u8>) -> Option<Value> {
    let text = String::from_utf8(content).ok()?;
    Some(Value::Text(text.strip_suffix('\n').unwrap_or(&text).into()))
}

fn digest(content: &[u8]) -> Value {
    let hex: Vec<String> = Sha256::digest(content)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Value::Text(hex.concat())
}

fn type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::File => "file",
        FileType::Dir => "dir",
        FileType::Symlink => "symlink",
        FileType::Char => "char",
        FileType::Block => "block",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
    }
}
