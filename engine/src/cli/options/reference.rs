//! Names of images, as people type them. What they mean is the daemon's business.

/// A name cut at its tag or digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'r> {
    /// `registry:5000/user/name`
    pub(crate) name: &'r str,
    /// `latest`, or `sha256:…`
    pub(crate) version: Option<&'r str>,
}

/// Cuts a name.
pub(crate) fn parse(text: &str) -> Reference<'_> {
    if let Some((name, digest)) = text.split_once('@') {
        return Reference {
            name,
            version: Some(digest),
        };
    }
    match text.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => Reference {
            name,
            version: Some(tag),
        },
        _ => Reference {
            name: text,
            version: None,
        },
    }
}

/// The name with the tag that is meant.
pub(crate) fn with_tag(text: &str) -> String {
    match parse(text).version {
        Some(_) => text.to_owned(),
        None => format!("{text}:latest"),
    }
}

/// The name with its registry: `busybox` → `docker.io/library/busybox:latest`.
pub(crate) fn canonical(text: &str) -> String {
    let text = with_tag(text);
    match text.split_once('/') {
        None => format!("docker.io/library/{text}"),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => text,
        Some(_) => format!("docker.io/{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(
            parse("r:5000/a/b"),
            Reference {
                name: "r:5000/a/b",
                version: None
            }
        );
        assert_eq!(
            parse("r:5000/a:1"),
            Reference {
                name: "r:5000/a",
                version: Some("1")
            }
        );
        assert_eq!(
            parse("a@sha256:0"),
            Reference {
                name: "a",
                version: Some("sha256:0")
            }
        );
        assert_eq!(with_tag("a"), "a:latest");
    }

    #[test]
    fn the_default_registry_is_spelled_out() {
        assert_eq!(canonical("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("me/x:1"), "docker.io/me/x:1");
        assert_eq!(canonical("127.0.0.1:5000/x"), "127.0.0.1:5000/x:latest");
    }
}
