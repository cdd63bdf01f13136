//! `dockgate schema`: the JSON Schemas of what dockgate writes.
//! Knows nothing of records: the schema is a file, and tests hold every record against it.

use super::{Outcome, say};

/// The schema of the trail.
const AUDIT: &str = include_str!("../../docs/audit.schema.json");

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_enum)]
    subject: Subject,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// A line of the audit trail
    Audit,
}

/// Prints a schema.
pub fn run(args: &Args) -> Outcome {
    match args.subject {
        Subject::Audit => say::out(AUDIT.trim_end()),
    }
    Ok(0)
}
