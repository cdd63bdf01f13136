//! A case of the corpus as it is written, and the bytes that it stands for.
//! Knows nothing of how it is run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    Allow,
    Deny,
    #[serde(rename = "reject-400")]
    Reject,
}

#[derive(Debug, Deserialize)]
pub struct Case {
    pub id: String,
    method: String,
    path: String,
    headers: Headers,
    body: String,
    body_encoding: Option<Encoding>,
    body_gen: Option<Vec<Part>>,
    raw_b64: Option<String>,
    raw_gen: Option<Vec<Part>>,
    pub policy: Base,
    #[serde(default)]
    pub policy_extra: Extra,
    pub listener: Option<Listener>,
    pub expect: Expected,
    #[serde(default)]
    pub also_ok: Vec<Expected>,
    note: Option<String>,
    #[serde(flatten)]
    pub remarks: BTreeMap<String, IgnoredAny>,
}

/// What is written for people, or was measured without a gate: it says nothing about how a case is run. A path that is no
/// path (`wire`) is sent as it is, like all others; checks of replies belong to filters of replies, which do not exist yet.
pub const REMARKS: [&str; 10] =
    ["title", "why", "moby_ref", "moby_head", "moby_docker_26_1", "moby_docker_20_10", "daemon", "body_note", "wire", "response_check"];

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Headers {
    Object(BTreeMap<String, String>),
    Pairs(Vec<(String, String)>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encoding {
    Base64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Part {
    Repeat(Rep, String, usize),
    Literal(Lit, String),
}

#[derive(Debug, Deserialize)]
enum Rep {
    #[serde(rename = "rep")]
    Rep,
}

#[derive(Debug, Deserialize)]
enum Lit {
    #[serde(rename = "lit")]
    Lit,
}

#[derive(Debug, Deserialize)]
pub enum Listener {
    #[serde(rename = "tcp")]
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    Readonly,
    CreateSafe,
}

/// The settings that a case needs beside its policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extra {
    volumes: Vec<String>,
    networks: Vec<String>,
    images: Vec<String>,
    require_digest: bool,
    require_non_root: bool,
    publish: Vec<String>,
    deny_env: Vec<String>,
    deny_label_prefixes: Vec<String>,
    pub pull: Vec<String>,
}

impl Extra {
    /// The `[policy.X.create]` keys.
    pub fn toml(&self) -> String {
        let images: Vec<String> = self.images.iter().chain(&self.pull).cloned().collect();
        let prefixes: Vec<String> = self.deny_label_prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
        let mut out = String::new();
        for (key, list) in [("volumes", &self.volumes), ("networks", &self.networks), ("images", &images), ("ports", &self.publish)] {
            if !list.is_empty() {
                writeln!(out, "{key} = {list:?}").unwrap();
            }
        }
        for (key, list) in [("env", &self.deny_env), ("labels", &prefixes)] {
            if !list.is_empty() {
                writeln!(out, "{key} = {{ deny = {list:?} }}").unwrap();
            }
        }
        for (key, set) in [("require-digest", self.require_digest), ("require-non-root", self.require_non_root)] {
            if set {
                writeln!(out, "{key} = true").unwrap();
            }
        }
        out
    }
}

/// What a case needs of its door: the policy and the settings beside it.
pub type Key = (Base, Extra);

impl Case {
    pub fn key(&self) -> Key {
        (self.policy, self.policy_extra.clone())
    }

    /// The bytes that the client sends.
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw_b64 {
            return STANDARD.decode(raw).unwrap();
        }
        if let Some(parts) = &self.raw_gen {
            return generated(parts);
        }
        let body = self.body_bytes();
        let mut head = format!("{} {} HTTP/1.1\r\nHost: docker\r\n", self.method, self.path);
        for (name, value) in self.header_pairs() {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT") {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        [head.as_bytes(), b"\r\n", &body].concat()
    }

    fn body_bytes(&self) -> Vec<u8> {
        match (&self.body_gen, &self.body_encoding) {
            (Some(parts), _) => generated(parts),
            (None, Some(Encoding::Base64)) => STANDARD.decode(&self.body).unwrap(),
            (None, None) => self.body.clone().into_bytes(),
        }
    }

    fn header_pairs(&self) -> Vec<(&str, &str)> {
        match &self.headers {
            Headers::Object(object) => object.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            Headers::Pairs(pairs) => pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        }
    }

    /// Several requests on one connection, of which the first is allowed.
    pub fn first_passes(&self) -> bool {
        match self.note.as_deref() {
            None | Some("timeout") => false,
            Some(note) => {
                assert!(note.starts_with("first "), "{}: unknown note `{note}`", self.id);
                true
            }
        }
    }

    pub fn may_pass(&self) -> bool {
        self.expect == Expected::Allow || self.also_ok.contains(&Expected::Allow) || self.first_passes()
    }

    /// True where nothing but an allow is right.
    pub fn benign(&self) -> bool {
        self.expect == Expected::Allow && self.also_ok.iter().all(|also| *also == Expected::Allow)
    }
}

fn generated(parts: &[Part]) -> Vec<u8> {
    let text = parts.iter().map(|part| match part {
        Part::Literal(Lit::Lit, text) => text.clone(),
        Part::Repeat(Rep::Rep, text, times) => text.repeat(*times),
    });
    text.collect::<String>().into_bytes()
}
