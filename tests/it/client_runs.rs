//! What real clients asked for when they did their work behind dockgate: `corpus/client_runs.json`, which
//! `tests/clients/run.py --record` writes. Every request is allowed by the preset that the client ran under.
//! Knows nothing of how a verdict comes about, nor of how a run is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use dockgate::cli::explain::Word;
use dockgate::config;
use dockgate::policy::Policy;
use serde::Deserialize;
use serde_json::Value;

use crate::presets::{judged, name, named, open, reason};
use crate::support::{data, report};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    #[serde(rename = "name")]
    _name: String,
    client: String,
    version: String,
    presets: Vec<String>,
    /// What its user grants, as lines of `[policy.NAME.create]`.
    grants: String,
    /// What the user allows beyond the preset, which leaves it out.
    #[serde(default)]
    allowed: Vec<String>,
    /// What the preset leaves out, and was denied.
    #[serde(default)]
    left_out: Vec<String>,
    engine: String,
    job: String,
    requests: usize,
    denied: usize,
    used: usize,
    held: usize,
    unused: usize,
    calls: Vec<Call>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    method: String,
    target: String,
    body: Option<Value>,
    times: usize,
}

fn runs() -> Vec<Run> {
    serde_json::from_slice(&std::fs::read(data("client_runs.json")).unwrap()).unwrap()
}

/// The presets with what the run's user granted and allowed.
fn policy(run: &Run) -> Arc<Policy> {
    let head = format!("version = 1\n[policy.run]\nextends = {:?}\nallow = {:?}\n", run.presets, run.allowed);
    let loaded = config::load("run", &format!("{head}[policy.run.create]\n{}\n", run.grants));
    let config = loaded.config.unwrap_or_else(|| panic!("{}: {:?}", run.client, loaded.diagnostics));
    Arc::clone(&config.policies["run"])
}

/// The operations that were used in some runs through this preset.
pub fn used(preset: &str) -> BTreeSet<&'static str> {
    let runs = runs().into_iter().filter(|run| run.presets.iter().any(|name| name == preset));
    runs.flat_map(|run| operations(&run)).collect()
}

fn operations(run: &Run) -> BTreeSet<&'static str> {
    let policy = policy(run);
    let explained = run.calls.iter().map(|call| judged(&policy, &call.method, &call.target, call.body.as_ref()));
    explained.filter(|explained| explained.word == Word::Allow).map(|explained| name(&explained)).collect()
}

#[test]
fn every_request_of_every_run_is_allowed_again() {
    let (runs, mut wrong, mut calls) = (runs(), Vec::new(), 0);
    for run in &runs {
        let policy = policy(run);
        for call in &run.calls {
            let explained = judged(&policy, &call.method, &call.target, call.body.as_ref());
            let left_out = run.left_out.iter().any(|operation| operation == name(&explained)) && reason(&explained) == "not-allowed";
            calls += call.times;
            if explained.word != Word::Allow && !left_out {
                wrong.push(format!("{} {}: {} {}: {}", run.client, run.version, call.method, call.target, reason(&explained)));
            }
        }
        assert!(operations(run).len() <= run.used, "{}: a request was not answered in its run", run.client);
    }
    report(&format!(
        "client runs: {} runs / {calls} requests / {} distinct",
        runs.len(),
        runs.iter().map(|run| run.calls.len()).sum::<usize>()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_run_was_denied_anything_or_holds_what_nobody_needs() {
    for run in runs() {
        assert_eq!((run.denied, run.unused), (0, 0), "{} {}", run.client, run.version);
        let held: BTreeSet<&str> = open(&policy(&run));
        assert_eq!(held.len(), run.held, "{} {}: the preset has changed: run it again", run.client, run.version);
    }
}

#[test]
fn the_presets_tell_of_the_runs_as_they_were() {
    let runs = runs();
    for preset in config::presets() {
        let own: Vec<String> = runs.iter().filter(|run| run.presets.iter().any(|name| name == preset.name)).map(line).collect();
        assert_eq!(named(preset.name).header.runs, own, "{}", preset.name);
    }
}

/// As `tests/clients/facts.py` writes it into the header.
fn line(run: &Run) -> String {
    let Run { client, version, engine, requests, denied, used, held, job, .. } = run;
    format!("{client} {version} | {engine} | {requests} | {denied} | {used} of {held} | {job}")
}
