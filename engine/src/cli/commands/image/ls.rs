//! `docker images`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, age, amount};
use crate::cli::options::{filters, reference};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image ls", "image list", "images"],
    about: "List images",
    synopsis: "[OPTIONS] [REPOSITORY[:TAG]]",
    flags: &[OPTIONS],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all", "Show intermediate images too").short('a'),
    Flag::switch("digests", "Show digests"),
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("no-trunc", "Do not shorten"),
    Flag::switch("quiet", "Show only ids").short('q'),
    Flag::switch("tree", "List the platforms of each image as a tree")
        .refused("requires version 1.47 of the API: this client speaks 1.45"),
];

/// What is known about an image in a list.
pub(crate) const LISTING: Listing = Listing {
    kind: "ImageContext",
    headers: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Containers", "CONTAINERS"),
    ],
    columns: &["Repository", "Tag", "ID", "CreatedSince", "Size"],
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
};

const WITH_DIGESTS: Listing = Listing {
    columns: &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
    ..LISTING
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut conditions = matches.all("filter").to_vec();
    if let Some(name) = matches.operands.first() {
        conditions.push(format!("reference={name}"));
    }
    let query = Query::new(&["images", "json"]).with_switch("all", matches.on("all"));
    let answer = session
        .client
        .get(&filters::add(query, &conditions)?)
        .await?;
    let digests = matches.on("digests")
        || matches
            .text("format")
            .is_some_and(|format| format.contains(".Digest"));
    let names = if digests {
        Names::WithDigests
    } else {
        Names::Tags
    };
    let ids = if matches.on("no-trunc") {
        Ids::Whole
    } else {
        Ids::Short
    };
    let rows: Vec<Row> = answer
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|image| rows(image, names, ids))
        .collect();
    let listing = if matches.on("digests") {
        WITH_DIGESTS
    } else {
        LISTING
    };
    let format = if matches.on("quiet") {
        Some("{{.ID}}")
    } else {
        session.format(matches, "imagesFormat")
    };
    listing.print(&rows, format)?;
    Ok(0)
}

/// Which names an image is listed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// One row for each tag.
    Tags,
    /// One row for each tag and digest.
    WithDigests,
}

/// How ids are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Twelve digits.
    Short,
    /// Whole, with their algorithm.
    Whole,
}

/// The rows of one image of the API's list.
pub(crate) fn rows(image: &Value, names: Names, ids: Ids) -> Vec<Row> {
    let list = |key: &str| -> Vec<&str> {
        let names = image[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        names.filter(|name| !name.starts_with("<none>")).collect()
    };
    let digests = list("RepoDigests");
    let digest_of = |repository: &str| {
        digests.iter().find_map(|digest| {
            let digest = reference::parse(digest);
            (digest.name == repository).then_some(digest.version)?
        })
    };
    let none = "<none>";
    let mut rows = Vec::new();
    for tag in list("RepoTags") {
        let parsed = reference::parse(tag);
        let digest = digest_of(parsed.name).filter(|_| names == Names::WithDigests);
        rows.push(row(
            image,
            ids,
            parsed.name,
            parsed.version.unwrap_or(none),
            digest,
        ));
    }
    if rows.is_empty() {
        match digests.first().map(|digest| reference::parse(digest)) {
            Some(digest) => rows.push(row(image, ids, digest.name, none, digest.version)),
            None => rows.push(row(image, ids, none, none, None)),
        }
    }
    rows
}

fn row(image: &Value, ids: Ids, repository: &str, tag: &str, digest: Option<&str>) -> Row {
    let created = image["Created"].as_i64().unwrap_or_default();
    let bytes = |key: &str| match image[key].as_f64() {
        Some(bytes) if bytes >= 0.0 => amount::decimal(bytes),
        _ => "N/A".to_owned(),
    };
    let size = image["Size"].as_f64().unwrap_or_default();
    let shared = image["SharedSize"].as_f64().unwrap_or(-1.0);
    let unique = if shared < 0.0 {
        "N/A".to_owned()
    } else {
        amount::decimal(size - shared)
    };
    let containers = image["Containers"].as_i64().filter(|count| *count >= 0);
    Row::new([
        ("Repository", repository.into()),
        ("Tag", tag.into()),
        ("Digest", digest.unwrap_or("<none>").into()),
        (
            "ID",
            id(image["Id"].as_str().unwrap_or_default(), ids).into(),
        ),
        ("CreatedSince", age::ago(created).into()),
        ("CreatedAt", age::moment(created).into()),
        ("Size", amount::short(size).into()),
        ("VirtualSize", amount::decimal(size).into()),
        ("SharedSize", bytes("SharedSize").into()),
        ("UniqueSize", unique.into()),
        (
            "Containers",
            containers
                .map_or("N/A".to_owned(), |count| count.to_string())
                .into(),
        ),
    ])
}

/// An id as it is shown.
pub(crate) fn id(id: &str, ids: Ids) -> String {
    match ids {
        Ids::Whole => id.to_owned(),
        Ids::Short => {
            let digits = id.strip_prefix("sha256:").unwrap_or(id);
            digits[..digits.len().min(12)].to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(image: Value, names: Names) -> Vec<String> {
        rows(&image, names, Ids::Short)
            .iter()
            .map(|row| {
                let field = |key: &str| row.fields[key].as_str().unwrap().to_owned();
                format!(
                    "{}:{}@{}",
                    field("Repository"),
                    field("Tag"),
                    field("Digest")
                )
            })
            .collect()
    }

    #[test]
    fn an_image_has_a_row_for_each_name() {
        let image = json!({"Id": "sha256:0", "RepoTags": ["a:1", "r:5000/a:2"],
                           "RepoDigests": ["a@sha256:9"]});
        assert_eq!(
            names(image.clone(), Names::Tags),
            ["a:1@<none>", "r:5000/a:2@<none>"]
        );
        assert_eq!(
            names(image, Names::WithDigests),
            ["a:1@sha256:9", "r:5000/a:2@<none>"]
        );
    }

    #[test]
    fn an_image_without_name_has_one_row() {
        let none = json!({"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]});
        assert_eq!(names(none, Names::Tags), ["<none>:<none>@<none>"]);
        let untagged = json!({"RepoTags": [], "RepoDigests": ["a@sha256:9"]});
        assert_eq!(names(untagged, Names::Tags), ["a:<none>@sha256:9"]);
    }
}
