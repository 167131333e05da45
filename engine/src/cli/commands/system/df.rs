//! `docker system df`.

use serde_json::{Value, json};

use crate::cli::commands::container::ls::{self, Length};
use crate::cli::commands::image::ls::{Ids, LISTING as IMAGES, Names, rows as image_rows};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, age, amount, document};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["system df"],
    about: "Show docker disk usage",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("verbose", "Show each object").short('v'),
];

const LISTING: Listing = Listing {
    kind: "diskUsageContext",
    headers: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
    columns: &["Type", "TotalCount", "Active", "Size", "Reclaimable"],
    raw: "",
};

const VOLUMES: Listing = Listing {
    kind: "volumeContext",
    headers: &[
        ("Name", "VOLUME NAME"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
    ],
    columns: &["Name", "Links", "Size"],
    raw: "",
};

const CACHES: Listing = Listing {
    kind: "buildCacheContext",
    headers: &[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("Shared", "SHARED"),
    ],
    columns: &[
        "ID",
        "CacheType",
        "Size",
        "CreatedSince",
        "LastUsedSince",
        "UsageCount",
        "Shared",
    ],
    raw: "",
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let usage = session.client.get(&Query::new(&["system", "df"])).await?;
    if matches.on("verbose") {
        match matches.text("format") {
            None | Some("table") => verbose(&usage)?,
            Some(format) => {
                let tables = Tables::of(&usage);
                document::print_named(
                    &tables.document(),
                    format,
                    "",
                    "*formatter.DiskUsageContext",
                )?;
            }
        }
    } else {
        LISTING.print(&summary(&usage), matches.text("format"))?;
    }
    Ok(0)
}

fn list<'u>(usage: &'u Value, key: &str) -> &'u [Value] {
    usage[key].as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default().max(0.0)
}

fn summary(usage: &Value) -> Vec<Row> {
    let images = list(usage, "Images");
    let layers = number(&usage["LayersSize"]);
    let used: f64 = images
        .iter()
        .filter(|image| number(&image["Containers"]) > 0.0)
        .map(|image| number(&image["Size"]) - number(&image["SharedSize"]))
        .sum();
    let active = images
        .iter()
        .filter(|image| number(&image["Containers"]) > 0.0)
        .count();
    let containers = list(usage, "Containers");
    let runs = |container: &&Value| {
        ["running", "paused", "restarting"]
            .iter()
            .any(|state| container["State"] == **state)
    };
    let written = |all: &[&Value]| all.iter().map(|one| number(&one["SizeRw"])).sum::<f64>();
    let all: Vec<&Value> = containers.iter().collect();
    let stopped: Vec<&Value> = containers.iter().filter(|one| !runs(one)).collect();
    let volumes = list(usage, "Volumes");
    let in_use = |volume: &&Value| number(&volume["UsageData"]["RefCount"]) > 0.0;
    let stored = |volume: &Value| number(&volume["UsageData"]["Size"]);
    let caches = list(usage, "BuildCache");
    let cached: f64 = caches.iter().map(|cache| number(&cache["Size"])).sum();
    vec![
        row("Images", images.len(), active, layers, layers - used),
        row(
            "Containers",
            containers.len(),
            containers.len() - stopped.len(),
            written(&all),
            written(&stopped),
        ),
        row(
            "Local Volumes",
            volumes.len(),
            volumes.iter().filter(in_use).count(),
            volumes.iter().map(stored).sum(),
            volumes
                .iter()
                .filter(|volume| !in_use(volume))
                .map(stored)
                .sum(),
        ),
        row("Build Cache", caches.len(), 0, cached, cached),
    ]
}

fn row(kind: &str, total: usize, active: usize, size: f64, reclaimable: f64) -> Row {
    let mut free = amount::decimal(reclaimable);
    if size > 0.0 {
        free.push_str(&format!(" ({:.0}%)", (reclaimable * 100.0 / size).trunc()));
    }
    Row::new([
        ("Type", kind.into()),
        ("TotalCount", total.to_string().into()),
        ("Active", active.to_string().into()),
        ("Size", amount::decimal(size).into()),
        ("Reclaimable", free.into()),
    ])
}

/// Everything that takes space, by kind.
struct Tables {
    images: Vec<Row>,
    containers: Vec<Row>,
    volumes: Vec<Row>,
    caches: Vec<Row>,
    /// How many bytes the build cache takes.
    cached: f64,
}

impl Tables {
    fn of(usage: &Value) -> Self {
        let images: Vec<Row> = list(usage, "Images")
            .iter()
            .flat_map(|image| image_rows(image, Names::Tags, Ids::Short))
            .collect();
        let containers: Vec<Row> = list(usage, "Containers")
            .iter()
            .map(|container| {
                let mut row = ls::row(container, Length::Short);
                let size = amount::short(number(&container["SizeRw"]));
                row.fields.insert("Size".into(), size.into());
                row
            })
            .collect();
        let volumes: Vec<Row> = list(usage, "Volumes")
            .iter()
            .map(|volume| {
                Row::new([
                    ("Name", volume["Name"].clone()),
                    (
                        "Links",
                        number(&volume["UsageData"]["RefCount"]).to_string().into(),
                    ),
                    (
                        "Size",
                        amount::decimal(number(&volume["UsageData"]["Size"])).into(),
                    ),
                ])
            })
            .collect();
        let cached = list(usage, "BuildCache")
            .iter()
            .map(|cache| number(&cache["Size"]))
            .sum();
        let caches: Vec<Row> = list(usage, "BuildCache").iter().map(cache_row).collect();
        Self {
            images,
            containers,
            volumes,
            caches,
            cached,
        }
    }

    /// What a template of `--verbose` sees.
    fn document(&self) -> Value {
        let rows = |rows: &[Row]| -> Value {
            rows.iter()
                .map(|row| Value::Object(row.fields.clone()))
                .collect()
        };
        json!({
            "Images": rows(&self.images),
            "Containers": rows(&self.containers),
            "Volumes": rows(&self.volumes),
            "BuildCache": rows(&self.caches),
        })
    }
}

fn verbose(usage: &Value) -> Result<(), CliError> {
    const IMAGE_COLUMNS: Listing = Listing {
        columns: &[
            "Repository",
            "Tag",
            "ID",
            "CreatedSince",
            "Size",
            "SharedSize",
            "UniqueSize",
            "Containers",
        ],
        ..IMAGES
    };
    const CONTAINER_COLUMNS: Listing = Listing {
        columns: &[
            "ID",
            "Image",
            "Command",
            "LocalVolumes",
            "Size",
            "RunningFor",
            "Status",
            "Names",
        ],
        ..ls::LISTING
    };
    let Tables {
        images,
        containers,
        volumes,
        caches,
        cached,
    } = Tables::of(usage);
    output::print(&format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\n\
         Local Volumes space usage:\n\n{}\nBuild cache usage: {}\n\n{}\n",
        IMAGE_COLUMNS.render(&images, None)?,
        CONTAINER_COLUMNS.render(&containers, None)?,
        VOLUMES.render(&volumes, None)?,
        amount::decimal(cached),
        CACHES.render(&caches, None)?,
    ))
}

fn cache_row(cache: &Value) -> Row {
    let id = cache["ID"].as_str().unwrap_or_default();
    let since = |key: &str| {
        let moment = cache[key].as_str().and_then(age::seconds_of);
        moment.map(age::ago).unwrap_or_default()
    };
    Row::new([
        ("ID", id[..id.len().min(12)].into()),
        ("CacheType", cache["Type"].clone()),
        ("Size", amount::decimal(number(&cache["Size"])).into()),
        ("CreatedSince", since("CreatedAt").into()),
        ("LastUsedSince", since("LastUsedAt").into()),
        (
            "UsageCount",
            number(&cache["UsageCount"]).to_string().into(),
        ),
        ("Shared", (cache["Shared"] == true).to_string().into()),
    ])
}
