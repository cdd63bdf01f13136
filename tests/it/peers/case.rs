//! A case of `corpus/peers.json` as it is written, and the bytes that it stands for.
//! Knows nothing of how it is run.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::Value as Json;

/// What the file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub items: Vec<Item>,
    pub cases: Vec<Case>,
}

/// Where a numbered item is held beside the cases of its number, or why it cannot arise here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Item {
    pub item: u32,
    #[serde(default)]
    pub covered_by: Vec<String>,
    pub not_applicable: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    pub name: String,
    pub why: String,
    /// The keys of `[policy.X]`.
    #[serde(default = "everything")]
    pub policy: String,
    /// The text of `[policy.X.create]`.
    #[serde(default)]
    pub create: String,
    /// A TCP door instead of a unix socket, with these keys.
    pub tcp: Option<String>,
    /// Every byte, or what follows.
    raw: Option<String>,
    /// Method and target.
    op: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<Json>,
    tar: Option<Vec<Entry>>,
    /// What becomes of each request on the connection.
    pub answers: Vec<Answer>,
    /// The reason without a door and a clock, or `forwarded`, where those decide.
    pub alone: Option<String>,
    /// A text that neither the reply nor the operator's log may hold.
    pub lacks: Option<String>,
}

/// Every operation, those that no pattern opens by name: nothing but the checks refuses then.
fn everything() -> String {
    "allow = [\"*\", \"ImageBuild\", \"ImageLoad\", \"PutContainerArchive\", \"PluginCreate\", \"Session\", \"Grpc\"]".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Answer {
    Refused {
        status: u16,
        reason: String,
        at: Option<String>,
        /// True where it is refused amid its body: the upstream may see its head, never its end.
        #[serde(default)]
        cut: bool,
    },
    /// The upstream sees these bytes.
    Forwarded { forwards: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// The type flag: a file where nothing is said.
    #[serde(default = "regular")]
    flag: char,
    #[serde(default)]
    link: String,
    #[serde(default = "plain")]
    mode: String,
    #[serde(default)]
    content: String,
}

fn regular() -> char {
    '0'
}

fn plain() -> String {
    "0644".to_owned()
}

impl Case {
    /// The bytes that the client sends.
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return expanded(raw, &[]);
        }
        let body = self.body();
        let mut head = format!("{} HTTP/1.1\r\nHost: docker\r\n", self.op.as_ref().unwrap());
        for line in &self.headers {
            write!(head, "{line}\r\n").unwrap();
        }
        let typed = self.headers.iter().any(|line| line.to_lowercase().starts_with("content-type:"));
        let kind = if self.tar.is_some() { "application/x-tar" } else { "application/json" };
        if !typed && !body.is_empty() {
            write!(head, "Content-Type: {kind}\r\n").unwrap();
        }
        if !body.is_empty() || !head.starts_with("GET ") && !head.starts_with("HEAD ") {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        [expanded(&head, &[]), b"\r\n".to_vec(), body].concat()
    }

    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.tar) {
            (Some(Json::String(text)), None) => expanded(text, &[]),
            (Some(value), None) => value.to_string().into_bytes(),
            (None, Some(entries)) => entries.iter().flat_map(Entry::blocks).chain([0; 1024]).collect(),
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => panic!("{}: two bodies", self.name),
        }
    }

    /// The requests that the upstream must see, in order.
    pub fn forwards(&self) -> Vec<Vec<u8>> {
        let forwarded = self.answers.iter().filter_map(|answer| match answer {
            Answer::Forwarded { forwards } => Some(expanded(forwards, &self.body())),
            Answer::Refused { .. } => None,
        });
        forwarded.collect()
    }

    pub fn is_cut(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer, Answer::Refused { cut: true, .. }))
    }
}

impl Entry {
    /// A header (ustar) and the content, in blocks.
    fn blocks(&self) -> Vec<u8> {
        let content = expanded(&self.content, &[]);
        let mut block = vec![0; 512];
        let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, &self.name);
        put(100, &format!("{:0>7}\0", self.mode));
        put(124, &format!("{:011o}\0", content.len()));
        put(148, "        ");
        put(156, &self.flag.to_string());
        put(157, &self.link);
        put(257, "ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend(content);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

/// The bytes of a text: `<<times:3 ab>>` repeats, `<<hex:ff00>>`, `<<base64:…>>` and `<<utf16:…>>` encode, `<<body>>` is the body that was sent.
fn expanded(text: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        let (word, tail) = after.split_once(">>").unwrap();
        out.extend(before.as_bytes());
        out.extend(if word == "body" { body.to_vec() } else { piece(word) });
        rest = tail;
    }
    out.extend(rest.as_bytes());
    out
}

fn piece(word: &str) -> Vec<u8> {
    match word.split_once(':').unwrap() {
        ("times", what) => {
            let (times, text) = what.split_once(' ').unwrap();
            text.repeat(times.parse().unwrap()).into_bytes()
        }
        ("hex", digits) => (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect(),
        ("base64", text) => URL_SAFE.encode(text).into_bytes(),
        ("utf16", text) => [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        (kind, _) => panic!("unknown piece `{kind}`"),
    }
}
