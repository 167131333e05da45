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

/// Refuses what cannot be the name of an image, in the words of Docker's parser.
pub(crate) fn check(text: &str) -> Result<(), String> {
    const BAD: &str = "invalid reference format";
    let hex = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if text.len() == 64 && hex(text) {
        // The whole id of an image: no name, and still understood.
        return Ok(());
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (domain, rest) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (Some(first), rest.to_owned())
        }
        Some(_) => (None, name.to_owned()),
        None => (None, format!("library/{name}")),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest.as_str(), None),
    };
    if path.chars().any(char::is_uppercase) {
        return Err(format!("{BAD}: repository name ({path}) must be lowercase"));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tag_fits = tag.is_none_or(|tag| {
        tag.len() <= 128
            && tag.starts_with(word)
            && tag.chars().all(|c| word(c) || ".-".contains(c))
    });
    let domain_fits = domain.is_none_or(|domain| {
        domain.starts_with('[') || domain.chars().all(|c| word(c) || ".-:".contains(c))
    });
    let digest_fits = digest.is_none_or(|digest| {
        let (algorithm, sum) = digest.split_once(':').unwrap_or_default();
        !algorithm.is_empty() && sum.len() >= 32 && sum.chars().all(|c| c.is_ascii_hexdigit())
    });
    if path.split('/').all(is_component) && tag_fits && domain_fits && digest_fits {
        Ok(())
    } else {
        Err(BAD.to_owned())
    }
}

/// Letters and digits, between them `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators: Vec<&str> = text.split(plain).filter(|part| !part.is_empty()).collect();
    text.starts_with(plain)
        && text.ends_with(plain)
        && separators
            .iter()
            .all(|part| matches!(*part, "." | "_" | "__") || part.chars().all(|c| c == '-'))
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
    fn what_is_no_name_is_refused() {
        for good in [
            "a",
            "a:1",
            "r:5000/a/b:x",
            "localhost/a",
            "a__b/c-d.e",
            "a@sha256:0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "-a", "a..b", "a:", "a:-x", "a@b", "a/"] {
            assert_eq!(check(bad), Err("invalid reference format".into()), "{bad}");
        }
        assert_eq!(
            check("Bad Name").unwrap_err(),
            "invalid reference format: repository name (library/Bad Name) must be lowercase"
        );
    }

    #[test]
    fn the_default_registry_is_spelled_out() {
        assert_eq!(canonical("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("me/x:1"), "docker.io/me/x:1");
        assert_eq!(canonical("127.0.0.1:5000/x"), "127.0.0.1:5000/x:latest");
    }
}
