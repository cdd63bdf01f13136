//! Presets against what their clients ask for. `corpus/documented_calls.json` holds the requests that each client's source or
//! documentation shows, `corpus/recorded_calls.json` those that some clients made. Everything that is normal work is allowed,
//! and every operation that a preset allows is asked for by somebody.
//! Knows nothing of how a verdict comes about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dockgate::cli::explain::{Explanation, Request, Word, explanation};
use dockgate::config::{self, Part, Preset};
use dockgate::docker::operations::TABLE;
use dockgate::policy::Policy;
use serde::Deserialize;
use serde_json::Value;

use crate::client_runs;
use crate::support::{bless, data, report};

/// How many presets there are, those for one client, and the calls of these in the two files that their presets judge.
const PRESETS: usize = 46;
const CLIENTS: usize = 42;
const DOCUMENTED: usize = 577;
const RECORDED: usize = 420;
const RECORDED_ALLOWED: usize = 262;

/// The largest body in bytes.
const MAX_JSON: usize = 1 << 20;

/// What of a recording is refused: by a check whose grant is the user's to give, or because it belongs to no preset of that
/// client: the preset, the reason, and the operations.
const REFUSED: &[(&str, &str, &[&str])] = &[
    // a service in the host's network, and one with a bind that nobody granted
    ("compose", "host-namespace", &["ContainerCreate"]),
    ("compose", "host-path", &["ContainerCreate"]),
    // BuildKit
    ("compose", "not-allowed", &["Grpc", "Session"]),
    // commands that are neither reading nor running: those of images, networks, volumes, swarms, and builds
    (
        "docker-cli-read, docker-cli-run",
        "not-allowed",
        &[
            "BuildPrune",
            "ContainerPause",
            "ContainerUnpause",
            "Grpc",
            "ImageBuild",
            "ImageCommit",
            "ImageDelete",
            "ImageGetAll",
            "ImageLoad",
            "ImagePrune",
            "ImageTag",
            "NetworkConnect",
            "NetworkCreate",
            "NetworkDelete",
            "NetworkPrune",
            "NodeInspect",
            "NodeList",
            "PluginList",
            "SecretCreate",
            "SecretDelete",
            "ServiceCreate",
            "ServiceDelete",
            "ServiceInspect",
            "ServiceList",
            "ServiceUpdate",
            "Session",
            "SwarmInit",
            "SwarmInspect",
            "SwarmLeave",
            "SystemAuth",
            "TaskList",
            "VolumeCreate",
            "VolumeDelete",
        ],
    ),
    // the recording was made without a hub, and pinged by itself
    ("dockerspawner", "not-allowed", &["SystemPing"]),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    preset: String,
    #[serde(rename = "client")]
    _client: String,
    #[serde(rename = "role")]
    _role: String,
    repository: String,
    #[serde(rename = "read_at")]
    _read_at: String,
    /// What its user grants, as lines of `[policy.NAME.create]`.
    grants: String,
    /// The recordings that were made of it.
    recorded: Vec<String>,
    calls: Vec<Call>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    method: String,
    target: String,
    operation: String,
    /// Where it was read.
    source: String,
    body: Option<Value>,
    /// The reason why it is refused whatever is granted; the preset's notes say so.
    refused: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    client: String,
    method: String,
    target: String,
    body: Option<Value>,
}

fn clients() -> Vec<Client> {
    serde_json::from_slice(&std::fs::read(data("documented_calls.json")).unwrap()).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn of_clients() -> Vec<&'static Preset> {
    config::presets().iter().filter(|preset| preset.header.client.is_some()).collect()
}

pub fn named(name: &str) -> &'static Preset {
    config::presets().iter().find(|preset| preset.name == name).unwrap()
}

/// The preset with what its user grants.
fn granted(client: &Client) -> Arc<Policy> {
    let grants = if client.grants.is_empty() { String::new() } else { format!("[policy.replay.create]\n{}\n", client.grants) };
    let text = format!("version = 1\n[policy.replay]\nextends = [\"{}\"]\n{grants}", client.preset);
    let loaded = config::load("replay", &text);
    let config = loaded.config.unwrap_or_else(|| panic!("{}: {:?}", client.preset, loaded.diagnostics));
    Arc::clone(&config.policies["replay"])
}

pub fn judged(policy: &Policy, method: &str, target: &str, body: Option<&Value>) -> Explanation {
    let body = body.map(|body| body.to_string().into_bytes());
    explanation(policy, &Request { method: method.to_owned(), path: target.to_owned(), body }, MAX_JSON)
}

pub fn name(explained: &Explanation) -> &'static str {
    explained.row.map_or("none", |row| row.operation.name())
}

pub fn reason(explained: &Explanation) -> &'static str {
    explained.failed.first().map_or("none", |failed| failed.code)
}

pub fn open(policy: &Policy) -> BTreeSet<&'static str> {
    TABLE.iter().filter(|operation| policy.rules.may_allow(**operation)).map(|operation| operation.name()).collect()
}

fn ids(parts: &[Part]) -> Vec<&str> {
    parts.iter().flat_map(|part| &part.operations).map(String::as_str).collect()
}

#[test]
fn every_documented_call_is_allowed_or_left_out_on_purpose() {
    let (clients, mut wrong, mut left) = (clients(), Vec::new(), 0);
    for client in &clients {
        let (policy, header) = (granted(client), &named(&client.preset).header);
        for call in &client.calls {
            let explained = judged(&policy, &call.method, &call.target, call.body.as_ref());
            let left_out = ids(&header.left_out).contains(&call.operation.as_str());
            let expected = call.refused.as_deref().or(left_out.then_some("not-allowed"));
            let fits = match expected {
                Some(code) => explained.word == Word::Deny && reason(&explained) == code,
                None => explained.word == Word::Allow,
            };
            left += usize::from(expected.is_some());
            if !fits || name(&explained) != call.operation {
                let (code, at) = (reason(&explained), explained.failed.first().map_or("", |failed| failed.at.as_str()));
                wrong.push(format!(
                    "{}: {} {} ({}): {:?} [{code}] {at}",
                    client.preset, call.method, call.target, call.source, explained.word
                ));
            }
        }
    }
    let calls: usize = clients.iter().map(|client| client.calls.len()).sum();
    report(&format!("presets: {} clients / {calls} documented calls / {} allowed / {left} left out", clients.len(), calls - left));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((clients.len(), calls), (CLIENTS, DOCUMENTED));
}

#[test]
fn a_client_gets_by_without_grants_but_where_it_creates_or_enters() {
    for client in clients() {
        let bare = config::preset(&client.preset).unwrap();
        let needs: BTreeSet<&str> = client
            .calls
            .iter()
            .filter(|call| call.refused.is_none())
            .map(|call| judged(&bare, &call.method, &call.target, call.body.as_ref()))
            .filter(|explained| explained.word != Word::Allow && reason(explained) != "not-allowed")
            .map(|explained| name(&explained))
            .collect();
        assert_eq!(needs.is_empty(), client.grants.is_empty(), "{}: {needs:?}", client.preset);
    }
}

#[test]
fn no_preset_allows_an_operation_that_its_client_has_no_use_for() {
    let recorded = recorded();
    for client in clients() {
        let policy = granted(&client);
        let documented = client.calls.iter().map(|call| judged(&policy, &call.method, &call.target, call.body.as_ref()));
        let own = recorded.iter().filter(|call| client.recorded.contains(&call.client));
        let seen = own.map(|call| judged(&policy, &call.method, &call.target, call.body.as_ref()));
        let mut used: BTreeSet<&str> =
            documented.chain(seen).filter(|explained| explained.word == Word::Allow).map(|explained| name(&explained)).collect();
        used.extend(client_runs::used(&client.preset).intersection(&open(&policy)));
        assert_eq!(open(&policy), used, "{}", client.preset);
    }
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_slice(&std::fs::read(data("recorded_calls.json")).unwrap()).unwrap()
}

#[test]
fn recorded_work_is_denied_only_for_grants_that_are_the_users() {
    let (clients, recorded) = (clients(), recorded());
    let names: BTreeSet<&str> = clients.iter().flat_map(|client| &client.recorded).map(String::as_str).collect();
    assert!(names.iter().all(|name| recorded.iter().any(|call| call.client == *name)), "{names:?}");
    let policies: Vec<(&Client, Arc<Policy>)> = clients.iter().map(|client| (client, granted(client))).collect();
    let mut refused: BTreeMap<(String, &str), BTreeSet<&str>> = BTreeMap::new();
    let (mut calls, mut allowed) = (0, 0);
    for call in recorded.iter().filter(|call| names.contains(call.client.as_str())) {
        // a client with several presets is the union of them; the first that knows the operation judges it
        let own: Vec<(&Client, &Policy)> = policies
            .iter()
            .filter(|(client, _)| client.recorded.contains(&call.client))
            .map(|(client, policy)| (*client, policy.as_ref()))
            .collect();
        let explained: Vec<(&Client, Explanation)> =
            own.iter().map(|(client, policy)| (*client, judged(policy, &call.method, &call.target, call.body.as_ref()))).collect();
        calls += 1;
        if explained.iter().any(|(_, explained)| explained.word == Word::Allow) {
            allowed += 1;
            continue;
        }
        let (client, first) = explained.iter().find(|(_, explained)| reason(explained) != "not-allowed").unwrap_or(&explained[0]);
        let presets: Vec<&str> = own.iter().map(|(client, _)| client.preset.as_str()).collect();
        let who = if reason(first) == "not-allowed" { presets.join(", ") } else { client.preset.clone() };
        refused.entry((who, reason(first))).or_default().insert(name(first));
    }
    report(&format!(
        "presets: {} recordings / {calls} calls / {allowed} allowed / {} of no preset or not granted",
        names.len(),
        calls - allowed
    ));
    let rows: Vec<(&str, &str, Vec<&str>)> =
        refused.iter().map(|((who, code), names)| (who.as_str(), *code, names.iter().copied().collect())).collect();
    let listed: Vec<(&str, &str, Vec<&str>)> = REFUSED.iter().map(|(who, code, names)| (*who, *code, names.to_vec())).collect();
    assert_eq!(rows, listed);
    assert_eq!((calls, allowed), (RECORDED, RECORDED_ALLOWED));
}

#[test]
fn every_preset_says_what_its_client_loses() {
    let documented = clients();
    let presets = of_clients();
    assert_eq!((config::presets().len(), presets.len()), (PRESETS, CLIENTS));
    for preset in presets {
        let (header, policy) = (&preset.header, config::preset(preset.name).unwrap());
        let loses = ids(&header.loses);
        assert_eq!(loses.iter().copied().collect::<BTreeSet<_>>(), open(&policy), "{}", preset.name);
        assert_eq!(loses.len(), open(&policy).len(), "{}: an operation is named twice", preset.name);
        let left = ids(&header.left_out);
        assert!(left.iter().all(|id| TABLE.iter().any(|operation| operation.name() == *id) && !loses.contains(id)), "{}", preset.name);
        let client = documented.iter().find(|client| client.preset == preset.name).unwrap();
        assert!(header.source.is_some_and(|source| source.contains(&client.repository)), "{}", preset.name);
        let proven = header.proven.unwrap_or_default();
        assert_eq!(proven.contains("recorded calls of"), !client.recorded.is_empty(), "{}", preset.name);
        let ran = proven.starts_with("ran here (");
        assert!(ran || proven.starts_with("replayed from its documented calls"), "{}: {proven}", preset.name);
        assert_eq!(ran, !header.runs.is_empty(), "{}", preset.name);
        let mut lines = preset.text.lines().filter(|line| !line.starts_with("# proven: "));
        assert!(lines.all(|line| line.chars().count() <= 140), "{}", preset.name);
    }
}

/// What `dockgate check` says; panics where that is an error.
fn checked(file: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(["check", file]).current_dir(root()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{file}: {said}");
    said
}

#[test]
fn every_preset_is_a_file_without_errors() {
    let mut files: Vec<String> = std::fs::read_dir(root().join("config/presets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".toml").to_owned())
        .collect();
    files.sort();
    let mut names: Vec<&str> = config::presets().iter().map(|preset| preset.name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
    for name in names {
        checked(&format!("config/presets/{name}.toml"));
    }
}

#[test]
fn the_page_of_presets_says_what_the_presets_say() {
    let file = root().join("docs/presets.md");
    let page = format!("{}\n", dockgate::cli::presets_page::page().trim_end());
    if bless() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/presets.md is stale: `dockgate docs presets` prints it, and BLESS=1 writes it");
}

/// The example of a preset.
fn example(name: &str) -> PathBuf {
    root().join("config/examples").join(name).join("compose.yml")
}

#[test]
fn every_client_has_an_example_that_gives_it_the_socket_of_its_own_door_alone() {
    for preset in of_clients() {
        let text = std::fs::read_to_string(example(preset.name)).unwrap_or_else(|_| panic!("{} has no example", preset.name));
        assert!(text.contains(&format!("\"{}\"", preset.name)), "{}", preset.name);
        assert_eq!(text.matches("source: /var/run/docker.sock").count(), 1, "{}: dockgate alone has the engine's socket", preset.name);
        assert!(!text.contains("/var/run/docker.sock:"), "{}", preset.name);
        let own = example(preset.name).with_file_name("dockgate.toml");
        assert_eq!(text.contains("/etc/dockgate/dockgate.toml"), own.exists(), "{}", preset.name);
        if own.exists() {
            let said = checked(&format!("config/examples/{}/dockgate.toml", preset.name));
            assert!(!said.contains("as-good-as-root"), "{}: {said}", preset.name);
        }
    }
}

/// How compose is called here, if it is there at all.
fn compose() -> Option<Vec<&'static str>> {
    let ways: [&[&str]; 2] = [&["docker-compose"], &["docker", "compose"]];
    let works = |way: &&[&str]| Command::new(way[0]).args(&way[1..]).arg("version").output().is_ok_and(|output| output.status.success());
    ways.into_iter().find(works).map(<[&str]>::to_vec)
}

#[test]
fn compose_accepts_every_example() {
    let Some(way) = compose() else {
        return report("SKIPPED: neither docker-compose nor docker compose is here, so no example was read by it");
    };
    let mut read = 0;
    for preset in of_clients() {
        let file = example(preset.name);
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let output = Command::new(way[0])
            .args(&way[1..])
            .args(["-f", "compose.yml", "config", "-q"])
            .current_dir(folder)
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", preset.name, String::from_utf8_lossy(&output.stderr));
        read += 1;
    }
    report(&format!("presets: {read} examples read by {}", way.join(" ")));
}
