//! The `tag` option: a small template about the container.

use crate::daemon::DaemonError;
use crate::daemon::container::ContainerRecord;

/// What a container is called in logs when no tag is asked for.
pub(super) const DEFAULT: &str = "{{.ID}}";

/// Renders a tag.
pub(super) fn render(template: &str, record: &ContainerRecord) -> Result<String, DaemonError> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start]);
        let action = &rest[start + 2..];
        let at = template.len() - action.len();
        let end = action.find("}}").ok_or_else(|| {
            DaemonError::Start(
                "failed to initialize logging driver: template: log-tag:1: unclosed action".into(),
            )
        })?;
        let word = action[..end].trim();
        let value = word.strip_prefix('.').and_then(|name| field(name, record));
        out.push_str(&value.ok_or_else(|| {
            DaemonError::Start(format!(
                "failed to initialize logging driver: template: log-tag:1:{at}: executing \
                 \"log-tag\" at <{word}>: can't evaluate field {} in type *logger.Info",
                word.trim_start_matches('.')
            ))
        })?);
        rest = &action[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn field(name: &str, record: &ContainerRecord) -> Option<String> {
    let image = record.image_id.to_string();
    let short = |id: &str| id.chars().take(12).collect::<String>();
    Some(match name {
        "ID" => short(&record.id),
        "FullID" | "ContainerID" => record.id.clone(),
        "Name" => record.name.clone(),
        "ContainerName" => format!("/{}", record.name),
        "ImageID" => short(image.strip_prefix("sha256:").unwrap_or(&image)),
        "ImageFullID" | "ContainerImageID" => image,
        "ImageName" | "ContainerImageName" => record.config.image.clone(),
        "DaemonName" => "docker".into(),
        "Command" => command(record),
        _ => return None,
    })
}

/// The command line, for people.
pub(super) fn command(record: &ContainerRecord) -> String {
    let entrypoint = record.config.entrypoint.iter().flatten();
    let words: Vec<_> = entrypoint
        .chain(record.config.cmd.iter().flatten())
        .map(String::as_str)
        .collect();
    words.join(" ")
}
