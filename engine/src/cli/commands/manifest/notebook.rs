//! Lists that are being put together: one folder per list, one file per image, as Docker's client keeps them.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::config;
use crate::cli::error::CliError;
use crate::image::Reference;
use crate::oci::{Digest, OCI_MANIFEST, Platform};

/// One image of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    /// Its name.
    #[serde(rename = "Ref")]
    pub(super) reference: String,
    /// What the list will say of it.
    pub(super) descriptor: Descriptor,
    /// Its manifest, in base64.
    pub(super) raw: String,
    /// Its manifest, to be read: of Docker's own form.
    #[serde(rename = "SchemaV2Manifest", skip_serializing_if = "Option::is_none")]
    pub(super) docker: Option<Value>,
    /// Its manifest, to be read: of OCI's form.
    #[serde(rename = "OCIManifest", skip_serializing_if = "Option::is_none")]
    pub(super) oci: Option<Value>,
}

/// A line of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    /// What it is.
    pub(super) media_type: String,
    /// Its name.
    pub(super) digest: Digest,
    /// Its bytes.
    pub(super) size: u64,
    /// What it is for.
    #[serde(default)]
    pub(super) platform: ListedPlatform,
}

/// A platform with what only lists say of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListedPlatform {
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub(super) os_version: String,
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub(super) os_features: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) variant: String,
}

impl From<Platform> for ListedPlatform {
    fn from(platform: Platform) -> Self {
        Self {
            architecture: platform.architecture,
            os: platform.os,
            variant: platform.variant,
            ..Self::default()
        }
    }
}

impl Page {
    /// A page about a manifest as it came.
    pub(super) fn new(
        reference: String,
        media_type: &str,
        bytes: &[u8],
        platform: Platform,
    ) -> Self {
        let document = serde_json::from_slice(bytes).ok();
        let is_oci = media_type == OCI_MANIFEST;
        Self {
            reference,
            descriptor: Descriptor {
                media_type: media_type.to_owned(),
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                platform: platform.into(),
            },
            raw: STANDARD.encode(bytes),
            oci: document.clone().filter(|_| is_oci),
            docker: document.filter(|_| !is_oci),
        }
    }

    /// Its manifest.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, CliError> {
        let bad = |_| {
            CliError::Said(format!(
                "the stored manifest of {} is damaged",
                self.reference
            ))
        };
        STANDARD.decode(&self.raw).map_err(bad)
    }
}

/// Reads a name; Docker's sentence when it is none.
pub(super) fn reference(text: &str) -> Result<Reference, CliError> {
    Reference::parse(text).map_err(|error| CliError::Said(error.to_string()))
}

/// The name of the folder or file of an image: no slash, no colon.
fn safe(reference: &Reference) -> String {
    reference.to_string().replace(':', "-").replace('/', "_")
}

fn folder(list: &Reference) -> PathBuf {
    config::default_directory()
        .join("manifests")
        .join(safe(list))
}

/// All pages of a list; none when there is no such list.
pub(super) fn pages(list: &Reference) -> Result<Vec<Page>, CliError> {
    let dir = folder(list);
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).map_err(|source| failed("open", &path, source))?;
            serde_json::from_slice(&bytes)
                .map_err(|error| CliError::Said(format!("{} is damaged: {error}", path.display())))
        })
        .collect()
}

/// One page of a list.
pub(super) fn page(list: &Reference, image: &Reference) -> Result<Option<Page>, CliError> {
    let wanted = image.to_string();
    let all = pages(list)?.into_iter();
    Ok(all
        .into_iter()
        .find(|page| reference(&page.reference).is_ok_and(|known| known.to_string() == wanted)))
}

/// Writes a page.
pub(super) fn write(list: &Reference, image: &Reference, page: &Page) -> Result<(), CliError> {
    let dir = folder(list);
    std::fs::create_dir_all(&dir).map_err(|source| failed("make", &dir, source))?;
    let path = dir.join(safe(image));
    let text = serde_json::to_string(page).expect("a page is plain data");
    std::fs::write(&path, text).map_err(|source| failed("write", &path, source))
}

/// Throws a list away; tells whether there was one.
pub(super) fn remove(list: &Reference) -> Result<bool, CliError> {
    let dir = folder(list);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(failed("remove", &dir, source)),
        Ok(()) => Ok(true),
    }
}

/// The list as it is pushed and shown.
pub(super) fn document(pages: &[Page]) -> Value {
    let is_oci = pages
        .first()
        .is_some_and(|page| page.descriptor.media_type == OCI_MANIFEST);
    let lines: Vec<Value> = pages
        .iter()
        .map(|page| {
            let line = &page.descriptor;
            json!({ "mediaType": line.media_type, "size": line.size, "digest": line.digest, "platform": line.platform })
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": if is_oci { crate::oci::OCI_INDEX } else { crate::oci::DOCKER_LIST },
        "manifests": lines,
    })
}

/// JSON as Docker's client writes manifests.
pub(super) fn pretty(document: &impl Serialize, indent: &str) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    document
        .serialize(&mut serializer)
        .expect("manifests are plain data");
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn failed(what: &'static str, path: &std::path::Path, source: std::io::Error) -> CliError {
    CliError::File {
        what,
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_dockers_client_names_them() {
        let name = reference("127.0.0.1:5000/regh/multi:1").unwrap();
        assert_eq!(safe(&name), "127.0.0.1-5000_regh_multi-1");
    }

    #[test]
    fn a_list_takes_the_form_of_its_first_image() {
        let platform = Platform {
            os: "linux".into(),
            architecture: "arm64".into(),
            variant: String::new(),
        };
        let page = Page::new("a:1".into(), OCI_MANIFEST, b"{}", platform);
        let list = document(std::slice::from_ref(&page));
        assert_eq!(list["mediaType"], crate::oci::OCI_INDEX);
        assert_eq!(list["manifests"][0]["platform"]["architecture"], "arm64");
        assert_eq!(page.bytes().unwrap(), b"{}");
    }
}
