//! `dockgate audit`: what readers of trails need.
//! Knows nothing of how each command does its work.

mod bars;
mod convert;
mod filter;
mod hash;
mod join;
mod line;
mod lines;
mod prove;
mod record;
mod report;
mod series;
mod show;
mod stats;
mod tail;
mod tally;
mod verify;
mod when;

pub use convert::page as formats_md;
pub use filter::Filter;
pub use line::visible;
pub use lines::{calls, find};
pub use record::{Call, Step, plain, short};
pub use when::{duration as shown_duration, parse as moment_ago};

use std::path::{Path, PathBuf};

use crate::audit::checkpoint::PublicKey;
use crate::audit::read::{self, Files, ReadError};
use crate::audit::verify::Notes;

use super::Outcome;
use super::say::Failure;

const EXAMPLES: &str = "\
Examples:
  dockgate audit show /var/log/dockgate/audit.jsonl --since 2h --verdict deny
  dockgate audit tail /var/log/dockgate/audit.jsonl
  dockgate audit stats audit.jsonl
  dockgate audit report audit.jsonl -o report.html
  dockgate audit convert audit.jsonl --to ocsf
  dockgate audit verify /var/log/dockgate --key audit.pub
  dockgate audit prove 01J9Z3AB7V5N6Q9G4M6WQZ0T3A audit.jsonl > proof.json

A trail is named by its current file, which stands for its rotated files too, by a rotated file alone, or by its folder.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Find out whether a trail was changed, and which calls have no end
    Verify(verify::Args),
    /// Prove one record to somebody without the trail, or check such a proof
    Prove(prove::Args),
    /// Show calls, one line each
    Show(show::Args),
    /// Show the last calls of a trail and follow it
    Tail(tail::Args),
    /// Count calls, with tables and small charts
    Stats(stats::Args),
    /// Write events for other tools: OCSF, ECS or CEF
    Convert(convert::Args),
    /// Write one HTML page with charts and tables
    Report(report::Args),
    /// Show a value as it stands in records
    Hash(hash::Args),
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Verify(args) => verify::run(args),
        Command::Prove(args) => prove::run(args),
        Command::Show(args) => show::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Report(args) => report::run(args),
        Command::Hash(args) => hash::run(args),
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            ReadError::Empty(_) => failure.hint("a trail is `NAME.jsonl` with its rotated files `NAME.000001.jsonl`…"),
            ReadError::Io { .. } | ReadError::Line { .. } => failure,
        }
    }
}

/// The trails that files and folders name.
fn trails(paths: &[PathBuf]) -> Result<Vec<Files>, Failure> {
    Ok(read::find(paths)?)
}

/// A public key from its file.
fn key(path: &Path) -> Result<PublicKey, Failure> {
    let text = super::load::text(&path.to_string_lossy())?;
    text.parse().map_err(|error| Failure::usage(format!("`{}` is no key of a trail: {error}", path.display())))
}

/// The checkpoints of a file.
fn notes(path: &Path, is_copy: bool) -> Result<Notes, Failure> {
    let cannot = |error| Failure::usage(format!("cannot read `{}`: {error}", path.display()));
    // what is not UTF-8 cannot be a checkpoint, and is told as such
    let bytes = std::fs::read(path).map_err(cannot)?;
    Ok(Notes::parse(path, &String::from_utf8_lossy(&bytes), is_copy))
}

/// The checkpoints beside a trail, if there are any.
fn own_notes(files: &Files) -> Result<Notes, Failure> {
    let path = files.beside("checkpoints");
    if path.exists() { notes(&path, false) } else { Ok(Notes::default()) }
}

/// A moment as people write it: RFC 3339, or a day, which begins at midnight UTC.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let day = || format!("{text}T00:00:00Z").parse();
    text.parse().or_else(|_| day()).map_err(|_| "a time is `2026-11-20` or `2026-11-20T08:00:00Z`".to_owned())
}
