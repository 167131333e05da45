//! A directory becomes the archive that the daemon builds from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::dockerfile::Ignore;

/// What is packed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// What is left out.
    pub(crate) ignore: Ignore,
    /// Files that are sent although they are ignored: the Dockerfile and `.dockerignore`.
    pub(crate) always: Vec<String>,
    /// Files that are not in the directory.
    pub(crate) extra: Vec<(String, Vec<u8>)>,
    /// The folder of the archive that holds all this; empty for its top.
    pub(crate) prefix: PathBuf,
    /// Other directories that travel in the same archive.
    pub(crate) others: Vec<Packed>,
}

impl Packed {
    /// Writes the archive.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut out = Builder::new(out);
        self.all(&mut out)?;
        out.into_inner()?.flush()
    }

    fn all<W: Write>(&self, out: &mut Builder<W>) -> io::Result<()> {
        let mut links = std::collections::HashMap::new();
        if !self.dir.as_os_str().is_empty() {
            self.below(out, Path::new(""), &mut links)?;
        }
        for (name, bytes) in &self.extra {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            out.append_data(&mut header, self.prefix.join(name), bytes.as_slice())?;
        }
        self.others.iter().try_for_each(|other| other.all(out))
    }

    fn below<W: Write>(
        &self,
        out: &mut Builder<W>,
        below: &Path,
        links: &mut std::collections::HashMap<(u64, u64), PathBuf>,
    ) -> io::Result<()> {
        let dir = self.dir.join(below);
        let named = |source: io::Error| {
            io::Error::new(source.kind(), format!("{}: {source}", dir.display()))
        };
        let mut entries: Vec<_> = fs::read_dir(&dir)
            .map_err(named)?
            .collect::<Result<_, _>>()
            .map_err(named)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = below.join(entry.file_name());
            let metadata = match entry.metadata() {
                // It has just been removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(named)?,
            };
            let text = path.to_string_lossy();
            let excluded = self.ignore.excludes(&text).map_err(io::Error::other)?;
            let excluded = excluded && !self.always.iter().any(|name| *name == text);
            if metadata.is_dir() {
                if !excluded {
                    self.append(out, &path, &metadata, EntryType::Directory, io::empty())?;
                }
                let wanted = self
                    .always
                    .iter()
                    .any(|name| Path::new(name).starts_with(&path));
                if !excluded || self.ignore.keeps_some() || wanted {
                    self.below(out, &path, links)?;
                }
                continue;
            }
            if excluded || metadata.file_type().is_socket() {
                continue;
            }
            self.file(out, &path, &metadata, links)?;
        }
        Ok(())
    }

    fn file<W: Write>(
        &self,
        out: &mut Builder<W>,
        path: &Path,
        metadata: &fs::Metadata,
        links: &mut std::collections::HashMap<(u64, u64), PathBuf>,
    ) -> io::Result<()> {
        let full = self.dir.join(path);
        let kind = metadata.file_type();
        if kind.is_symlink() {
            let mut header = header(metadata);
            header.set_entry_type(EntryType::Symlink);
            return out.append_link(&mut header, self.prefix.join(path), fs::read_link(&full)?);
        }
        if metadata.nlink() > 1
            && let Some(first) = links.insert((metadata.dev(), metadata.ino()), path.to_owned())
        {
            links.insert((metadata.dev(), metadata.ino()), first.clone());
            let mut header = header(metadata);
            header.set_entry_type(EntryType::Link);
            return out.append_link(&mut header, self.prefix.join(path), self.prefix.join(first));
        }
        if kind.is_fifo() {
            return self.append(out, path, metadata, EntryType::Fifo, io::empty());
        }
        if !kind.is_file() {
            return Ok(());
        }
        let file = File::open(&full).map_err(|source| {
            io::Error::new(source.kind(), format!("{}: {source}", full.display()))
        })?;
        let size = metadata.len();
        let mut header = header(metadata);
        header.set_size(size);
        // A file that shrinks meanwhile is filled up, so that the archive stays well formed.
        let content = io::Read::take(
            io::Read::chain(io::Read::take(file, size), io::repeat(0)),
            size,
        );
        out.append_data(&mut header, self.prefix.join(path), content)
    }

    fn append<W: Write>(
        &self,
        out: &mut Builder<W>,
        path: &Path,
        metadata: &fs::Metadata,
        kind: EntryType,
        content: io::Empty,
    ) -> io::Result<()> {
        let mut header = header(metadata);
        header.set_entry_type(kind);
        out.append_data(&mut header, self.prefix.join(path), content)
    }
}

/// Owners are left behind: what is copied belongs to root.
fn header(metadata: &fs::Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    header
}
