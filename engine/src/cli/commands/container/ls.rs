//! `docker ps`.

use serde_json::Value;

use super::listed::Listed;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, age, amount};
use crate::cli::options::filters;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container ls", "container list", "container ps", "ps"],
    about: "List containers",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all", "Show all containers, not only those that run").short('a'),
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::int("last", "Show the last created containers")
        .short('n')
        .default("-1"),
    Flag::switch("latest", "Show the container created last").short('l'),
    Flag::switch("no-trunc", "Do not shorten"),
    Flag::switch("quiet", "Show only ids").short('q'),
    Flag::switch("size", "Show sizes").short('s'),
];

/// What is known about a container in a list.
pub(crate) const LISTING: Listing = Listing {
    kind: "ContainerContext",
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    columns: &[
        "ID",
        "Image",
        "Command",
        "RunningFor",
        "Status",
        "Ports",
        "Names",
    ],
    raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n",
};

const WITH_SIZE: Listing = Listing {
    columns: &[
        "ID",
        "Image",
        "Command",
        "RunningFor",
        "Status",
        "Ports",
        "Names",
        "Size",
    ],
    ..LISTING
};

const IGNORED: &str = "WARNING: Ignoring custom format, because both --format and --quiet are set.";

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let format = session.format(matches, "psFormat");
    let last = if matches.on("latest") {
        1
    } else {
        matches.int("last").unwrap_or(-1)
    };
    let sized = matches.on("size")
        || format.is_some_and(|format| format.contains(".Size") || format.contains("json ."));
    let query = Query::new(&["containers", "json"])
        .with_switch("all", matches.on("all"))
        .with_some("limit", (last > 0).then(|| last.to_string()).as_deref())
        .with_switch("size", sized);
    let query = filters::add(query, matches.all("filter"))?;
    // A daemon without containers may send `null`.
    let answer: Option<Vec<Listed>> = session.client.get_as(&query).await?;
    let length = if matches.on("no-trunc") {
        Length::Whole
    } else {
        Length::Short
    };
    let rows: Vec<Row> = answer
        .into_iter()
        .flatten()
        .map(|Listed(one)| row(&one, length))
        .collect();
    if matches.on("quiet") && format.is_some() {
        output::complain(IGNORED);
    }
    let (listing, format) = match (matches.on("quiet"), format) {
        (true, _) => (LISTING, Some("{{.ID}}")),
        (false, format) if matches.on("size") => (WITH_SIZE, format),
        (false, format) => (LISTING, format),
    };
    listing.print(&rows, format)?;
    Ok(0)
}

/// Whether ids and commands are shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// To twelve digits, and twenty characters.
    Short,
    /// Not at all.
    Whole,
}

/// One container of the API's list.
pub(crate) fn row(container: &Value, length: Length) -> Row {
    let text = |key: &str| container[key].as_str().unwrap_or_default();
    let created = container["Created"].as_i64().unwrap_or_default();
    let id = text("Id");
    let mut command = text("Command").to_owned();
    if length == Length::Short {
        command = ellipsis(&command, 20);
    }
    let image = match text("Image") {
        "" => "<no image>".to_owned(),
        image if length == Length::Short => short_image(image, text("ImageID")),
        image => image.to_owned(),
    };
    let mounts = container["Mounts"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let local = mounts
        .iter()
        .filter(|mount| mount["Driver"] == "local")
        .count();
    let mounts: Vec<String> = mounts
        .iter()
        .map(|mount| {
            let name = mount["Name"].as_str().filter(|name| !name.is_empty());
            let name = name.or(mount["Source"].as_str()).unwrap_or_default();
            if length == Length::Short {
                ellipsis(name, 15)
            } else {
                name.to_owned()
            }
        })
        .collect();
    let networks: Vec<&str> = container["NetworkSettings"]["Networks"]
        .as_object()
        .map(|networks| networks.keys().map(String::as_str).collect())
        .unwrap_or_default();
    Row::new([
        (
            "ID",
            (if length == Length::Short {
                &id[..id.len().min(12)]
            } else {
                id
            })
            .into(),
        ),
        ("Names", names(container, length).into()),
        ("Image", image.into()),
        ("Command", format!("\"{command}\"").into()),
        ("CreatedAt", age::moment(created).into()),
        ("RunningFor", age::ago(created).into()),
        ("Ports", displayed_ports(&container["Ports"]).into()),
        ("State", text("State").into()),
        ("Status", text("Status").into()),
        ("Size", size(container).into()),
        ("Mounts", mounts.join(",").into()),
        ("LocalVolumes", local.to_string().into()),
        ("Networks", networks.join(",").into()),
        ("Platform", Value::Null),
    ])
    .with_labels(&container["Labels"])
}

/// Names without their slash; links (`/a/b`) only when nothing is shortened.
fn names(container: &Value, length: Length) -> String {
    let names = container["Names"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let names: Vec<&str> = names
        .map(|name| name.strip_prefix('/').unwrap_or(name))
        .filter(|name| length == Length::Whole || !name.contains('/'))
        .collect();
    names.join(",")
}

/// An image named by its id is shortened as ids are.
fn short_image(image: &str, id: &str) -> String {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    let is_id =
        image == id || (digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()));
    if is_id {
        return digits[..digits.len().min(12)].to_owned();
    }
    image.split('@').next().unwrap_or(image).to_owned()
}

fn size(container: &Value) -> String {
    let written = container["SizeRw"].as_f64().unwrap_or_default();
    let whole = container["SizeRootFs"].as_f64().unwrap_or_default();
    let text = amount::short(written);
    if whole > 0.0 {
        format!("{text} (virtual {})", amount::short(whole))
    } else {
        text
    }
}

/// Cuts a text to `most` characters, the last of which then is `…`.
fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut
}

/// The ports of a container; neighbours that are published alike are joined in a range.
pub(crate) fn displayed_ports(ports: &Value) -> String {
    let mut ports: Vec<Port> = ports
        .as_array()
        .into_iter()
        .flatten()
        .map(Port::read)
        .collect();
    ports.sort();
    let mut groups: Vec<(String, u64, u64)> = Vec::new();
    let (mut done, mut moved) = (Vec::new(), Vec::new());
    for port in &ports {
        let mut key = port.protocol.clone();
        if !port.ip.is_empty() {
            if port.public != port.private {
                moved.push(format!(
                    "{}:{}->{}/{}",
                    host(&port.ip),
                    port.public,
                    port.private,
                    port.protocol
                ));
                continue;
            }
            key = format!("{}/{}", port.ip, port.protocol);
        }
        match groups.iter_mut().find(|group| group.0 == key) {
            None => groups.push((key, port.private, port.private)),
            Some(group) if port.private == group.2 + 1 => group.2 = port.private,
            Some(group) => {
                done.push(shown(group));
                (group.1, group.2) = (port.private, port.private);
            }
        }
    }
    done.extend(groups.iter().map(shown));
    done.extend(moved);
    done.join(", ")
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    private: u64,
    ip: String,
    public: u64,
    protocol: String,
}

impl Port {
    fn read(port: &Value) -> Self {
        Self {
            private: port["PrivatePort"].as_u64().unwrap_or_default(),
            ip: port["IP"].as_str().unwrap_or_default().to_owned(),
            public: port["PublicPort"].as_u64().unwrap_or_default(),
            protocol: port["Type"].as_str().unwrap_or("tcp").to_owned(),
        }
    }
}

fn host(ip: &str) -> String {
    if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    }
}

fn shown((key, first, last): &(String, u64, u64)) -> String {
    let range = if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    };
    match key.split_once('/') {
        None => format!("{range}/{key}"),
        Some((ip, protocol)) => format!("{}:{range}->{range}/{protocol}", host(ip)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn ports(ports: Value, expected: &str) {
        assert_eq!(displayed_ports(&ports), expected);
    }

    #[test]
    fn ports_are_grouped() {
        ports(json!([{"PrivatePort": 80, "Type": "tcp"}]), "80/tcp");
        ports(
            json!([{"PrivatePort": 81, "Type": "tcp"}, {"PrivatePort": 80, "Type": "tcp"}]),
            "80-81/tcp",
        );
        ports(
            json!([
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            ]),
            "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        );
        ports(
            json!([{"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"}]),
            "127.0.0.1:53->53/udp",
        );
    }

    #[test]
    fn commands_are_cut() {
        assert_eq!(ellipsis("sh -c 'exit 3'", 20), "sh -c 'exit 3'");
        assert_eq!(
            ellipsis("sh -c 'while true; do sleep 1; done'", 20),
            "sh -c 'while true; …"
        );
    }

    #[test]
    fn a_row_has_what_ps_shows() {
        let container = json!({
            "Id": "8c90b6d39b55bcd9d99a5d376747b89862c166846e93b25e4345cd6e56c0a0b7",
            "Names": ["/t1", "/a/t1"], "Image": "busybox", "ImageID": "sha256:00",
            "Command": "sleep 1000", "Created": 0, "Ports": [], "Labels": {"a": "b"},
            "State": "running", "Status": "Up 5 seconds", "Mounts": [],
        });
        let row = row(&container, Length::Short);
        assert_eq!(row.fields["ID"], "8c90b6d39b55");
        assert_eq!(row.fields["Names"], "t1");
        assert_eq!(row.fields["Command"], "\"sleep 1000\"");
        assert_eq!(row.fields["Labels"], "a=b");
        assert_eq!(row.fields["Size"], "0B");
    }
}
