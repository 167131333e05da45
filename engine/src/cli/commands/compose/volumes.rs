//! The project's volumes: made before its containers, removed only when that is asked.

use serde_json::{Map, Value, json};

use super::report::Report;
use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::compose::body;
use crate::compose::project::Project;

/// Makes those that services mount and that do not exist.
pub(super) async fn ensure(
    session: &Session,
    project: &Project,
    report: Report,
) -> Result<(), CliError> {
    for (key, volume) in &project.volumes {
        let is_used = project.services.values().any(|service| {
            service
                .volumes
                .iter()
                .any(|mount| mount.kind == "volume" && mount.source.as_deref() == Some(key))
        });
        if !is_used {
            continue;
        }
        let query = Query::new(&["volumes", &volume.name]);
        match session.client.get(&query).await {
            Ok(_) => continue,
            Err(error) if !error.is_not_found() => return Err(error),
            Err(_) if volume.is_external() => {
                return Err(CliError::Said(format!(
                    "external volume \"{}\" not found",
                    volume.name
                )));
            }
            Err(_) => {}
        }
        report.step("Volume", &volume.name, "Creating");
        let mut labels: Map<String, Value> = volume
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), json!(value.as_deref().unwrap_or(""))))
            .collect();
        labels.insert(body::PROJECT.into(), json!(project.name));
        labels.insert(body::VOLUME.into(), json!(key));
        let options: Map<String, Value> = volume
            .driver_opts
            .iter()
            .map(|(key, value)| (key.clone(), json!(value.as_deref().unwrap_or(""))))
            .collect();
        let request = json!({
            "Name": volume.name,
            "Driver": volume.driver.as_deref().unwrap_or("local"),
            "DriverOpts": options,
            "Labels": labels,
        });
        let query = Query::new(&["volumes", "create"]);
        session.client.post(&query, Payload::Json(request)).await?;
        report.step("Volume", &volume.name, "Created");
    }
    Ok(())
}

/// Removes all that carry the project's label.
pub(super) async fn remove(
    session: &Session,
    project: &str,
    report: Report,
) -> Result<(), CliError> {
    let filters = json!({ "label": [format!("{}={project}", body::PROJECT)] });
    let query = Query::new(&["volumes"]).with("filters", &filters.to_string());
    let answer = session.client.get(&query).await?;
    for volume in answer["Volumes"].as_array().into_iter().flatten() {
        let name = volume["Name"].as_str().unwrap_or_default();
        report.step("Volume", name, "Removing");
        match session.client.delete(&Query::new(&["volumes", name])).await {
            Err(error) if error.is_not_found() => {}
            Err(CliError::Daemon { status: 409, .. }) => {
                report.step("Volume", name, "Resource is still in use");
                continue;
            }
            removed => drop(removed?),
        }
        report.step("Volume", name, "Removed");
    }
    Ok(())
}
