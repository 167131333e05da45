//! Documents of the API, as `inspect` shows them: indented, or through a template.

use serde_json::Value;

use super::super::error::CliError;
use super::super::output;
use super::super::template::{Data, Kind, Template};

/// Prints documents as one list, or each through the template.
pub(crate) fn print_all(documents: &[Value], format: Option<&str>) -> Result<(), CliError> {
    match format {
        None => output::line(&indented(&Value::Array(documents.to_vec()))),
        Some("json") => output::line(&Value::Array(documents.to_vec()).to_string()),
        Some(format) => documents
            .iter()
            .try_for_each(|document| print_one(document, format)),
    }
}

/// Prints one document through a template.
pub(crate) fn print_one(document: &Value, format: &str) -> Result<(), CliError> {
    let shown = execute(document, format, "", Kind::Document);
    shown.map_err(|error| match error {
        CliError::Template(error) => CliError::Said(format!("template parsing error: {error}")),
        error => error,
    })
}

/// Prints one document, whose type has the name `kind` in Docker, through a template that errors
/// call `name`.
pub(crate) fn print_named(
    document: &Value,
    format: &str,
    name: &'static str,
    kind: &'static str,
) -> Result<(), CliError> {
    execute(document, format, name, Kind::Named(kind))
}

fn execute(document: &Value, format: &str, name: &'static str, kind: Kind) -> Result<(), CliError> {
    if format == "json" {
        return output::line(&document.to_string());
    }
    // A template that is not well formed has an exit code of its own.
    let template = Template::named(name, format).map_err(|error| CliError::Coded {
        message: format!("template parsing error: {error}"),
        code: 64,
    })?;
    let data = Data {
        value: document,
        methods: &Value::Null,
        kind,
    };
    match template.execute(data) {
        Ok(text) => output::line(&text),
        Err(error) => {
            // Docker ends the line of the document before it complains.
            output::line("")?;
            Err(error.into())
        }
    }
}

/// JSON with four spaces per level; empty lists and objects stay on one line.
pub(crate) fn indented(value: &Value) -> String {
    use serde::Serialize;
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    value
        .serialize(&mut serializer)
        .expect("JSON values always serialise");
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::indented;
    use serde_json::json;

    #[test]
    fn documents_keep_the_daemon_s_order() {
        let document: serde_json::Value =
            serde_json::from_str(r#"[{"b":1,"a":{},"c":[]}]"#).unwrap();
        assert_eq!(
            indented(&document),
            "[\n    {\n        \"b\": 1,\n        \"a\": {},\n        \"c\": []\n    }\n]"
        );
        assert_eq!(indented(&json!([])), "[]");
    }
}
