//! `docker context export` and `docker context import`: a context as a tar archive.

use std::io::{Read, Write, stdin, stdout};
use std::path::Path;

use serde_json::Value;

use super::create::copy;
use crate::cli::commands::{Command, Operands};
use crate::cli::config::file_error;
use crate::cli::context::store::{Context, TLS_FILES, check_name};
use crate::cli::context::tls::Material;
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::{Session, output, tty};

/// No file of a context is larger; what is comes from somewhere else.
const LARGEST: u64 = 10 << 20;

/// `docker context export`
pub(crate) static EXPORT: Command = Command {
    paths: &["context export"],
    about: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    synopsis: "[OPTIONS] CONTEXT [FILE|-]",
    flags: &[],
    operands: Operands::Between(1, 2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { export(session, matches) }),
};

/// `docker context import`
pub(crate) static IMPORT: Command = Command {
    paths: &["context import"],
    about: "Import a context from a tar archive",
    synopsis: "CONTEXT FILE|-",
    flags: &[],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { import(session, matches) }),
};

fn export(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    let (context, material) = copy(session, &session.contexts(), name)?;
    let archive = pack(&context, &material);
    let file = matches
        .operands
        .get(1)
        .cloned()
        .unwrap_or_else(|| format!("{name}.dockercontext"));
    if file == "-" {
        if tty::has_output() {
            return Err(CliError::Said(
                "cowardly refusing to export to a terminal, specify a file path".to_owned(),
            ));
        }
        stdout().write_all(&archive).map_err(CliError::Output)?;
        return Ok(0);
    }
    let path = Path::new(&file);
    // Certificates are in it: nobody else may read them, and nothing is overwritten.
    std::fs::File::create_new(path)
        .and_then(|mut file| {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(&archive)
        })
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => {
                CliError::Said(format!("open {file}: file exists"))
            }
            _ => file_error("open", path, source),
        })?;
    output::complain(&format!("Written file \"{file}\""));
    Ok(0)
}

fn pack(context: &Context, material: &Material) -> Vec<u8> {
    const MEMORY: &str = "writing to memory cannot fail";
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).expect(MEMORY);
    };
    let meta = context.document().to_string();
    add("meta.json", tar::EntryType::Regular, 0o644, meta.as_bytes());
    add("tls", tar::EntryType::Directory, 0o700, &[]);
    if !material.is_empty() {
        add("tls/docker", tar::EntryType::Directory, 0o700, &[]);
        for (file, bytes) in TLS_FILES.iter().zip(material.all()) {
            if let Some(bytes) = bytes {
                let name = format!("tls/docker/{file}");
                add(&name, tar::EntryType::Regular, 0o600, bytes);
            }
        }
    }
    archive.into_inner().expect(MEMORY)
}

fn import(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, file) = (&matches.operands[0], &matches.operands[1]);
    check_name(name)?;
    let store = session.contexts();
    if store.has(name) {
        return Err(CliError::Said(format!("context \"{name}\" already exists")));
    }
    let mut bytes = Vec::new();
    let read = if file == "-" {
        stdin().lock().take(LARGEST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
    };
    read.map_err(|source| file_error("open", Path::new(file), source))?;
    let (mut context, material) = unpack(&bytes)?;
    context.name.clone_from(name);
    store.save(&context)?;
    store.save_tls(name, &material)?;
    output::line(name)?;
    output::complain(&format!("Successfully imported context \"{name}\""));
    Ok(0)
}

fn unpack(bytes: &[u8]) -> Result<(Context, Material), CliError> {
    let bad = |why: String| CliError::Said(format!("invalid context archive: {why}"));
    let mut archive = tar::Archive::new(bytes);
    let (mut context, mut material) = (None, Material::default());
    for entry in archive.entries().map_err(|error| bad(error.to_string()))? {
        let mut entry = entry.map_err(|error| bad(error.to_string()))?;
        let path = entry.path().map_err(|error| bad(error.to_string()))?;
        let path = path.display().to_string();
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|error| bad(error.to_string()))?;
        match path.trim_end_matches('/') {
            "meta.json" => {
                let document: Value =
                    serde_json::from_slice(&content).map_err(|error| bad(error.to_string()))?;
                context = Context::parse(&document);
            }
            "tls" | "tls/docker" => {}
            "tls/docker/ca.pem" => material.ca = Some(content),
            "tls/docker/cert.pem" => material.cert = Some(content),
            "tls/docker/key.pem" => material.key = Some(content),
            other => return Err(bad(format!("unexpected context file: {other}"))),
        }
    }
    let context = context.ok_or_else(|| bad("no metadata".to_owned()))?;
    Ok((context, material))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_can_be_imported() {
        let context = Context {
            name: "a1".into(),
            metadata: serde_json::Map::new(),
            host: "tcp://h:2376".into(),
            skip_verify: true,
        };
        let material = Material {
            ca: Some(b"ca".to_vec()),
            ..Material::default()
        };
        assert_eq!(
            unpack(&pack(&context, &material)).unwrap(),
            (context, material)
        );
    }

    #[test]
    fn an_archive_holds_nothing_else() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        archive
            .append_data(&mut header, "tls/docker/x.sh", &b""[..])
            .unwrap();
        let error = unpack(&archive.into_inner().unwrap()).unwrap_err();
        assert!(error.to_string().contains("unexpected context file"));
    }
}
