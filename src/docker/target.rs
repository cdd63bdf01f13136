//! Request targets: version prefix, path segments and query pairs, decoded exactly once.
//! Knows nothing of which paths exist.

use super::fault::{Fault, FaultKind};
use super::version::ApiVersion;

/// A request target in origin form, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The version prefix, if there was one.
    pub version: Option<ApiVersion>,
    /// The segments after it; never empty, `.` or `..`.
    pub segments: Vec<Segment>,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
}

/// One path segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The decoded text; it holds a slash only where `encoded`.
    pub text: String,
    /// True where the segment was percent-encoded: such a segment can only be part of an image reference.
    pub encoded: bool,
}

impl Target {
    /// Reads a target as strictly as the daemon's router is lax: it routes on the decoded path, so an
    /// escape is refused wherever its meaning could differ, and everything that `path.Clean` would
    /// change is refused too (the daemon answers those with a redirect).
    ///
    /// # Errors
    /// [`FaultKind::TargetForm`], [`FaultKind::BadPath`], [`FaultKind::BadQuery`] and the version faults.
    pub fn parse(target: &str) -> Result<Self, Fault> {
        if !target.starts_with('/') || target.contains('#') {
            return Err(Fault::new(FaultKind::TargetForm, ""));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (version, rest) = version(path.strip_prefix('/').unwrap_or(path))?;
        let segments = rest.map_or_else(|| Ok(Vec::new()), segments)?;
        Ok(Self { version, segments, query: pairs(query)? })
    }
}

/// `v` and a digit start a version prefix; object names never stand first in a path. With it what follows, which may be nothing.
fn version(path: &str) -> Result<(Option<ApiVersion>, Option<&str>), Fault> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(number) = first.strip_prefix('v').filter(|text| text.starts_with(|c: char| c.is_ascii_digit())) else {
        return Ok((None, Some(path)));
    };
    if rest.is_some_and(|rest| rest.split('/').next() == Some("libpod")) {
        return Err(Fault::new(FaultKind::UnknownEndpoint, "libpod")); // Podman's own API has versions of its own
    }
    match ApiVersion::parse(number) {
        Some(version) if version < ApiVersion::OLDEST => Err(Fault::new(FaultKind::ApiVersionTooOld, number)),
        Some(version) if version > ApiVersion::NEWEST => Err(Fault::new(FaultKind::ApiVersionTooNew, number)),
        Some(version) => Ok((Some(version), rest)),
        None if plain_number(number) => Err(Fault::new(FaultKind::ApiVersionTooNew, number)),
        None => Err(Fault::new(FaultKind::BadApiVersion, first)),
    }
}

/// Most segments are of plain letters: those are looked at once.
fn segments(path: &str) -> Result<Vec<Segment>, Fault> {
    let mut out = Vec::with_capacity(4);
    let mut rest = path.as_bytes();
    loop {
        let length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let start = path.len() - rest.len();
        out.push(segment(path.get(start..start + length).unwrap_or_default())?);
        match rest.get(length + 1..) {
            Some(after) => rest = after,
            None => return Ok(out),
        }
    }
}

/// `99.9` is no spelling trick, only too new; `1.044` is one.
fn plain_number(number: &str) -> bool {
    let parts: Vec<&str> = number.split('.').collect();
    let plain = |part: &&str| !part.is_empty() && !part.starts_with('0') && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 2 && parts.iter().all(plain) && (parts.first() != Some(&"1") || parts.get(1).is_some_and(|minor| minor.len() > 2))
}

fn segment(raw: &str) -> Result<Segment, Fault> {
    let bad = || Fault::new(FaultKind::BadPath, raw);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    if !raw.is_empty() && raw.bytes().all(plain) {
        return Ok(Segment { text: raw.to_owned(), encoded: false });
    }
    let encoded = raw.contains('%');
    let text = if encoded { decode(raw, false).ok_or_else(bad)? } else { raw.to_owned() };
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-:@+_".contains(c) || (encoded && c == '/');
    let clean = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if clean && text.chars().all(legal) { Ok(Segment { text, encoded }) } else { Err(bad()) }
}

/// `a=1&b=2`; empty pairs are skipped, as by Go's parser, which also refuses semicolons.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut out = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let bad = || Fault::new(FaultKind::BadQuery, key);
        let key = decode(key, true).filter(|key| printable(key)).ok_or_else(bad)?;
        let value = decode(value, true).filter(|value| printable(value)).ok_or_else(bad)?;
        if pair.contains(';') {
            return Err(bad());
        }
        out.push((key, value));
    }
    Ok(out)
}

/// Line breaks and tabs may stand in comments and Dockerfile changes; no other control character can mean well.
fn printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}

/// Percent-decodes once into strict UTF-8; `None` for a bad escape.
fn decode(raw: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes a query key or value: everything but RFC 3986 unreserved characters.
pub fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(HEX.get(usize::from(nibble)).copied().map_or('0', char::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(target: &str) -> FaultKind {
        Target::parse(target).unwrap_err().kind
    }

    fn segments(target: &str) -> Vec<String> {
        Target::parse(target).unwrap().segments.into_iter().map(|segment| segment.text).collect()
    }

    #[test]
    fn reads_one_spelling_of_a_path() {
        assert_eq!(segments("/v1.44/containers/my_app-1.web/json"), ["containers", "my_app-1.web", "json"]);
        assert_eq!(segments("/images/reg.example:5000/a@sha256:0a/json"), ["images", "reg.example:5000", "a@sha256:0a", "json"]);
        assert_eq!(segments("/images/docker.io%2Flibrary%2Falpine/json"), ["images", "docker.io/library/alpine", "json"]);
        assert_eq!(segments("/volumes/a%2Db+c"), ["volumes", "a-b+c"], "a plus is a blank in queries alone");
    }

    #[test]
    fn refuses_paths_that_the_daemon_would_clean_or_decode_differently() {
        for path in [
            "//containers/json",
            "/containers/json/",
            "/containers/./json",
            "/containers/x/../json",
            "/containers/%2e/json",
            "/containers/%2e%2e/json",
            "/a/..%2f..%2fb",
            "/containers/a%00b/json",
            "/containers/a%0ab",
            "/containers/%ff/json",
            "/containers/%2565xec",
            "/containers/a%20b/json",
            "/containers/a\\b",
            "/containers/a;b/json",
            "/containers/%C3%A9/json",
            "/containers/é/json",
            "/%zz",
            "/x%2",
            "/",
            "/images/a%2f%2fb/json",
        ] {
            assert_eq!(kind(path), FaultKind::BadPath, "{path}");
        }
        for target in ["containers/json", "http://docker/containers/json", "*", "", "/containers/json#x"] {
            assert_eq!(kind(target), FaultKind::TargetForm, "{target}");
        }
    }

    #[test]
    fn knows_a_version_too_new_from_a_spelling_trick() {
        assert_eq!(kind("/v1.23/info"), FaultKind::ApiVersionTooOld);
        assert_eq!(kind("/v1.99/info"), FaultKind::ApiVersionTooNew);
        assert_eq!(kind("/v99.9/info"), FaultKind::ApiVersionTooNew);
        assert_eq!(kind("/v1.100/info"), FaultKind::ApiVersionTooNew);
        for odd in ["/v1.044/info", "/v1.41.0/info", "/v1..44/info", "/v1.44-x/info", "/v1/info", "/v01.44/info", "/v1.4/info"] {
            assert_eq!(kind(odd), FaultKind::BadApiVersion, "{odd}");
        }
        for served in [ApiVersion::OLDEST, ApiVersion::NEWEST] {
            assert_eq!(Target::parse(&format!("/v{served}/info")).unwrap().version, Some(served));
        }
        assert_eq!(Target::parse("/volumes/v1").unwrap().version, None);
        assert_eq!(segments("/V1.44/info"), ["V1.44", "info"]);
    }

    #[test]
    fn decodes_queries_once_and_refuses_what_go_refuses() {
        let query = |text: &str| Target::parse(&format!("/events?{text}")).map(|target| target.query);
        assert_eq!(query("a=1&&b=x%2By+z&c").unwrap(), [("a", "1"), ("b", "x+y z"), ("c", "")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(query(r#"filters={"label":["a"]}"#).unwrap()[0].1, r#"{"label":["a"]}"#);
        for bad in ["a=1;b=2", "a=%", "a=%4", "a=%zz", "a=%00", "%ff=1", "a=%1b"] {
            assert_eq!(query(bad).unwrap_err().kind, FaultKind::BadQuery, "{bad}");
        }
    }

    #[test]
    fn encodes_what_it_decoded() {
        let mut out = String::new();
        encode("{\"a\":[\"b c+é\"]}", &mut out);
        assert_eq!(out, "%7B%22a%22%3A%5B%22b%20c%2B%C3%A9%22%5D%7D");
        assert_eq!(decode(&out, true).unwrap(), "{\"a\":[\"b c+é\"]}");
    }
}
