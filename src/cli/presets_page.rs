//! `dockgate docs presets`: the presets with what they say of themselves.
//! Knows nothing beyond their texts and rules.

use std::fmt::Write as _;

use crate::config::{self, Part, Preset};
use crate::docker::Operation;
use crate::docker::operations::{Kind, TABLE};

const INTRODUCTION: &str = "\
# Presets

Policies that are built in, each exact: a preset for a client allows what that client's work needs, and nothing else. A test
replays every request that the client is known to make against its preset, and fails when one is denied, or when the preset holds
an operation that none of them uses. This page is generated (`dockgate docs presets`), and a test fails when it is stale.

A door or `--policy` names a preset, and a policy starts from one or more: `extends = [\"traefik\"]`. `dockgate preset show NAME`
prints it. Where a preset lets containers be created, its level is `baseline`: binds, volumes, networks, ports and capabilities
are yours to grant in the policy that extends it.

- **client**: what it was made for. Other versions may ask for more: `mode = \"observe\"` and the trail show it.
- **proven**: *ran here*: the client did its work through the preset in front of a real engine (see [below](#client-runs)). *replayed from recorded calls*:
  requests that the client made to a real engine were judged under it. *replayed from its documented calls*: requests that its
  source or its documentation shows were.
- **left out**: what the client can also ask for, and why it is not in the preset. An `allow` in your policy adds it.

## For any client

| preset | operations | what |
|---|---|---|
";

/// `docs/presets.md`.
pub fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    let (clients, general): (Vec<&Preset>, Vec<&Preset>) = config::presets().iter().partition(|preset| preset.header.client.is_some());
    for preset in general {
        let _ = writeln!(out, "| `{}` | {} | {} |", preset.name, open(preset).len(), preset.summary);
    }
    out.push_str("\n## For one client\n\n| preset | operations | changes | client | proven |\n|---|---|---|---|---|\n");
    for preset in &clients {
        let operations = open(preset);
        let changes = operations.iter().filter(|operation| changes(**operation)).count();
        let (name, total) = (preset.name, operations.len());
        let (client, proven) = (preset.header.client.unwrap_or_default(), preset.header.proven.unwrap_or_default());
        let _ = writeln!(out, "| [`{name}`](#{name}) | {total} | {changes} | {client} | {proven} |");
    }
    runs(&clients, &mut out);
    clients.iter().for_each(|preset| section(preset, &mut out));
    out
}

const RUNS: &str = "
## Client runs

`tests/clients/run.py` installs each client, starts an engine and dockgate with the preset, has the client do its job, and prints
such a table; `--record` keeps the requests, which a test replays. Each request of the client's work was allowed. Operations that a
run had no use for are those that the client asks for in other work, as its source, its documentation or a recording shows.

| preset | client | engine | requests | denied | operations used | job |
|---|---|---|---|---|---|---|
";

fn runs(clients: &[&Preset], out: &mut String) {
    out.push_str(RUNS);
    for preset in clients {
        for run in &preset.header.runs {
            let _ = writeln!(out, "| [`{0}`](#{0}) | {run} |", preset.name);
        }
    }
}

/// The operations that some rule of it allows.
fn open(preset: &Preset) -> Vec<Operation> {
    let policy = config::preset(preset.name);
    TABLE.iter().copied().filter(|operation| policy.as_ref().is_some_and(|policy| policy.rules.may_allow(*operation))).collect()
}

fn changes(operation: Operation) -> bool {
    matches!(operation.row().kind, Kind::Change | Kind::Tunnel)
}

fn section(preset: &Preset, out: &mut String) {
    let (name, header) = (preset.name, &preset.header);
    let _ = write!(out, "\n### {name}\n\n{}.\n\n", capital(preset.summary));
    let (client, source, proven) =
        (header.client.unwrap_or_default(), header.source.unwrap_or_default(), header.proven.unwrap_or_default());
    let _ = write!(out, "- made for: {client}, read at {source}\n- proven: {proven}\n");
    let _ = writeln!(out, "- example: [compose.yml](../config/examples/{name}/compose.yml)");
    for rule in narrowed(preset.text) {
        let _ = writeln!(out, "- narrowed: `{rule}`");
    }
    for note in &header.notes {
        let _ = writeln!(out, "- {note}");
    }
    let _ = write!(out, "\n| operations | what it loses when they are refused |\n|---|---|\n");
    header.loses.iter().for_each(|part| row(part, out));
    if !header.left_out.is_empty() {
        let _ = write!(out, "\n| left out | what it would be for |\n|---|---|\n");
        header.left_out.iter().for_each(|part| row(part, out));
    }
}

fn row(part: &Part, out: &mut String) {
    let ids: Vec<String> = part.operations.iter().map(|id| format!("`{id}`")).collect();
    let _ = writeln!(out, "| {} | {} |", ids.join(" "), part.what.replace('|', "\\|"));
}

/// The rules with conditions, as written.
fn narrowed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.starts_with("{ operation")).map(|line| line.trim_end_matches(','))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
