//! `dockgate audit convert`: trails in the formats of other tools, one event for each call.
//! Knows nothing of the fields: they stand in a table.

mod cef;
mod ecs;
mod fields;
mod ocsf;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};

use crate::docker::Method;
use crate::docker::operations::Kind;

use super::super::Outcome;
use super::filter::Filter;
use super::lines;
use super::record::Call;

/// The version of dockgate that converts.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trails; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// The format
    #[arg(long, value_name = "FORMAT", value_enum)]
    to: Format,
    #[command(flatten)]
    filter: Filter,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// OCSF 1.6.0, API Activity (6003), JSON lines
    Ocsf,
    /// Elastic Common Schema 8.11, JSON lines
    Ecs,
    /// ArcSight's Common Event Format, version 0
    Cef,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit convert audit.jsonl --to ocsf > events.jsonl
  dockgate audit convert audit.jsonl --to ecs --since 1d
  dockgate audit convert audit.jsonl --to cef --verdict deny

Intent and outcome of a call become one event. docs/audit-formats.md says which field goes where.
Exit codes: 0 fine, 1 lines that are no records, 2 unreadable.";

/// Converts to standard output.
pub fn run(args: &Args) -> Outcome {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let skipped = lines::calls(&args.files, &args.filter, |call| writeln!(out, "{}", convert(&call, args.to)).is_ok())?;
    let _reader_gone = out.flush();
    Ok(skipped.code())
}

fn convert(call: &Call, to: Format) -> String {
    match to {
        Format::Ocsf => ocsf::event(call).to_string(),
        Format::Ecs => ecs::document(call).to_string(),
        Format::Cef => cef::line(call),
    }
}

/// What an operation does, in the words that all formats share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Create,
    Read,
    Change,
    Delete,
    /// It opens a tunnel.
    Run,
    /// The path names no operation.
    Unknown,
}

fn effect(call: &Call) -> Effect {
    let Some(operation) = call.known_operation() else { return Effect::Unknown };
    let (row, name) = (operation.row(), operation.name());
    match row.kind {
        Kind::Read | Kind::SensitiveRead | Kind::Stream => Effect::Read,
        Kind::Tunnel => Effect::Run,
        Kind::Change if row.method == Method::Delete || name.ends_with("Prune") => Effect::Delete,
        Kind::Change if ["Create", "Load", "Build", "Commit", "Pull", "Init"].iter().any(|end| name.ends_with(end)) => Effect::Create,
        Kind::Change => Effect::Change,
    }
}

/// Whether it worked; `None` where that is not known.
fn outcome(call: &Call) -> Option<bool> {
    match (call.verdict(), call.status()) {
        ("deny" | "refuse", _) => Some(false),
        (_, Some(status)) => Some(status < 400),
        (_, None) => None,
    }
}

const INTRODUCTION: &str = "\
# The trail in other formats

`dockgate audit convert --to ocsf|ecs|cef FILE…` writes one event for each call: intent and outcome are joined, an intent without
an outcome becomes an event whose outcome is unknown, and a folded denial stays one event with its count. This page is made from
the table of the converter, and a test fails when it is stale.

- **OCSF** 1.6.0, JSON lines: API Activity (`class_uid` 6003) with the profiles `host` and `security_control`; the trail's own events
  are Application Lifecycle (6002). `activity_id` is 1 create, 2 read, 3 update, 4 delete, 99 for tunnels, 0 where the path names no operation;
  `status_id`, `action_id` and `disposition_id` follow from verdict and status. Objects and images stand in `resources`; what OCSF has no place for stands in `unmapped`.
- **ECS** 8.11, JSON lines: `event.category` is `api`, `event.type` what the operation does and `allowed` or `denied`; what ECS has no place for stands below `dockgate`.
- **CEF** version 0, one line each: the signature id is the reason code, or the operation where there is none; severity is 1 for reads,
  3 for changes, 5 for refused and would-be denials, 7 for denials. In the header `|` and `\\` are escaped, in the extension `=`, `\\` and line ends.
  An address of version 6 stands in `c6a2` instead of `src`.

";

/// `docs/audit-formats.md`.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| record | OCSF | ECS | CEF |\n|---|---|---|---|\n");
    for field in fields::FIELDS {
        let label = fields::CEF_LABELS.iter().find(|(key, _)| *key == field.cef).map(|(_, label)| format!(" ({label})"));
        let [ocsf, ecs, cef] = [field.ocsf, field.ecs, field.cef].map(code);
        let _ = writeln!(page, "| {} | {ocsf} | {ecs} | {cef}{} |", field.member, label.unwrap_or_default());
    }
    page
}

fn code(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`") }
}
