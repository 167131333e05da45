//! The project's networks: made before its containers, removed after them.

use serde_json::{Value, json};

use super::report::Report;
use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::compose::body;
use crate::compose::project::{Network, Project};

/// Makes those that the project's services use and that do not exist.
pub(super) async fn ensure(
    session: &Session,
    project: &Project,
    report: Report,
) -> Result<(), CliError> {
    for (key, network) in &project.networks {
        let is_used =
            |service: &crate::compose::service::Service| service.networks.contains_key(key);
        if !project.services.values().any(is_used) {
            continue;
        }
        let found = find(session, &network.name).await?;
        if network.is_external() {
            if found.is_none() {
                return Err(CliError::Said(format!(
                    "network {} declared as external, but could not be found",
                    network.name
                )));
            }
            continue;
        }
        match found {
            Some(found) => check_owner(&found, key, network)?,
            None => {
                report.step("Network", &network.name, "Creating");
                let query = Query::new(&["networks", "create"]);
                session
                    .client
                    .post(&query, Payload::Json(request(project, key, network)))
                    .await?;
                report.step("Network", &network.name, "Created");
            }
        }
    }
    Ok(())
}

fn check_owner(found: &Value, key: &str, network: &Network) -> Result<(), CliError> {
    let label = found["Labels"][body::NETWORK].as_str().unwrap_or_default();
    if label == key {
        return Ok(());
    }
    Err(CliError::Said(format!(
        "network {} was found but has incorrect label {} set to \"{label}\" (expected: \"{key}\"): \
         declare it `external: true` or give the project's network another name",
        network.name,
        body::NETWORK
    )))
}

/// The network of exactly this name.
async fn find(session: &Session, name: &str) -> Result<Option<Value>, CliError> {
    let filters = json!({ "name": [name] });
    let query = Query::new(&["networks"]).with("filters", &filters.to_string());
    let answer = session.client.get(&query).await?;
    Ok(answer
        .as_array()
        .into_iter()
        .flatten()
        .find(|network| network["Name"] == name)
        .cloned())
}

fn request(project: &Project, key: &str, network: &Network) -> Value {
    let mut labels: serde_json::Map<String, Value> = network
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), json!(value.as_deref().unwrap_or(""))))
        .collect();
    labels.insert(body::PROJECT.into(), json!(project.name));
    labels.insert(body::NETWORK.into(), json!(key));
    let options: serde_json::Map<String, Value> = network
        .driver_opts
        .iter()
        .map(|(key, value)| (key.clone(), json!(value.as_deref().unwrap_or(""))))
        .collect();
    let mut request = json!({
        "Name": network.name,
        "CheckDuplicate": true,
        "Driver": network.driver.as_deref().unwrap_or("bridge"),
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Options": options,
        "Labels": labels,
    });
    if let Some(is) = network.enable_ipv6 {
        request["EnableIPv6"] = json!(is);
    }
    if let Some(is) = network.enable_ipv4 {
        request["EnableIPv4"] = json!(is);
    }
    if let Some(ipam) = &network.ipam {
        let pools: Vec<Value> = ipam
            .config
            .iter()
            .map(|pool| {
                let mut body = json!({});
                for (key, text) in [
                    ("Subnet", &pool.subnet),
                    ("Gateway", &pool.gateway),
                    ("IPRange", &pool.ip_range),
                ] {
                    if let Some(text) = text {
                        body[key] = json!(text);
                    }
                }
                if !pool.aux_addresses.is_empty() {
                    body["AuxiliaryAddresses"] = json!(pool.aux_addresses);
                }
                body
            })
            .collect();
        request["IPAM"] = json!({
            "Driver": ipam.driver.as_deref().unwrap_or("default"),
            "Config": pools,
            "Options": ipam.options,
        });
    }
    request
}

/// Removes all that carry the project's label.
pub(super) async fn remove(
    session: &Session,
    project: &str,
    report: Report,
) -> Result<(), CliError> {
    let filters = json!({ "label": [format!("{}={project}", body::PROJECT)] });
    let query = Query::new(&["networks"]).with("filters", &filters.to_string());
    let answer = session.client.get(&query).await?;
    for network in answer.as_array().into_iter().flatten() {
        let name = network["Name"].as_str().unwrap_or_default();
        report.step("Network", name, "Removing");
        let id = network["Id"].as_str().unwrap_or_default();
        match session.client.delete(&Query::new(&["networks", id])).await {
            Err(error) if error.is_not_found() => {}
            Err(CliError::Daemon { status: 403, .. }) => {
                report.step("Network", name, "Resource is still in use");
                continue;
            }
            removed => drop(removed?),
        }
        report.step("Network", name, "Removed");
    }
    Ok(())
}
