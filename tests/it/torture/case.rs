//! `corpus/torture.toml` as it is written: bytes that readers of HTTP take differently, and what must come of them.
//! Knows nothing of how a case is run.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What the cases are judged by: volumes that may be created show what came to an engine.
pub const POLICY: &str = r#"
[limits]
head-timeout = "4s"
body-timeout = "4s"
max-json-body = "1KiB"

[policy.torture]
extends = ["read-only"]
allow = ["VolumeCreate", "ImageLoad", "ImageCreate", "ContainerAttach", "ContainerAttachWebsocket", "ExecStart"]
[policy.torture.create]
level = "unrestricted"
"#;

/// What stands in the file where each run has a word of its own.
const TAG: &str = "XXXXXXXX";
/// In every byte that no client may ever see.
pub const UNJUDGED: &[u8] = b"UNJUDGED";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torture {
    requests: BTreeMap<String, String>,
    forwarded: BTreeMap<String, String>,
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
    #[serde(rename = "reply")]
    pub replies: Vec<ReplyCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub covers: String,
    send: Vec<Part>,
    #[serde(default)]
    pub forwarded: Vec<String>,
    pub status: Vec<u16>,
    #[serde(default)]
    pub after: After,
    #[serde(default)]
    pub ends: bool,
    #[serde(default)]
    pub continues: usize,
    #[serde(default)]
    pub engine: Vec<u16>,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    #[default]
    Closed,
    Open,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyCase {
    pub name: String,
    request: String,
    reply: Vec<Part>,
    pub client: u16,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub reused: bool,
    #[serde(default)]
    pub closes: bool,
    /// The reply breaks off where the client sees it, and its connection is closed.
    #[serde(default)]
    pub broken: bool,
    /// What the engine sends when the client has the reply.
    #[serde(default)]
    later: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Part {
    Text(String),
    Repeated { text: String, times: usize },
}

/// A request as it reaches the engine: its head, and its body without its framing, which depends on how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Torture {
    pub fn load() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/torture.toml");
        toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// What the client of a case sends.
    pub fn sent(&self, case: &Case, tag: &str) -> Vec<u8> {
        tagged(self.all(&case.send), tag)
    }

    /// What reaches the engine of a case, in order.
    pub fn forwarded(&self, case: &Case, tag: &str) -> Vec<Request> {
        case.forwarded.iter().map(|name| self.one_forwarded(name, tag)).collect()
    }

    pub fn one_forwarded(&self, name: &str, tag: &str) -> Request {
        let text = self.forwarded.get(name).unwrap_or_else(|| panic!("[forwarded] has no `{name}`"));
        Request::read(&tagged(bytes(&text.replace("VERSION", env!("CARGO_PKG_VERSION"))), tag))
    }

    /// A request by its name.
    pub fn request(&self, name: &str, tag: &str) -> Vec<u8> {
        tagged(self.named(name), tag)
    }

    pub fn asked(&self, case: &ReplyCase) -> Vec<u8> {
        if case.request == "head" { b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n".to_vec() } else { self.named(&case.request) }
    }

    pub fn answered(&self, case: &ReplyCase) -> (Vec<u8>, Vec<u8>) {
        (self.all(&case.reply), bytes(&case.later))
    }

    fn named(&self, name: &str) -> Vec<u8> {
        bytes(self.requests.get(name).unwrap_or_else(|| panic!("[requests] has no `{name}`")))
    }

    fn all(&self, parts: &[Part]) -> Vec<u8> {
        let part = |part: &Part| match part {
            Part::Text(text) => text.strip_prefix('$').map_or_else(|| bytes(text), |name| self.named(name)),
            Part::Repeated { text, times } => bytes(text).repeat(*times),
        };
        parts.iter().flat_map(part).collect()
    }
}

impl Case {
    /// Where a limit in time must strike before there is an answer.
    pub fn is_slow(&self) -> bool {
        self.status.contains(&408)
    }

    /// The statuses with a real engine behind; 0 for any.
    pub fn engine_status(&self) -> &[u16] {
        if self.engine.is_empty() { &self.status } else { &self.engine }
    }
}

impl Request {
    pub fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let body = if head.contains("\r\ntransfer-encoding: chunked\r\n") { dechunked(&bytes[end..]) } else { bytes[end..].to_vec() };
        Self { head, body }
    }
}

/// What came of the data, be it whole or not.
fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..at]).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap();
        bytes = &bytes[at + 2..];
        data.extend_from_slice(&bytes[..size.min(bytes.len())]);
        bytes = bytes.get(size + 2..).unwrap_or_default();
    }
    data
}

/// A character for a byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(char).unwrap_or_else(|_| panic!("`{char}` is no byte"))).collect()
}

fn tagged(mut bytes: Vec<u8>, tag: &str) -> Vec<u8> {
    assert_eq!(tag.len(), TAG.len());
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(TAG.len()).position(|window| window == TAG.as_bytes())) {
        bytes[at + found..at + found + TAG.len()].copy_from_slice(tag.as_bytes());
        at += found + TAG.len();
    }
    bytes
}
