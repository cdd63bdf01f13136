//! `dockgate audit`: what readers of trails need.
//! Knows nothing of how each command does its work.

mod bars;
mod convert;
mod filter;
mod hash;
mod join;
mod line;
mod lines;
mod record;
mod report;
mod series;
mod show;
mod stats;
mod tail;
mod tally;
mod when;

pub use convert::page as formats_md;
pub use line::visible;
pub use lines::find;
pub use record::{Call, Step, plain, short};
pub use when::duration as shown_duration;

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  dockgate audit show /var/log/dockgate/audit.jsonl --since 2h --verdict deny
  dockgate audit tail /var/log/dockgate/audit.jsonl
  dockgate audit stats audit.jsonl
  dockgate audit report audit.jsonl -o report.html
  dockgate audit convert audit.jsonl --to ocsf

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
        Command::Show(args) => show::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Report(args) => report::run(args),
        Command::Hash(args) => hash::run(args),
    }
}
