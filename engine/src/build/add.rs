//! What ADD does beyond COPY: addresses, and archives that are unpacked.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kernel::tree::{Mtime, Tree};

use crate::dockerfile::Copy;
use crate::oci::{Digest, Hasher};
use crate::store::{Budget, UnpackError, Whiteouts, unpack_into};

use super::BuildError;
use super::copy::Selection;
use super::execute::Build;
use super::sources::Origin;
use super::stage::random_id;
use super::tree::{MountedTree, SourceTree};
use super::writer::{Attributes, make_dirs};

/// `http://` and `https://`.
pub(super) fn is_address(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && !is_git(text)
}

/// A git repository: by scheme, or by a path that ends with `.git`.
pub(super) fn is_git(text: &str) -> bool {
    let path = text.split_once('#').map_or(text, |(path, _)| path);
    let schemes = ["git://", "git@", "ssh://", "http://", "https://"];
    (path.ends_with(".git") && schemes.iter().any(|scheme| text.starts_with(scheme)))
        || text.starts_with("git://")
        || text.starts_with("git@")
}

impl Build<'_> {
    /// Fetches an address into a folder of its own; gives the folder and the names in it to copy.
    pub(super) fn fetch(
        &self,
        address: &str,
        copy: &Copy,
    ) -> Result<(Origin<'_>, Vec<String>), BuildError> {
        let dir = self
            .request
            .scratch
            .join(format!("add-{}", &random_id()[..12]));
        std::fs::create_dir(&dir).map_err(BuildError::io("make", &dir))?;
        if is_git(address) {
            return self.fetch_git(address, &dir, copy);
        }
        let file = dir.join("content");
        let fetched = self.host.fetch(address, &file)?;
        let fail = || BuildError::io("prepare", &file);
        if let Some(expected) = &copy.checksum {
            let found = digest_of(&file)?.to_string();
            if found != *expected {
                let message = format!("digest mismatch {address}: {found} (expected: {expected})");
                return Err(BuildError::Fetch {
                    instruction: "ADD",
                    message,
                });
            }
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).map_err(fail())?;
        let open = std::fs::File::open(&dir).map_err(fail())?;
        kernel::tree::set_mtime(
            open.as_fd(),
            "content".as_ref(),
            Mtime {
                seconds: fetched.modified.unwrap_or(0),
                nanoseconds: 0,
            },
        )?;
        if fetched.name.is_empty() && copy.dest.ends_with('/') {
            let message = format!("cannot determine filename from url: {address}");
            return Err(BuildError::Fetch {
                instruction: "ADD",
                message,
            });
        }
        let name = if fetched.name.is_empty() {
            "content".to_owned()
        } else {
            fetched.name
        };
        let named = dir.join(Path::new(&name).file_name().unwrap_or("content".as_ref()));
        std::fs::rename(&file, &named).map_err(fail())?;
        Ok((Origin::Mounted(MountedTree(Tree::open(&dir)?)), vec![name]))
    }
}

impl Build<'_> {
    /// Everything in the directory of a repository, without git's own files unless `--keep-git-dir` asks for them.
    fn fetch_git(
        &self,
        address: &str,
        dir: &Path,
        copy: &Copy,
    ) -> Result<(Origin<'_>, Vec<String>), BuildError> {
        if copy.checksum.is_some() {
            return Err(BuildError::Value(
                "--checksum is for files: name a commit instead, as in URL#COMMIT".into(),
            ));
        }
        let below = self.host.fetch_git(address, dir)?;
        let own = dir.join(".git");
        if !copy.keep_git_dir && own.exists() {
            std::fs::remove_dir_all(&own).map_err(BuildError::io("remove", &own))?;
        }
        Ok((
            Origin::Mounted(MountedTree(Tree::open(&below)?)),
            vec![".".to_owned()],
        ))
    }
}

fn digest_of(path: &Path) -> Result<Digest, BuildError> {
    let mut file = std::fs::File::open(path).map_err(BuildError::io("open", path))?;
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 16]);
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(BuildError::io("read", path))?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
    }
}

/// The selected files that are archives, by content and not by name.
pub(super) fn archives(
    tree: &dyn SourceTree,
    selection: &Selection,
) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    for (path, is_file) in selection.files() {
        if is_file && archive(tree.open(path)?)?.is_some() {
            found.push(path.to_owned());
        }
    }
    Ok(found)
}

/// Unpacks an archive into a directory, making it if missing.
pub(super) fn unpack(
    tree: &dyn SourceTree,
    path: &Path,
    root: &Tree,
    dest: &str,
    attributes: Attributes,
) -> Result<(), BuildError> {
    let Some(reader) = archive(tree.open(path)?)? else {
        return Ok(());
    };
    let dir = make_dirs(
        root,
        &kernel::tree::clean(Path::new(dest)),
        attributes.owner,
    )?;
    // By descriptor: the name of the folder is the image's business.
    let here = format!("/proc/self/fd/{}", dir.as_raw_fd());
    let budget = Budget::of(Path::new(&here)).map_err(UnpackError::from)?;
    unpack_into(reader, Tree::at(dir), Whiteouts::Literal, budget)?;
    Ok(())
}

/// The plain archive in a file, if it is one; gzip and zstd are taken off.
fn archive<'a>(file: Box<dyn Read + 'a>) -> Result<Option<Box<dyn Read + 'a>>, BuildError> {
    let fail = |source| BuildError::Fetch {
        instruction: "ADD",
        message: format!("cannot read the archive: {source}"),
    };
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(fail)?;
    let mut plain: Box<dyn Read + 'a> = match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(file).map_err(fail)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2_rs::DecoderReader::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(lzma_rust2::XzReader::new(file, true)),
        _ => Box::new(file),
    };
    let mut block = vec![0; 512];
    let mut filled = 0;
    while filled < block.len() {
        match plain.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Compressed by its first bytes only: it is copied as it is.
            Err(_) => return Ok(None),
        }
    }
    block.truncate(filled);
    if !is_header(&block) {
        return Ok(None);
    }
    Ok(Some(Box::new(Cursor::new(block).chain(plain))))
}

/// Whether a block is the header of an archive: its checksum says so.
fn is_header(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(block) else {
        return false;
    };
    if block.iter().all(|byte| *byte == 0) {
        return false;
    }
    let digits: String = block[148..156]
        .iter()
        .map(|byte| char::from(*byte))
        .filter(char::is_ascii_digit)
        .collect();
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(index, byte)| {
            if (148..156).contains(&index) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    u32::from_str_radix(&digits, 8).is_ok_and(|written| written == sum)
}
