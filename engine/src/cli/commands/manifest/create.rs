//! `docker manifest create`.

use super::notebook::{self, reference};
use super::remote::{self, Trust};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["manifest create"],
    about: "Create a local manifest list for annotating and pushing to a registry",
    synopsis: "MANIFEST_LIST MANIFEST [MANIFEST...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("amend", "Amend an existing manifest list").short('a'),
    Flag::switch("insecure", "Allow communication with an insecure registry"),
];

async fn run(_session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let list = reference(&matches.operands[0])?;
    if !matches.on("amend") && !notebook::pages(&list)?.is_empty() {
        return Err(CliError::Said(
            "refusing to amend an existing manifest list with no --amend flag".to_owned(),
        ));
    }
    let mut pages = Vec::new();
    for name in &matches.operands[1..] {
        let image = reference(name)?;
        let repository = remote::repository(&image, Trust::of(matches)).await?;
        let fetched = remote::fetch(&repository, &image).await?;
        pages.push((
            image.clone(),
            remote::page(&repository, image.familiar(), &fetched).await?,
        ));
    }
    // Only when all are there: a list is not begun by halves.
    for (image, page) in &pages {
        notebook::write(&list, image, page)?;
    }
    output::line(&format!("Created manifest list {list}"))?;
    Ok(0)
}
