//! Devices of the host, and what drivers are asked for.

use serde_json::{Value, json};

use super::flat;
use crate::compose::development::Device;
use crate::compose::error::ComposeError;
use crate::compose::service::Service;

/// Devices that are named by their path.
pub(super) fn of_host(service: &Service) -> Vec<Value> {
    let named = service.devices.iter().filter(|device| !is_cdi(device));
    named.map(device).collect()
}

fn device(device: &Device) -> Value {
    json!({
        "PathOnHost": device.source,
        "PathInContainer": device.target.as_ref().unwrap_or(&device.source),
        "CgroupPermissions": device.permissions.as_deref().unwrap_or("rwm"),
    })
}

/// `vendor.com/class=name` is a device of the Container Device Interface.
fn is_cdi(device: &Device) -> bool {
    !device.source.starts_with('/') && device.source.contains('=')
}

/// What drivers are asked for: `gpus`, `deploy.resources.reservations.devices`, CDI devices.
pub(super) fn requests(name: &str, service: &Service) -> Result<Vec<Value>, ComposeError> {
    let deployed = service.deploy.iter();
    let reserved = deployed.flat_map(|deploy| &deploy.resources.reservations.devices);
    let mut requests = Vec::new();
    for gpu in service.gpus.iter().chain(reserved) {
        let count = match &gpu.count {
            None if gpu.device_ids.is_empty() => Some(-1),
            None => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(number) => number.as_i64(),
        };
        let count = count.ok_or_else(|| {
            ComposeError::invalid(
                format!("services.{name}.gpus"),
                "`count` must be \"all\" or a number",
            )
        })?;
        requests.push(json!({
            "Driver": gpu.driver.as_deref().unwrap_or(""),
            "Count": count,
            "DeviceIDs": gpu.device_ids,
            "Capabilities": [gpu.capabilities],
            "Options": flat(&gpu.options),
        }));
    }
    let cdi: Vec<&str> = service
        .devices
        .iter()
        .filter(|device| is_cdi(device))
        .map(|device| device.source.as_str())
        .collect();
    if !cdi.is_empty() {
        requests.push(json!({ "Driver": "cdi", "DeviceIDs": cdi }));
    }
    Ok(requests)
}
