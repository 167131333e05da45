//! `docker manifest annotate`.

use super::notebook::{self, reference};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["manifest annotate"],
    about: "Add additional information to a local image manifest",
    synopsis: "[OPTIONS] MANIFEST_LIST MANIFEST",
    flags: &[OPTIONS],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("arch", "Set architecture"),
    Flag::text("os", "Set operating system"),
    Flag::list("os-features", "Set operating system feature").word("strings"),
    Flag::text("os-version", "Set operating system version"),
    Flag::text("variant", "Set architecture variant"),
];

async fn run(_session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (list, image) = (
        reference(&matches.operands[0])?,
        reference(&matches.operands[1])?,
    );
    let Some(mut page) = notebook::page(&list, &image)? else {
        return Err(CliError::Said(format!(
            "manifest for image {} does not exist in {}",
            matches.operands[1], matches.operands[0]
        )));
    };
    let platform = &mut page.descriptor.platform;
    let set = |into: &mut String, flag: &'static str| {
        if let Some(text) = matches.text(flag) {
            text.clone_into(into);
        }
    };
    set(&mut platform.architecture, "arch");
    set(&mut platform.os, "os");
    set(&mut platform.os_version, "os-version");
    set(&mut platform.variant, "variant");
    for feature in matches
        .all("os-features")
        .iter()
        .flat_map(|all| all.split(','))
    {
        if !platform.os_features.iter().any(|known| known == feature) {
            platform.os_features.push(feature.to_owned());
        }
    }
    if platform.architecture.is_empty() || platform.os.is_empty() {
        return Err(CliError::Said(
            "manifest entry for image has unsupported os/arch combination: an operating system and an architecture \
             are needed"
                .to_owned(),
        ));
    }
    notebook::write(&list, &image, &page)?;
    Ok(0)
}
