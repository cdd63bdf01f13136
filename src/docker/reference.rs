//! Image references, parsed and completed as Docker does (distribution/reference grammar).
//! Knows nothing of registries or allowlists.

use std::fmt;
use std::str::FromStr;

use super::fault::FaultKind;

/// The longest repository, its registry included.
const MAX_NAME: usize = 255;

/// An image as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageName {
    /// A repository, perhaps with tag and digest.
    Named(Reference),
    /// `sha256:…` or 64 hex digits: an image's id, which says nothing about where it came from.
    Id(String),
}

/// A completed reference: `nginx` is `docker.io/library/nginx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Registry and path, `docker.io/library/nginx`.
    pub repository: String,
    /// The tag, where one is written.
    pub tag: Option<String>,
    /// The digest, where one is written.
    pub digest: Option<String>,
    /// True where the daemon could also take the text for the start of an image id.
    pub hex_like: bool,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageName {
    type Err = FaultKind;

    /// Reads a reference without trimming or repairing anything.
    fn from_str(text: &str) -> Result<Self, FaultKind> {
        if let Some(hex) = text.strip_prefix("sha256:") {
            return if hex64(hex) { Ok(Self::Id(text.to_owned())) } else { Err(FaultKind::BadReference) };
        }
        if hex64(text) {
            return Ok(Self::Id(text.to_owned()));
        }
        named(text).map(Self::Named).ok_or(FaultKind::BadReference)
    }
}

fn hex64(text: &str) -> bool {
    text.len() == 64 && lower_hex(text)
}

fn lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn named(text: &str) -> Option<Reference> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (rest, None),
    };
    let valid = tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    valid.then_some(())?;
    let (domain, path) = split_domain(name);
    let known_domain = if domain == "index.docker.io" { "docker.io" } else { domain };
    let library = if known_domain == "docker.io" && !path.contains('/') { "library/" } else { "" };
    let repository = format!("{known_domain}/{library}{path}");
    // the engine counts the completed name (distribution/reference `NameTotalLengthMax`)
    let fits = repository.len() <= MAX_NAME && is_domain(domain) && path.split('/').all(is_path_part);
    fits.then(|| Reference {
        repository,
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
        hex_like: tag.is_none() && digest.is_none() && lower_hex(name),
    })
}

/// The first part is a registry where it has a dot, a colon or capitals, or is `localhost`.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) => {
            (first, rest)
        }
        Some(_) | None => ("docker.io", name),
    }
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (domain, None),
    };
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match v6 {
        Some(v6) => v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') && !v6.is_empty(),
        None => host.split('.').all(label),
    };
    host_ok && port.is_none_or(|port| !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()))
}

/// `[a-z0-9]+((?:[._]|__|[-]+)[a-z0-9]+)*`
fn is_path_part(part: &str) -> bool {
    let mut separator = String::new();
    let mut seen = false;
    for c in part.chars() {
        match c {
            'a'..='z' | '0'..='9' => {
                let joined = matches!(separator.as_str(), "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-');
                if !joined || (!separator.is_empty() && !seen) {
                    return false;
                }
                separator.clear();
                seen = true;
            }
            '.' | '_' | '-' => separator.push(c),
            _ => return false,
        }
    }
    seen && separator.is_empty()
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.bytes().next().is_some_and(word) && tag.len() <= 128 && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(hex64)
        || digest.strip_prefix("sha512:").is_some_and(|hex| hex.len() == 128 && lower_hex(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Option<String> {
        match text.parse().ok()? {
            ImageName::Named(reference) => Some(reference.to_string()),
            ImageName::Id(id) => Some(id),
        }
    }

    #[test]
    fn completes_names_as_docker_does() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx"),
            ("acme/web:1.2", "docker.io/acme/web:1.2"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine"),
            ("docker.io/alpine", "docker.io/library/alpine"),
            ("localhost/a", "localhost/a"),
            ("reg.example:5000/a/b_c__d-e--f:T_1.x-y", "reg.example:5000/a/b_c__d-e--f:T_1.x-y"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("[::1]/a", "[::1]/a"),
            ("my-reg.example/a", "my-reg.example/a"),
        ] {
            assert_eq!(complete(text).as_deref(), Some(full));
        }
        let digest = format!("alpine:3@sha256:{}", "a".repeat(64));
        assert_eq!(complete(&digest).unwrap(), format!("docker.io/library/{digest}"));
        let longer = format!("alpine@sha512:{}", "0f".repeat(64));
        assert_eq!(complete(&longer).unwrap(), format!("docker.io/library/{longer}"));
        assert_eq!("f".repeat(64).parse::<ImageName>().unwrap(), ImageName::Id("f".repeat(64)));
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for bad in [
            "",
            " alpine",
            "alpine ",
            "Alpine",
            "alpine:",
            "alpine:@",
            "alpine@",
            "a//b",
            "a/../b",
            "/a",
            "a/",
            "a:b:c",
            "a@sha256:xyz",
            "a__-b",
            "-a",
            "a-",
            "docker.io/library/alpine/../../evil",
            "sha256:abc",
            "alpine\0",
            "a.-b",
            "reg.example:port/a",
            "reg.example:/a",
            "reg.example:123456/a",
            "-reg.example/a",
            "reg-.example/a",
            "reg..example/a",
            "r_g.example/a",
            ".example/a",
            "[]:5000/a",
            "[::g]/a",
            "é",
            "a___b",
        ] {
            assert_eq!(bad.parse::<ImageName>(), Err(FaultKind::BadReference), "{bad:?}");
        }
    }

    #[test]
    fn refuses_digests_of_another_length_or_in_capitals() {
        for (algorithm, length) in [("sha256", 64), ("sha512", 128)] {
            let parses = |digits: String| format!("a@{algorithm}:{digits}").parse::<ImageName>().is_ok();
            assert!(parses("a".repeat(length)));
            for bad in ["a".repeat(length - 1), "a".repeat(length + 1), "A".repeat(length), "g".repeat(length)] {
                assert!(!parses(bad.clone()), "{algorithm} {bad}");
            }
        }
    }

    #[test]
    fn counts_the_completed_name() {
        let most = MAX_NAME - "docker.io/library/".len();
        assert!("a".repeat(most).parse::<ImageName>().is_ok());
        assert_eq!("a".repeat(most + 1).parse::<ImageName>(), Err(FaultKind::BadReference));
    }

    #[test]
    fn marks_names_that_could_be_the_start_of_an_id() {
        let hex_like = |text: &str| matches!(text.parse(), Ok(ImageName::Named(Reference { hex_like: true, .. })));
        assert!(hex_like("cafe") && hex_like("0123456789ab"));
        assert!(!hex_like("cafe:latest") && !hex_like("nginx") && !hex_like("acme/cafe"));
    }
}
