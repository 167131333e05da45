//! `docker system prune`.

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::builder;
use crate::cli::commands::container::prune::{PRUNE_OPTIONS, confirmed, deleted, report};
use crate::cli::commands::image::prune::deleted_images;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::filters;
use crate::cli::path::Query;
use serde_json::{Value, json};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["system prune"],
    about: "Remove unused data",
    synopsis: "[OPTIONS]",
    flags: &[PRUNE_OPTIONS, OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch(
        "all",
        "Remove every unused image, not only those without a name",
    )
    .short('a'),
    Flag::switch("volumes", "Remove anonymous volumes too"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut warning = "WARNING! This will remove:\n  - all stopped containers\n  \
                       - all networks not used by at least one container\n"
        .to_owned();
    if matches.on("volumes") {
        warning.push_str("  - all anonymous volumes not used by at least one container\n");
    }
    warning.push_str(if matches.on("all") {
        "  - all images without at least one container associated to them\n"
    } else {
        "  - all dangling images\n"
    });
    warning.push_str(if matches.on("all") {
        "  - all build cache\n"
    } else {
        "  - unused build cache\n"
    });
    if !matches.all("filter").is_empty() {
        warning.push_str("\n  Items to be pruned will be filtered with:\n");
        for condition in matches.all("filter") {
            warning.push_str(&format!("  - {condition}\n"));
        }
    }
    if !confirmed(matches, &warning)? {
        return Ok(0);
    }
    let conditions = matches.all("filter");
    let prune = async |what: &str, conditions: &[String]| -> Result<Value, CliError> {
        let query = filters::add(Query::new(&[what, "prune"]), conditions)?;
        session.client.post(&query, Payload::Empty).await
    };
    let containers = prune("containers", conditions).await?;
    let networks = prune("networks", conditions).await?;
    let volumes = match matches.on("volumes") {
        true => prune("volumes", conditions).await?,
        false => Value::Null,
    };
    let mut of_images = conditions.to_vec();
    of_images.push(format!("dangling={}", !matches.on("all")));
    let images = prune("images", &of_images).await?;
    // The cache knows no labels.
    let of_cache: Vec<String> = conditions
        .iter()
        .filter(|condition| condition.starts_with("until="))
        .cloned()
        .collect();
    let cache = builder::prune::prune(session, matches.on("all"), None, &of_cache).await?;
    let text = deleted("Deleted Containers:", &containers["ContainersDeleted"])
        + &deleted("Deleted Networks:", &networks["NetworksDeleted"])
        + &deleted("Deleted Volumes:", &volumes["VolumesDeleted"])
        + &deleted_images(&images["ImagesDeleted"])
        + &deleted("Deleted build cache objects:", &cache["CachesDeleted"]);
    let space: f64 = [&containers, &volumes, &images, &cache]
        .iter()
        .filter_map(|answer| answer["SpaceReclaimed"].as_f64())
        .sum();
    report(&text, &json!({ "SpaceReclaimed": space }))?;
    Ok(0)
}
