//! Configs and secrets whose content the caller brings: put into a container before it starts.

use std::io::Cursor;

use hyper::Method;

use crate::cli::Session;
use crate::cli::client::collect;
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::cli::upload;
use crate::compose::body::PlacedFile;

/// Writes the files into the container `id`, the folders above them included.
pub(super) async fn put(session: &Session, id: &str, files: &[PlacedFile]) -> Result<(), CliError> {
    if files.is_empty() {
        return Ok(());
    }
    let archive = archive(files).map_err(|source| CliError::Stream {
        doing: "pack configs and secrets",
        source,
    })?;
    let query = Query::new(&["containers", id, "archive"]).with("path", "/");
    let response = session
        .client
        .send_stream(
            Method::PUT,
            &query,
            "application/x-tar",
            upload::pieces(Cursor::new(archive)),
        )
        .await?;
    collect(&query, response).await.map(drop)
}

fn archive(files: &[PlacedFile]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let path = file.path.trim_start_matches('/');
        let mut folder = String::new();
        let (above, _) = path.rsplit_once('/').unwrap_or(("", path));
        for part in above.split('/').filter(|part| !part.is_empty()) {
            folder.push_str(part);
            folder.push('/');
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            archive.append_data(&mut header, &folder, std::io::empty())?;
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid.into());
        header.set_gid(file.gid.into());
        archive.append_data(&mut header, path, file.content.as_slice())?;
    }
    archive.into_inner()
}
