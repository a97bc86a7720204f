//! Image references, normalised as Docker does (`distribution/reference`): `busybox` is `docker.io/library/busybox:latest`.

use std::fmt;

/// A normalised image reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The registry's host, such as `docker.io`.
    pub domain: String,
    /// The path in the registry, such as `library/busybox`.
    pub path: String,
    /// The tag; `latest` when there is neither tag nor digest.
    pub tag: Option<String>,
    /// The digest, such as `sha256:…`.
    pub digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// Docker wants repositories in lower case.
    #[error("repository name must be lowercase")]
    UpperCase,
}

impl Reference {
    /// Reads and normalises a reference.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] with Docker's words for it.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(check(digest, is_digest)?)),
            None => (text, None),
        };
        // A colon behind the last slash begins the tag; one before it belongs to the registry's port.
        let (name, tag) = match name.rfind(':').filter(|colon| !name[*colon..].contains('/')) {
            Some(colon) => (&name[..colon], Some(check(&name[colon + 1..], is_tag)?)),
            None => (name, None),
        };
        let (domain, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let domain = if domain == "index.docker.io" {
            "docker.io"
        } else {
            domain
        };
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(ReferenceError::UpperCase);
        }
        if !path.split('/').all(is_path_component) || !is_domain(domain) || name.len() > 255 {
            return Err(ReferenceError::Format);
        }
        let tag = if tag.is_none() && digest.is_none() {
            Some("latest".to_owned())
        } else {
            tag
        };
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag,
            digest,
        })
    }

    /// The repository as `docker images` shows it: without `docker.io/library/`.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        match (self.domain.as_str(), self.path.strip_prefix("library/")) {
            ("docker.io", Some(name)) => name.to_owned(),
            ("docker.io", None) => self.path.clone(),
            _ => self.repository(),
        }
    }

    /// The whole reference as docker's commands print it, such as `busybox:latest`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        format!("{}{}", self.familiar_name(), &full[self.repository().len()..])
    }

    /// Registry and path, such as `docker.io/library/busybox`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn check(text: &str, valid: fn(&str) -> bool) -> Result<String, ReferenceError> {
    if valid(text) {
        Ok(text.to_owned())
    } else {
        Err(ReferenceError::Format)
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !tag.starts_with(['.', '-'])
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain
        .split_once(':')
        .map_or((domain, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && port.is_none_or(|p| p.parse::<u16>().is_ok())
}

/// Lower-case letters and digits, with single separators `.`, `_`, `__` or any number of `-` in between.
fn is_path_component(component: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(component.chars().next())
        && edge(component.chars().next_back())
        && component
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        && !component.contains("..")
        && !component.contains("___")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_normalise_as_dockers_do() {
        for (text, normalised) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("docker.io/busybox", "docker.io/busybox:latest"),
            ("docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36"),
            ("user/app", "docker.io/user/app:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
            (
                "nginx@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "docker.io/library/nginx@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ),
        ] {
            assert_eq!(
                Reference::parse(text).map(|r| r.to_string()).as_deref(),
                Ok(normalised),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused_in_dockers_words() {
        for (text, error) in [
            ("", ReferenceError::Format),
            ("BusyBox", ReferenceError::UpperCase),
            ("busybox:", ReferenceError::Format),
            ("busy box", ReferenceError::Format),
            ("a//b", ReferenceError::Format),
            ("busybox@sha256:xyz", ReferenceError::Format),
            ("-a", ReferenceError::Format),
            ("héllo", ReferenceError::Format),
        ] {
            assert_eq!(Reference::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn familiar_names_drop_dockers_defaults() {
        for (text, name) in [
            ("busybox", "busybox"),
            ("user/app", "user/app"),
            ("registry.k8s.io/pause", "registry.k8s.io/pause"),
        ] {
            assert_eq!(Reference::parse(text).map(|r| r.familiar_name()).as_deref(), Ok(name));
            let familiar = Reference::parse(text).map(|r| r.familiar());
            assert_eq!(familiar, Ok(format!("{name}:latest")));
        }
    }
}
