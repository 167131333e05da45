//! `docker images`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::cli::Session;
use crate::cli::client;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, Shown, age, amount};
use crate::cli::options::{filters, reference};
use crate::cli::path::Query;
use crate::cli::text::Text;

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
    let query = filters::add(query, &conditions)?;
    let body = session.client.get_bytes(&query).await?;
    let images: Option<Vec<Listed<'_>>> = client::parse_as(&query, &body)?;
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
    let rows: Vec<Line<'_>> = images
        .iter()
        .flatten()
        .flat_map(|image| image.lines(names, ids))
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

/// The rows of one image of the API's list; what is not as the API says is shown as absent.
pub(crate) fn rows(image: &Value, names: Names, ids: Ids) -> Vec<Row> {
    let image = Listed::deserialize(image).unwrap_or_default();
    let lines = image.lines(names, ids);
    lines.iter().map(|line| line.row().into_owned()).collect()
}

/// An image of the API's list, its texts left in the bytes of the answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Listed<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    repo_tags: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    repo_digests: Option<Vec<Text<'a>>>,
    created: Option<i64>,
    size: Option<f64>,
    shared_size: Option<f64>,
    containers: Option<i64>,
}

/// One of the lines that show an image.
#[derive(Debug)]
struct Line<'a> {
    image: &'a Listed<'a>,
    ids: Ids,
    repository: &'a str,
    tag: &'a str,
    digest: &'a str,
}

const NONE: &str = "<none>";

impl<'a> Listed<'a> {
    fn lines(&'a self, names: Names, ids: Ids) -> Vec<Line<'a>> {
        let digests = || named(&self.repo_digests).map(reference::parse);
        let line = |repository, tag: Option<&'a str>, digest: Option<&'a str>| Line {
            image: self,
            ids,
            repository,
            tag: tag.unwrap_or(NONE),
            digest: digest.unwrap_or(NONE),
        };
        let tagged = named(&self.repo_tags).map(|tag| {
            let parsed = reference::parse(tag);
            let digest = match names {
                Names::Tags => None,
                Names::WithDigests => digests()
                    .filter(|digest| digest.name == parsed.name)
                    .find_map(|digest| digest.version),
            };
            line(parsed.name, parsed.version, digest)
        });
        let mut lines: Vec<Line<'a>> = tagged.collect();
        if lines.is_empty() {
            lines.push(match digests().next() {
                Some(digest) => line(digest.name, None, digest.version),
                None => line(NONE, None, None),
            });
        }
        lines
    }
}

/// Those of an image's names that are some.
fn named<'a>(names: &'a Option<Vec<Text<'a>>>) -> impl Iterator<Item = &'a str> {
    let names = names.iter().flatten().map(|name| &**name);
    names.filter(|name| !name.starts_with(NONE))
}

/// The fields of a line, in the order of the whole row.
const FIELDS: [&str; 11] = [
    "Repository",
    "Tag",
    "Digest",
    "ID",
    "CreatedSince",
    "CreatedAt",
    "Size",
    "VirtualSize",
    "SharedSize",
    "UniqueSize",
    "Containers",
];

impl Shown for Line<'_> {
    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        let image = self.image;
        let created = image.created.unwrap_or_default();
        let size = image.size.unwrap_or_default();
        let shared = image.shared_size.filter(|shared| *shared >= 0.0);
        let or_absent = |text: Option<String>| text.map_or("N/A".into(), Cow::Owned);
        Some(match field {
            "Repository" => self.repository.into(),
            "Tag" => self.tag.into(),
            "Digest" => self.digest.into(),
            "ID" => id(&image.id, self.ids).into(),
            "CreatedSince" => age::ago(created).into(),
            "CreatedAt" => age::moment(created).into(),
            "Size" => amount::short(size).into(),
            "VirtualSize" => amount::decimal(size).into(),
            "SharedSize" => or_absent(shared.map(amount::decimal)),
            "UniqueSize" => or_absent(shared.map(|shared| amount::decimal(size - shared))),
            "Containers" => {
                let containers = image.containers.filter(|count| *count >= 0);
                or_absent(containers.map(|count| count.to_string()))
            }
            _ => return None,
        })
    }

    fn row(&self) -> Cow<'_, Row> {
        let mut row = Row::default();
        for field in FIELDS {
            let text = self.text(field).unwrap_or_default();
            row.fields
                .insert(field.to_owned(), text.into_owned().into());
        }
        Cow::Owned(row)
    }
}

/// An id as it is shown.
pub(crate) fn id(id: &str, ids: Ids) -> &str {
    match ids {
        Ids::Whole => id,
        Ids::Short => {
            let digits = id.strip_prefix("sha256:").unwrap_or(id);
            digits.get(..12).unwrap_or(digits)
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
