//! One container of the API's list, and the line that shows it.
//!
//! A list may be long and most of it is how each container is connected. So its texts stay in the answer's bytes, what no
//! table shows is passed over unread, and a cell is made only when a column shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::listed_ports::{self, Port};
use super::ls::Length;
use crate::cli::format::{Row, Shown, age, amount};
use crate::cli::text::Text;

/// A container, as far as lists show it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    names: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    image: Text<'a>,
    #[serde(borrow, rename = "ImageID")]
    image_id: Text<'a>,
    #[serde(borrow)]
    command: Text<'a>,
    created: Option<i64>,
    #[serde(borrow)]
    ports: Option<Vec<Port<'a>>>,
    size_rw: Option<f64>,
    size_root_fs: Option<f64>,
    /// A template may ask for any of them.
    labels: Value,
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    network_settings: Option<NetworkSettings<'a>>,
    #[serde(borrow)]
    mounts: Option<Vec<Mount<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings<'a> {
    /// By name, sorted.
    #[serde(borrow)]
    networks: Option<BTreeMap<Text<'a>, IgnoredAny>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mount<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    driver: Text<'a>,
}

impl<'a> Listed<'a> {
    /// Of a document.
    pub(super) fn read(container: &'a Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(container)
    }
}

/// How a container is shown.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) container: Listed<'a>,
    pub(super) length: Length,
}

/// The fields that are texts, in the order of the whole row.
const FIELDS: [&str; 13] = [
    "ID",
    "Names",
    "Image",
    "Command",
    "CreatedAt",
    "RunningFor",
    "Ports",
    "State",
    "Status",
    "Size",
    "Mounts",
    "LocalVolumes",
    "Networks",
];

impl Shown for Line<'_> {
    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        let one = &self.container;
        let created = one.created.unwrap_or_default();
        Some(match field {
            "ID" => self.id().into(),
            "Names" => self.names(),
            "Image" => self.image(),
            "Command" => format!("\"{}\"", self.cut(&one.command, 20)).into(),
            "CreatedAt" => age::moment(created).into(),
            "RunningFor" => age::ago(created).into(),
            "Ports" => match one.ports.as_deref() {
                None | Some([]) => "".into(),
                Some(ports) => listed_ports::shown(ports).into(),
            },
            "State" => one.state.as_ref().into(),
            "Status" => one.status.as_ref().into(),
            "Size" => self.size().into(),
            "Mounts" => self.mounts().into(),
            "LocalVolumes" => {
                let mounts = one.mounts.iter().flatten();
                let local = mounts.filter(|mount| &*mount.driver == "local").count();
                local.to_string().into()
            }
            "Networks" => self.networks().into(),
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
        row.fields.insert("Platform".to_owned(), Value::Null);
        Cow::Owned(row.with_labels(&self.container.labels))
    }
}

impl Line<'_> {
    fn id(&self) -> &str {
        let id = &*self.container.id;
        match self.length {
            Length::Short => id.get(..12).unwrap_or(id),
            Length::Whole => id,
        }
    }

    /// Names without their slash; links (`/a/b`) only when nothing is shortened.
    fn names(&self) -> Cow<'_, str> {
        let names = self.container.names.as_deref().unwrap_or_default();
        let mut names = names
            .iter()
            .map(|name| name.strip_prefix('/').unwrap_or(name))
            .filter(|name| self.length == Length::Whole || !name.contains('/'));
        match (names.next(), names.next()) {
            (None, _) => "".into(),
            (Some(only), None) => only.into(),
            (Some(first), Some(second)) => {
                let all: Vec<&str> = [first, second].into_iter().chain(names).collect();
                all.join(",").into()
            }
        }
    }

    /// An image named by its id is shortened as ids are.
    fn image(&self) -> Cow<'_, str> {
        let image = &*self.container.image;
        if image.is_empty() {
            return "<no image>".into();
        }
        if self.length == Length::Whole {
            return image.into();
        }
        let digits = image.strip_prefix("sha256:").unwrap_or(image);
        let is_id = image == &*self.container.image_id
            || (digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()));
        if is_id {
            return digits.get(..12).unwrap_or(digits).into();
        }
        image.split('@').next().unwrap_or(image).into()
    }

    fn size(&self) -> String {
        let written = self.container.size_rw.unwrap_or_default();
        let whole = self.container.size_root_fs.unwrap_or_default();
        let text = amount::short(written);
        if whole > 0.0 {
            format!("{text} (virtual {})", amount::short(whole))
        } else {
            text
        }
    }

    fn mounts(&self) -> String {
        let mounts = self.container.mounts.iter().flatten();
        let names = mounts.map(|mount| {
            let name = if mount.name.is_empty() {
                &mount.source
            } else {
                &mount.name
            };
            self.cut(name, 15)
        });
        names.collect::<Vec<_>>().join(",")
    }

    fn networks(&self) -> String {
        let settings = self.container.network_settings.as_ref();
        let networks = settings.and_then(|settings| settings.networks.as_ref());
        let names = networks.into_iter().flatten().map(|(name, _)| &**name);
        names.collect::<Vec<_>>().join(",")
    }

    fn cut<'t>(&self, text: &'t str, most: usize) -> Cow<'t, str> {
        match self.length {
            Length::Short => ellipsis(text, most),
            Length::Whole => text.into(),
        }
    }
}

/// Cuts a text to `most` characters, the last of which then is `…`.
fn ellipsis(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return text.into();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(container: &Value, length: Length) -> Row {
        let container = Listed::read(container).unwrap();
        Line { container, length }.row().into_owned()
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
        let short = row(&container, Length::Short);
        assert_eq!(short.fields["ID"], "8c90b6d39b55");
        assert_eq!(short.fields["Names"], "t1");
        assert_eq!(short.fields["Command"], "\"sleep 1000\"");
        assert_eq!(short.fields["Labels"], "a=b");
        assert_eq!(short.fields["Size"], "0B");
        assert_eq!(short.fields["Platform"], Value::Null);
        let whole = row(&container, Length::Whole);
        assert_eq!(whole.fields["Names"], "t1,a/t1");
        assert_eq!(whole.fields["ID"], container["Id"]);
    }

    #[test]
    fn of_networks_the_names_are_left() {
        let networks = |settings: &str| {
            let text = format!(
                r#"{{"Id":"1","HostConfig":{{"NetworkMode":"a"}},"Names":["/n"],"NetworkSettings":{settings}}}"#
            );
            let container = serde_json::from_str(&text).unwrap();
            let length = Length::Short;
            Line { container, length }.networks()
        };
        let two = r#"{"Networks":{"b":null,"a":{"IPAddress":"10.0.0.2"}}}"#;
        assert_eq!(networks(two), "a,b");
        assert_eq!(networks("null"), "");
        assert_eq!(networks(r#"{"Networks":null}"#), "");
    }

    #[test]
    fn what_is_null_is_absent() {
        let nulls = json!({
            "Id": null, "Names": null, "Image": null, "Created": null, "Ports": null,
            "Labels": null, "Mounts": [{"Name": null, "Source": "/srv", "Driver": null}],
        });
        let row = row(&nulls, Length::Short);
        assert_eq!(row.fields["ID"], "");
        assert_eq!(row.fields["Image"], "<no image>");
        assert_eq!(row.fields["Mounts"], "/srv");
        assert_eq!(row.fields["LocalVolumes"], "0");
    }
}
