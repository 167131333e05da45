//! `docker manifest push`.

use super::notebook::{self, document, pretty, reference};
use super::remote::{self, Trust, said};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};
use crate::oci::{Digest, Document, ImageManifest};
use crate::registry::Repository;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["manifest push"],
    about: "Push a manifest list to a repository",
    synopsis: "[OPTIONS] MANIFEST_LIST",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("insecure", "Allow push to an insecure registry"),
    Flag::switch("purge", "Remove the local manifest list after push").short('p'),
];

async fn run(_session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let list = reference(&matches.operands[0])?;
    let pages = notebook::pages(&list)?;
    if pages.is_empty() {
        return Err(CliError::Said(format!(
            "No such manifest: {}",
            list.familiar()
        )));
    }
    let mut sources = Vec::new();
    for page in &pages {
        let image = reference(&page.reference)?;
        if image.domain() != list.domain() {
            return Err(CliError::Said(format!(
                "cannot use source images from a different registry than the target image: {} != {}",
                image.domain(),
                list.domain()
            )));
        }
        let platform = &page.descriptor.platform;
        if platform.architecture.is_empty() || platform.os.is_empty() {
            return Err(CliError::Said(format!(
                "manifest {} must have an OS and Architecture to be pushed to a registry",
                page.reference
            )));
        }
        if image.path() != list.path() && !sources.contains(&image.path().to_owned()) {
            sources.push(image.path().to_owned());
        }
    }
    let endpoint = remote::reach(&list, Trust::of(matches)).await?;
    let repository =
        Repository::to_push(endpoint, list.path(), remote::credentials(&list)?, &sources);
    for page in &pages {
        let image = reference(&page.reference)?;
        let bytes = page.bytes()?;
        let kind = &page.descriptor.media_type;
        if image.path() != list.path()
            && let Ok(Document::Manifest(manifest)) = Document::parse(&bytes, Some(kind))
        {
            mount_all(&repository, &manifest, image.path()).await?;
        }
        let digest = page.descriptor.digest.to_string();
        let pushed = repository
            .put_manifest(&digest, kind, bytes)
            .await
            .map_err(said)?;
        let (domain, path) = (list.domain(), list.path());
        output::line(&format!(
            "Pushed ref {domain}/{path}@{digest} with digest: {pushed}"
        ))?;
    }
    let document = document(&pages);
    let kind = document["mediaType"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let tag = list.tag().unwrap_or("latest");
    let bytes = pretty(&document, "   ").into_bytes();
    let digest = repository
        .put_manifest(tag, &kind, bytes)
        .await
        .map_err(said)?;
    output::line(&digest.to_string())?;
    if matches.on("purge") {
        notebook::remove(&list)?;
    }
    Ok(0)
}

/// Takes everything an image needs from another repository of the same registry.
async fn mount_all(
    repository: &Repository,
    manifest: &ImageManifest,
    from: &str,
) -> Result<(), CliError> {
    for descriptor in manifest.layers().iter().chain([manifest.config()]) {
        let digest = descriptor.digest().to_string().parse::<Digest>();
        let digest = digest.map_err(|error| CliError::Said(error.to_string()))?;
        if !repository.mount_blob(&digest, from).await.map_err(said)? {
            return Err(CliError::Said(format!(
                "the registry cannot mount {digest} from {from}"
            )));
        }
    }
    Ok(())
}
