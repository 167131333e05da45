//! How results are shown: tables, templates, sizes and ages.
//!
//! Every listing is rows of named fields put through a template; a table is a template whose
//! fields are separated by tabs, applied first to the headers and then to the rows.

pub(crate) mod age;
pub(crate) mod amount;
pub(crate) mod document;
pub(crate) mod progress;
pub(crate) mod table;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::CliError;
use super::output;
use super::template::{Data, Kind, Template};

/// What a listing can show and what it shows by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// The type of its rows in Docker's error messages.
    pub(crate) kind: &'static str,
    /// Every field and the header of its column.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// The fields shown by default.
    pub(crate) columns: &'static [&'static str],
    /// What `--format raw` means: one field on each line; nothing where Docker has none.
    pub(crate) raw: &'static str,
}

/// One object of a listing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Its fields.
    pub(crate) fields: Map<String, Value>,
    /// Its labels, for `{{.Label "key"}}`.
    pub(crate) labels: Value,
}

impl Row {
    /// A row with these fields.
    pub(crate) fn new<const N: usize>(fields: [(&str, Value); N]) -> Self {
        Self {
            fields: fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            labels: Value::Null,
        }
    }

    /// Adds `Labels` and what `{{.Label}}` needs.
    pub(crate) fn with_labels(mut self, labels: &Value) -> Self {
        let text = labels.as_object().map(|labels| {
            let mut pairs: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect();
            pairs.sort();
            pairs.join(",")
        });
        self.fields
            .insert("Labels".into(), text.unwrap_or_default().into());
        self.labels = labels.clone();
        self
    }
}

/// Something that a listing shows.
///
/// Long lists are made of the few fields that their columns name; only a template needs all of them.
pub(crate) trait Shown {
    /// One of its fields, where that is a text.
    fn text(&self, field: &str) -> Option<Cow<'_, str>>;
    /// All of its fields.
    fn row(&self) -> Cow<'_, Row>;
}

impl Shown for Row {
    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        self.fields.get(field)?.as_str().map(Cow::Borrowed)
    }

    fn row(&self) -> Cow<'_, Row> {
        Cow::Borrowed(self)
    }
}

impl Listing {
    /// Prints rows as `format` says: nothing, `table`, `json`, `table TEMPLATE` or a template.
    pub(crate) fn print(&self, rows: &[impl Shown], format: Option<&str>) -> Result<(), CliError> {
        output::print(&self.render(rows, format)?)
    }

    /// What [`print`](Self::print) prints.
    pub(crate) fn render(
        &self,
        rows: &[impl Shown],
        format: Option<&str>,
    ) -> Result<String, CliError> {
        let default = || {
            let fields: Vec<String> = self
                .columns
                .iter()
                .map(|column| format!("{{{{.{column}}}}}"))
                .collect();
            fields.join("\t")
        };
        let format = format.unwrap_or("table").trim();
        if format == "json" {
            return self.lines(rows, "{{json .}}");
        }
        if format == "raw" && !self.raw.is_empty() {
            return self.lines(rows, self.raw);
        }
        match format.strip_prefix("table") {
            None => self.lines(rows, &unescape(format)),
            Some("") => match self.plain(rows) {
                Some(text) => Ok(table::align_text(&text, table::DEFAULT)),
                None => self.table(rows, parse(&default())?),
            },
            Some(text) => {
                let text = unescape(text.trim_start());
                self.table(rows, parse(&text)?.after("table ".len()))
            }
        }
    }

    /// The usual table before it is aligned, where all of its cells are texts: what the template would give, for a
    /// fraction of the time.
    fn plain(&self, rows: &[impl Shown]) -> Option<String> {
        let title = |column: &&str| {
            let header = self.headers.iter().find(|(key, _)| key == column)?;
            Some(header.1)
        };
        let titles = self.columns.iter().map(title).collect::<Option<Vec<_>>>()?;
        let mut text = titles.join("\t");
        for row in rows {
            for (at, column) in self.columns.iter().enumerate() {
                text.push(if at == 0 { '\n' } else { '\t' });
                text.push_str(&row.text(column)?);
            }
        }
        Some(text)
    }

    fn lines(&self, rows: &[impl Shown], text: &str) -> Result<String, CliError> {
        if let Some(lines) = only_field(text).and_then(|field| self.column(rows, field)) {
            return Ok(lines);
        }
        let template = parse(text)?;
        let mut out = String::new();
        for row in rows {
            out.push_str(&self.apply(&template, &row.row())?);
            out.push('\n');
        }
        Ok(out)
    }

    /// One field of each row, where all of these are texts.
    fn column(&self, rows: &[impl Shown], field: &str) -> Option<String> {
        let mut out = String::new();
        for row in rows {
            out.push_str(&row.text(field)?);
            out.push('\n');
        }
        Some(out)
    }

    fn table(&self, rows: &[impl Shown], template: Template) -> Result<String, CliError> {
        let rows: Vec<Cow<'_, Row>> = rows.iter().map(Shown::row).collect();
        let header = Row {
            fields: self
                .headers
                .iter()
                .map(|(key, title)| ((*key).to_owned(), Value::from(*title)))
                .collect(),
            labels: Value::Null,
        };
        // `{{.Label "key"}}` heads its column with the key itself.
        let keys: Map<String, Value> = rows
            .iter()
            .filter_map(|row| row.labels.as_object())
            .flat_map(|labels| labels.keys())
            .map(|key| {
                (
                    key.clone(),
                    Value::from(
                        key.rsplit('.')
                            .next()
                            .unwrap_or(key)
                            .replace(['-', '_'], " "),
                    ),
                )
            })
            .collect();
        let header = Row {
            labels: keys.into(),
            ..header
        };
        let mut lines = vec![self.apply(&template, &header)?];
        for row in &rows {
            lines.push(self.apply(&template, row)?);
        }
        Ok(table::align(&lines, table::DEFAULT))
    }

    fn apply(&self, template: &Template, row: &Row) -> Result<String, CliError> {
        let value = Value::Object(row.fields.clone());
        let mut methods = Map::new();
        methods.insert("Label".into(), row.labels.clone());
        let methods = Value::Object(methods);
        let data = Data {
            value: &value,
            methods: &methods,
            kind: Kind::Row(self.kind),
        };
        template
            .execute(data)
            .map_err(|error| CliError::Said(format!("failed to execute template: {error}")))
    }
}

/// The field of a template that is nothing but one, as `{{.ID}}`.
fn only_field(template: &str) -> Option<&str> {
    let inside = template.strip_prefix("{{")?.strip_suffix("}}")?;
    let name = inside.trim_matches(' ').strip_prefix('.')?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(name)
}

fn parse(text: &str) -> Result<Template, CliError> {
    Template::parse(text)
        .map_err(|error| CliError::Said(format!("failed to parse template: {error}")))
}

/// A shell passes `\t` and `\n` as two characters.
fn unescape(format: &str) -> String {
    format.replace("\\t", "\t").replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: Listing = Listing {
        kind: "ContainerContext",
        headers: &[
            ("ID", "CONTAINER ID"),
            ("Names", "NAMES"),
            ("Labels", "LABELS"),
        ],
        columns: &["ID", "Names"],
        raw: "",
    };

    #[track_caller]
    fn check(format: Option<&str>, expected: &str) {
        let labels = serde_json::json!({"com.example.x": "1"});
        let row = Row::new([("ID", "abc".into()), ("Names", "web".into())]).with_labels(&labels);
        assert_eq!(LISTING.render(&[row], format).unwrap(), expected);
    }

    #[test]
    fn every_kind_of_format() {
        check(None, "CONTAINER ID   NAMES\nabc            web\n");
        check(Some("table"), "CONTAINER ID   NAMES\nabc            web\n");
        check(Some("{{.ID}}: {{.Names}}"), "abc: web\n");
        check(Some("{{ .Names }}"), "web\n");
        check(
            Some(r"table {{.Names}}\t{{.ID}}"),
            "NAMES     CONTAINER ID\nweb       abc\n",
        );
        check(
            Some("json"),
            "{\"ID\":\"abc\",\"Labels\":\"com.example.x=1\",\"Names\":\"web\"}\n",
        );
        check(Some(r#"{{.Label "com.example.x"}}"#), "1\n");
    }

    #[test]
    fn a_field_alone_is_told_from_other_templates() {
        for (template, field) in [
            ("{{.ID}}", Some("ID")),
            ("{{ .ID }}", Some("ID")),
            ("{{.ID}} {{.ID}}", None),
            ("{{.ID.Names}}", None),
            ("{{.}}", None),
            ("{{ID}}", None),
            ("{{- .ID}}", None),
        ] {
            assert_eq!(only_field(template), field, "{template}");
        }
        let row = Row::new([("ID", "abc".into())]);
        let error = LISTING.render(&[row], Some("{{.Absent}}"));
        assert!(error.is_err());
    }

    #[test]
    fn an_empty_table_has_its_header() {
        assert_eq!(
            LISTING.render(&[] as &[Row], None).unwrap(),
            "CONTAINER ID   NAMES\n"
        );
    }
}
