//! Who starts before whom.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ComposeError;
use super::service::Service;

/// The services that `service` needs first: `depends_on`, links, shared namespaces and volumes.
pub fn needs(service: &Service) -> BTreeSet<String> {
    let mut needs: BTreeSet<String> = service.depends_on.keys().cloned().collect();
    for link in &service.links {
        needs.insert(link.split(':').next().unwrap_or(link).to_owned());
    }
    for from in &service.volumes_from {
        if !from.starts_with("container:") {
            needs.insert(from.split(':').next().unwrap_or(from).to_owned());
        }
    }
    for mode in [&service.network_mode, &service.ipc, &service.pid]
        .into_iter()
        .flatten()
    {
        needs.extend(mode.strip_prefix("service:").map(str::to_owned));
    }
    needs
}

/// The services whose images `service` is built from.
fn bases(service: &Service) -> BTreeSet<String> {
    let build = service.build.iter();
    build
        .flat_map(|build| build.additional_contexts.values().flatten())
        .filter_map(|place| place.strip_prefix("service:").map(str::to_owned))
        .collect()
}

/// `chosen` and the services whose images theirs are built from.
pub fn with_bases(
    services: &BTreeMap<String, Service>,
    chosen: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = chosen.iter().cloned().collect();
    while let Some(name) = open.pop() {
        if let Some(service) = services.get(&name)
            && found.insert(name)
        {
            open.extend(bases(service));
        }
    }
    found
}

/// Groups of services in the order in which their images are built.
pub fn builds(services: &BTreeMap<String, Service>) -> Result<Vec<Vec<String>>, ComposeError> {
    grouped(services, bases)
}

/// Groups of services; each group needs only groups before it.
pub fn levels(services: &BTreeMap<String, Service>) -> Result<Vec<Vec<String>>, ComposeError> {
    grouped(services, needs)
}

fn grouped(
    services: &BTreeMap<String, Service>,
    needs: impl Fn(&Service) -> BTreeSet<String>,
) -> Result<Vec<Vec<String>>, ComposeError> {
    let mut left: BTreeMap<&String, BTreeSet<String>> = services
        .iter()
        .map(|(name, service)| {
            let mut needs = needs(service);
            needs.retain(|need| services.contains_key(need));
            (name, needs)
        })
        .collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let ready: Vec<String> = left
            .iter()
            .filter(|(_, needs)| needs.is_empty())
            .map(|(name, _)| (*name).clone())
            .collect();
        if ready.is_empty() {
            return Err(ComposeError::Cycle(cycle(&left)));
        }
        left.retain(|name, _| !ready.contains(name));
        for needs in left.values_mut() {
            needs.retain(|need| !ready.contains(need));
        }
        levels.push(ready);
    }
    Ok(levels)
}

/// `chosen` and all that they need.
pub fn with_needs(services: &BTreeMap<String, Service>, chosen: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = chosen.to_vec();
    while let Some(name) = open.pop() {
        if let Some(service) = services.get(&name)
            && found.insert(name)
        {
            open.extend(needs(service));
        }
    }
    found
}

/// A way that leads back to where it began.
fn cycle(left: &BTreeMap<&String, BTreeSet<String>>) -> Vec<String> {
    let mut way: Vec<String> = Vec::new();
    let mut at = left.keys().next().map(|name| (*name).clone());
    while let Some(name) = at {
        if let Some(start) = way.iter().position(|seen| *seen == name) {
            way.push(name);
            return way.split_off(start);
        }
        at = left
            .get(&name)
            .and_then(|needs| needs.iter().next().cloned());
        way.push(name);
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(lines: &[(&str, &[&str])]) -> BTreeMap<String, Service> {
        lines
            .iter()
            .map(|(name, needs)| {
                let depends_on = needs
                    .iter()
                    .map(|need| ((*need).to_owned(), Default::default()))
                    .collect();
                let service = Service {
                    depends_on,
                    ..Service::default()
                };
                ((*name).to_owned(), service)
            })
            .collect()
    }

    #[test]
    fn who_is_needed_comes_first() {
        let services = services(&[
            ("web", &["api", "cache"]),
            ("api", &["db"]),
            ("cache", &[]),
            ("db", &[]),
        ]);
        assert_eq!(
            levels(&services).unwrap(),
            [vec!["cache", "db"], vec!["api"], vec!["web"]]
        );
        assert_eq!(
            with_needs(&services, &["api".to_owned()]),
            ["api".to_owned(), "db".to_owned()].into()
        );
    }

    #[test]
    fn a_cycle_is_named() {
        let services = services(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(
            levels(&services).unwrap_err().to_string(),
            "dependency cycle detected: b -> c -> b"
        );
    }
}
