//! `dockgate docs`: reference pages that are made from the tables.
//! Knows nothing beyond the tables.

use std::fmt::Write as _;

use crate::docker::operations::{Arity, BodyPlan, Group, Key, Kind, Row, TABLE};
use crate::docker::{ApiVersion, Class};

use super::explain::kebab;
use super::{Outcome, say};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    page: Page,
}

#[derive(Debug, clap::Subcommand)]
enum Page {
    /// Every operation of the Engine API (docs/endpoints.md)
    Endpoints,
}

/// Prints a page.
pub fn run(args: &Args) -> Outcome {
    match args.page {
        Page::Endpoints => say::out(endpoints_md().trim_end()),
    }
    Ok(0)
}

const INTRODUCTION: &str = "\
# Operations

Every operation of the Engine API that dockgate knows, from its table. Anything else is refused. This page is generated
(`dockgate docs endpoints`), and a test fails when it is stale.

A rule names an operation by its id, by a group, or by `METHOD /path/{template}`; the version prefix is left out.

- **kind**: `read`; `sensitive read` (may show secrets or file contents, or makes the engine call out); `stream` (a read without
  end); `tunnel` (the connection becomes raw); `change`. Changes, streams and tunnels have a record before their first byte goes upstream.
- **body**: `none`; `JSON` of a known schema, judged field by field; `unread` (relayed as it is); `refused` (not understood, so never forwarded).
- **query**: a key alone cannot reach the host; `key (check)` is decided by that check; `key (refused)` must be empty below
  level `unrestricted`; `…` marks keys that may be repeated. Unknown keys are dropped on reads and refused on changes.
  *dropped* names keys that the engine does not read and known clients send.
- **API**: the versions that have it, where that is not all of";

/// `docs/endpoints.md`.
pub fn endpoints_md() -> String {
    let mut out = format!(
        "{INTRODUCTION} {} to {}.\n\n## Groups\n\n| group | what | operations |\n|---|---|---|\n",
        ApiVersion::OLDEST,
        ApiVersion::NEWEST
    );
    for group in Group::ALL {
        let members: Vec<String> =
            rows().filter(|row| row.groups.contains(group)).map(|row| format!("`{}`", row.operation.name())).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", group.name(), about(*group), members.join(" "));
    }
    let mut sections: Vec<&str> = Vec::new();
    for row in rows() {
        if !sections.contains(&section(row)) {
            sections.push(section(row));
        }
    }
    for name in sections {
        let _ = write!(
            out,
            "\n## /{name}\n\n| operation | request | kind | body | query | groups | API | what it can do |\n|---|---|---|---|---|---|---|---|\n"
        );
        rows().filter(|row| section(row) == name).for_each(|row| line(row, &mut out));
    }
    out
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().map(|operation| operation.row())
}

fn section(row: &Row) -> &'static str {
    row.path.split('/').nth(1).unwrap_or_default()
}

fn line(row: &Row, out: &mut String) {
    let groups: Vec<String> = row.groups.iter().map(|group| format!("`{}`", group.name())).collect();
    let cells = [
        format!("`{}`", row.operation.name()),
        format!("`{} {}`", row.method.as_str(), row.path),
        kind(row.kind).to_owned(),
        body(row.body).to_owned(),
        query(row),
        groups.join(" "),
        versions(row),
        row.risk.replace('|', "\\|"),
    ];
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "read",
        Kind::SensitiveRead => "sensitive read",
        Kind::Stream => "stream",
        Kind::Tunnel => "tunnel",
        Kind::Change => "change",
    }
}

fn body(plan: BodyPlan) -> &'static str {
    match plan {
        BodyPlan::None => "none",
        BodyPlan::Json(_) => "JSON",
        BodyPlan::OptionalJson(_) => "JSON or none",
        BodyPlan::Opaque => "unread",
        BodyPlan::OpaqueIf(..) => "none, or unread",
        BodyPlan::Tunnel | BodyPlan::NotUnderstood => "refused",
    }
}

fn query(row: &Row) -> String {
    let mut keys: Vec<String> = row.query.iter().map(key).collect();
    if !row.ignored.is_empty() {
        let names: Vec<String> = row.ignored.iter().map(|name| format!("`{name}`")).collect();
        keys.push(format!("*dropped:* {}", names.join(", ")));
    }
    keys.join(", ")
}

fn key(key: &Key) -> String {
    let many = if key.arity == Arity::Many { "…" } else { "" };
    let class = match key.class {
        Class::Inert | Class::Part => String::new(),
        Class::Gated(gate) => format!(" ({})", kebab(&format!("{gate:?}"))),
        Class::Refused => " (refused)".to_owned(),
    };
    format!("`{}`{many}{class}", key.name)
}

fn versions(row: &Row) -> String {
    let since = (row.since > ApiVersion::OLDEST).then(|| row.since.to_string());
    match (since, row.until) {
        (None, None) => String::new(),
        (Some(since), None) => format!("{since}+"),
        (None, Some(until)) => format!("to {until}"),
        (Some(since), Some(until)) => format!("{since} to {until}"),
    }
}

fn about(group: Group) -> &'static str {
    match group {
        Group::Ping => "is the engine there",
        Group::Read => "what dashboards read: lists, inspects, events, stats",
        Group::Logs => "logs of containers, services and tasks",
        Group::SwarmRead => "lists and inspects of swarm objects",
        Group::Content => "files, archives, layers, processes and registries",
        Group::Lifecycle => "starts, stops and removes containers",
        Group::Create => "creates and changes containers",
        Group::Exec => "runs commands in containers and attaches to them",
        Group::Images => "pulls, tags, loads, pushes and removes images",
        Group::Build => "builds images",
        Group::Networks => "creates, joins and removes networks",
        Group::Volumes => "creates and removes volumes",
        Group::Swarm => "changes the swarm, its nodes and services",
        Group::Secrets => "secrets and configs of the swarm",
        Group::Plugins => "installs and changes plugins",
        Group::System => "disk usage, registry logins, debug pages",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_row() {
        let page = endpoints_md();
        for operation in TABLE {
            assert_eq!(page.matches(&format!("\n| `{}` |", operation.name())).count(), 1, "{}", operation.name());
        }
    }
}
