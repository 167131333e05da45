//! `docker manifest inspect`.

use serde_json::Value;

use super::notebook::{self, Page, document, pretty, reference};
use super::remote::{self, Trust};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};
use crate::oci::{Document, Platform};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["manifest inspect"],
    about: "Display an image manifest, or manifest list",
    synopsis: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
    flags: &[OPTIONS],
    operands: Operands::Between(1, 2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("insecure", "Allow communication with an insecure registry"),
    Flag::switch(
        "verbose",
        "Output additional info including layers and platform",
    )
    .short('v'),
];

async fn run(_session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let verbose = matches.on("verbose");
    if let [list, image] = matches.operands.as_slice() {
        let page = notebook::page(&reference(list)?, &reference(image)?)?;
        let page = page.ok_or_else(|| CliError::Said(format!("No such manifest: {image}")))?;
        show(&page, verbose)?;
        return Ok(0);
    }
    let name = reference(&matches.operands[0])?;
    let pages = notebook::pages(&name)?;
    if !pages.is_empty() {
        match verbose {
            true => output::line(&pretty(&pages, "\t"))?,
            false => output::line(&pretty(&document(&pages), "   "))?,
        }
        return Ok(0);
    }
    let repository = remote::repository(&name, Trust::of(matches)).await?;
    let fetched = remote::fetch(&repository, &name).await?;
    match &fetched.document {
        Document::Manifest(_) => {
            show(
                &remote::page(&repository, name.familiar(), &fetched).await?,
                verbose,
            )?;
        }
        Document::Index(_) if !verbose => {
            let plain: Value = serde_json::from_slice(&fetched.bytes).unwrap_or_default();
            output::line(&pretty(&plain, "   "))?;
        }
        Document::Index(index) => {
            let mut pages = Vec::new();
            for entry in &index.manifests {
                let one = repository
                    .manifest_of(&entry.digest)
                    .await
                    .map_err(remote::said)?;
                let name = format!("{}@{}", name.familiar(), entry.digest);
                let platform = entry.platform.clone().unwrap_or_else(Platform::default);
                pages.push(Page::new(name, &one.media_type, &one.bytes, platform));
            }
            output::line(&pretty(&pages, "\t"))?;
        }
    }
    Ok(0)
}

fn show(page: &Page, verbose: bool) -> Result<(), CliError> {
    if verbose {
        return output::line(&pretty(page, "\t"));
    }
    let plain: Value = serde_json::from_slice(&page.bytes()?).unwrap_or_default();
    output::line(&pretty(&plain, "\t"))
}
