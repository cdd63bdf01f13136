//! Calls that real clients made, recorded, through the real binary with the preset `unrestricted`: a gate that allows
//! everything refuses nothing that is listed nowhere. `corpus/recorded_calls.json` holds one call of each kind per client.
//! Knows nothing of how a verdict comes about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::support::client::{Client, Reply};
use crate::support::engine::{Recorder, position};
use crate::support::gate::Gate;
use crate::support::{data, report};

/// How many calls the file holds.
const CALLS: usize = 881;

/// What is refused: the reason code, the method with the path as [`template`] writes it, and the clients that sent it.
const REFUSED: &[(&str, &str, &[&str])] = &[
    // versions below 1.24
    ("api-version-too-old", "GET /images/get", &["skopeo"]),
    // Podman's own API, whose versions are no Docker versions
    ("unknown-endpoint", "DELETE /v5.8.0/libpod/containers/{id}", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/containers/json", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/containers/{id}/json", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/containers/{id}/logs", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/exec/{id}/json", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/images/json", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/info", &["podman-py"]),
    ("unknown-endpoint", "GET /v5.8.0/libpod/version", &["podman-py"]),
    ("unknown-endpoint", "HEAD /v5.8.0/libpod/_ping", &["podman-py"]),
    ("unknown-endpoint", "POST /v5.8.0/libpod/containers/create", &["podman-py"]),
    ("unknown-endpoint", "POST /v5.8.0/libpod/containers/pp1/exec", &["podman-py"]),
    ("unknown-endpoint", "POST /v5.8.0/libpod/containers/{id}/start", &["podman-py"]),
    ("unknown-endpoint", "POST /v5.8.0/libpod/containers/{id}/stop", &["podman-py"]),
    ("unknown-endpoint", "POST /v5.8.0/libpod/exec/{id}/start", &["podman-py"]),
    // a BuildKit build of the old CLI
    ("http2", "POST /build", &["cli-20.10"]),
    // BuildKit's sessions
    (
        "http2",
        "POST /grpc",
        &["cli-26.1", "cli-28.5", "compose-v1-1.29-on28", "compose-v1-podman", "compose-v2-2.26", "compose-v2-2.40-podman"],
    ),
    ("http2", "POST /session", &["cli-20.10", "cli-26.1", "cli-28.5", "compose-v1-1.29-on28", "compose-v2-2.26"]),
];

/// What is left out on the way, because no engine reads it there: the operation, the query key or the field, and the client.
const DROPPED: &[(&str, &str, &str)] = &[
    ("ContainerExec", "Container", "aiodocker-tests-execs"),
    ("ContainerExec", "Container", "docker-py-7.2"),
    ("ContainerList", "?trunc_cmd", "compose-v1-1.29"),
    ("ContainerList", "?trunc_cmd", "compose-v1-1.29-on28"),
    ("ContainerList", "?trunc_cmd", "compose-v1-podman"),
    ("ContainerList", "?trunc_cmd", "docker-py-7.2"),
    ("ExecStart", "OutputCapacity", "bollard-tests"),
    ("ImageList", "?digests", "bollard-tests"),
    ("ImageList", "?only_ids", "docker-py-7.2"),
    ("ServiceLogs", "?until", "bollard-tests"),
    ("SystemEvents", "?stream", "aiodocker-tests-integration"),
    ("TaskLogs", "?until", "bollard-tests"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub client: String,
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    /// The body was a tar or another stream; it is made up.
    #[serde(default)]
    opaque: bool,
    /// The connection became a stream.
    #[serde(default)]
    hijacked: bool,
}

/// `"body": null` is a body too.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Call {
    pub fn bytes(&self) -> Vec<u8> {
        let body = match (&self.body, self.opaque) {
            (Some(body), _) => body.to_string().into_bytes(),
            (None, true) => vec![0; 2048],
            (None, false) => Vec::new(),
        };
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{} {} HTTP/1.1\r\n{headers}", self.method, self.target);
        if self.headers.contains_key("transfer-encoding") {
            return [format!("{head}\r\n{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        }
        let framing = if body.is_empty() && self.method != "POST" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        [format!("{head}{framing}\r\n").as_bytes(), &body].concat()
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// The path without the version and the ids of objects.
fn template(path: &str) -> String {
    let id = |segment: &str| {
        segment.len() >= 12 && segment.chars().all(|c| c.is_ascii_hexdigit())
            || segment.len() == 25 && segment.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let path = match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => format!("/{rest}"),
        None => path.to_owned(),
    };
    path.split('/').map(|segment| if id(segment) { "{id}" } else { segment }).collect::<Vec<_>>().join("/")
}

/// What became of a call.
struct Outcome {
    requests: Vec<Vec<u8>>,
    reply: Reply,
}

fn run(call: &Call, door: &Path, upstream: &Recorder) -> Outcome {
    let mut client = Client::unix(door);
    client.send(&call.bytes());
    let reply = client.reply(call.method == "HEAD").unwrap_or_default();
    Outcome { requests: upstream.take(), reply }
}

/// Every call of the file.
pub fn calls() -> Vec<Call> {
    let calls: Vec<Call> = serde_json::from_slice(&std::fs::read(data("recorded_calls.json")).unwrap()).unwrap();
    assert_eq!(calls.len(), CALLS);
    calls
}

#[test]
fn refuses_nothing_of_real_clients_but_what_is_listed() {
    let calls = calls();
    let folder = tempfile::tempdir().unwrap();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let door = folder.path().join("door/s");
    let (engine, listen) = (upstream.path().display(), door.display());
    let config =
        format!("version = 1\n[upstream]\nurl = \"unix://{engine}\"\n[[door]]\nlisten = \"unix://{listen}\"\npolicy = \"unrestricted\"\n");
    let gate = Gate::start(folder.path(), &config, std::slice::from_ref(&door));
    upstream.take();
    // one after the other: whatever reaches the upstream belongs to the call that runs
    let outcomes: Vec<Outcome> = calls.iter().map(|call| run(call, &door, &upstream)).collect();
    let records = gate.stop();
    let record = |outcome: &Outcome| outcome.reply.header("dockgate-ref").and_then(|id| records.get(id)).cloned().unwrap_or_default();
    let mut refused: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let (mut faults, mut dropped) = (Vec::new(), BTreeSet::new());
    for (call, outcome) in calls.iter().zip(&outcomes) {
        let record = record(outcome);
        if outcome.requests.is_empty() {
            let key = (record["reason"].as_str().unwrap_or("closed").to_owned(), format!("{} {}", call.method, template(call.path())));
            refused.entry(key).or_default().insert(&call.client);
        } else {
            let operation = record["operation"].as_str().unwrap_or_default().to_owned();
            dropped.extend(names(&record).map(|name| (operation.clone(), name.to_owned(), call.client.as_str())));
            faults.extend(changed(call, outcome, &record).map(|fault| format!("{} {} {}: {fault}", call.client, call.method, call.target)));
        }
    }
    let forwarded = outcomes.iter().filter(|outcome| !outcome.requests.is_empty()).count();
    report(&format!("recorded: {CALLS} calls / {forwarded} forwarded / {} refused", CALLS - forwarded));
    faults.extend(differences(&refused));
    let dropped: Vec<(&str, &str, &str)> =
        dropped.iter().map(|(operation, name, client)| (operation.as_str(), name.as_str(), *client)).collect();
    if dropped != DROPPED {
        faults.push(format!("dropped on the way: {dropped:?}"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is refused and not listed, and what is listed and not refused.
fn differences(refused: &BTreeMap<(String, String), BTreeSet<&str>>) -> Vec<String> {
    let row =
        |code: &str, call: &str, clients: &BTreeSet<&str>| format!("(\"{code}\", \"{call}\", &{:?}),", clients.iter().collect::<Vec<_>>());
    let known: BTreeSet<String> = REFUSED.iter().map(|(code, call, clients)| row(code, call, &clients.iter().copied().collect())).collect();
    let found: BTreeSet<String> = refused.iter().map(|((code, call), clients)| row(code, call, clients)).collect();
    let new = found.difference(&known).map(|row| format!("refused and not listed: {row}"));
    new.chain(known.difference(&found).map(|row| format!("listed and not refused: {row}"))).collect()
}

/// Headers that dockgate writes.
const WRITTEN: [&str; 12] = [
    "host",
    "user-agent",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "x-registry-auth",
    "x-registry-config",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
];

/// What is forwarded asks the same of the same object, with no header that dockgate does not write.
fn changed(call: &Call, outcome: &Outcome, record: &Value) -> Option<String> {
    let [request] = outcome.requests.as_slice() else { return Some(format!("{} requests", outcome.requests.len())) };
    let body_start = position(request, b"\r\n\r\n").unwrap_or(request.len());
    let head = String::from_utf8_lossy(&request[..body_start]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    if method != call.method || path != call.path() {
        return Some(format!("became {method} {path}"));
    }
    if let Some(name) = lines.filter_map(|line| line.split(':').next()).find(|name| !WRITTEN.contains(name)) {
        return Some(format!("header {name} was forwarded"));
    }
    if call.hijacked && !matches!(outcome.reply.status, 101 | 200) {
        return Some(format!("the stream was answered with {}", outcome.reply.status));
    }
    let body = &request[(body_start + 4).min(request.len())..];
    lost(call, target, body, record)
}

/// The names that the record says were dropped: those of the query begin with a question mark.
fn names(record: &Value) -> impl Iterator<Item = &str> {
    record["dropped"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What the client said and the upstream did not get, beside what the record says was dropped.
fn lost(call: &Call, target: &str, body: &[u8], record: &Value) -> Option<String> {
    let (mut sent, got) = (pairs(&call.target), pairs(target));
    sent.retain(|(key, _)| !names(record).any(|name| name.strip_prefix('?') == Some(key)));
    if sent != got {
        return Some(format!("the query became {got:?}"));
    }
    let mut sent = call.body.clone().filter(|_| !body.is_empty())?;
    if let Some(members) = sent.as_object_mut() {
        members.retain(|key, _| !names(record).any(|name| name == key));
    }
    let got: Value = serde_json::from_slice(body).ok()?;
    (got != sent).then(|| format!("the body {sent} became {got}"))
}

/// Decoded pairs of a query, sorted.
fn pairs(target: &str) -> Vec<(String, String)> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name);
            let value = canonical(&name, decoded(value));
            (name, value)
        })
        .collect();
    pairs.sort();
    pairs
}

/// One spelling for what engines read alike: truth values, and filters as lists or as sets.
fn canonical(name: &str, value: String) -> String {
    match (name, value.to_ascii_lowercase().as_str()) {
        (_, "true") => "1".to_owned(),
        (_, "false") => "0".to_owned(),
        ("filters", _) => serde_json::from_str::<Value>(&value).map_or(value, |filters| sets(filters).to_string()),
        _ => value,
    }
}

/// `{"label":["a"]}` → `{"label":{"a":true}}`
fn sets(mut filters: Value) -> Value {
    for filter in filters.as_object_mut().into_iter().flat_map(|filters| filters.values_mut()) {
        if let Value::Array(items) = filter {
            *filter = items
                .iter()
                .map(|item| (item.as_str().unwrap_or_default().to_owned(), Value::Bool(true)))
                .collect::<serde_json::Map<_, _>>()
                .into();
        }
    }
    filters
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(if bytes[at] == b'+' { b' ' } else { bytes[at] }));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
