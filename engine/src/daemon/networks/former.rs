//! Networks as the first engines wrote them: a bridge's subnet, gateway and reach stood among its driver's settings, and
//! nothing told what its maker had asked for.

use serde_json::{Map, Value, json};

/// Turns a record of any age into one that this engine reads.
pub(super) fn modern(mut record: Value) -> Value {
    let Some(fields) = record.as_object_mut() else {
        return record;
    };
    if fields.contains_key("ipam") {
        return record;
    }
    let is_default = fields.get("name").is_some_and(|name| name == "bridge");
    let bridge = fields
        .get_mut("driver")
        .and_then(|driver| driver.get_mut("bridge"))
        .and_then(Value::as_object_mut);
    let (subnet, gateway, reach) = bridge.map(take).unwrap_or_default();
    // Who chose the subnet is not known: taken for the maker's choice, fixed addresses stay allowed.
    let config = match &subnet {
        Some(subnet) if !is_default => json!([{ "Subnet": subnet }]),
        _ => Value::Null,
    };
    fields.insert(
        "ipam".into(),
        json!({ "Driver": "default", "Config": config }),
    );
    fields.insert("reach".into(), reach.unwrap_or_else(|| "outside".into()));
    let addressing = match (subnet, gateway) {
        (Some(subnet), Some(gateway)) => json!([{ "subnet": subnet, "gateway": gateway }]),
        _ => json!([]),
    };
    fields.insert("addressing".into(), addressing);
    record
}

fn take(bridge: &mut Map<String, Value>) -> (Option<Value>, Option<Value>, Option<Value>) {
    (
        bridge.remove("subnet"),
        bridge.remove("gateway"),
        bridge.remove("reach"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::record::NetworkRecord;
    use super::*;

    #[test]
    fn the_first_engines_records_are_read() {
        let old = json!({
            "id": "ab", "name": "lab", "created": "2026-11-20T10:00:00Z", "labels": {}, "options": {},
            "attachable": false,
            "driver": { "bridge": {
                "interface": "br-ab", "subnet": "172.18.0.0/16", "gateway": "172.18.0.1", "reach": "internal",
            } },
        });
        let record: NetworkRecord = serde_json::from_value(modern(old)).unwrap();
        let bridge = record.bridge().unwrap();
        assert_eq!(bridge.settings.interface, "br-ab");
        assert_eq!(bridge.reach, crate::network::bridge::Reach::Internal);
        assert_eq!(bridge.addressing[0].subnet.to_string(), "172.18.0.0/16");
        assert_eq!(bridge.addressing[0].gateway.to_string(), "172.18.0.1");

        let none = json!({
            "id": "cd", "name": "none", "created": "2026-11-20T10:00:00Z", "labels": {}, "options": {},
            "attachable": false, "driver": "null",
        });
        let record: NetworkRecord = serde_json::from_value(modern(none)).unwrap();
        assert!(record.bridge().is_none());
    }

    #[test]
    fn a_record_of_today_stays_as_it_is() {
        let today = json!({ "ipam": { "Driver": "default" }, "driver": "host" });
        assert_eq!(modern(today.clone()), today);
    }
}
