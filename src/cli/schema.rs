//! `dockgate schema`: the JSON Schemas of what dockgate writes and reads.
//! Knows nothing of records and keys: the schemas are files, and tests hold them against both.

use super::{Outcome, say};

/// The schema of the trail.
const AUDIT: &str = include_str!("../../docs/audit.schema.json");

/// The schema of the configuration.
const CONFIG: &str = include_str!("../../docs/config.schema.json");

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
    /// The configuration, for editors that complete TOML
    Config,
}

/// Prints a schema.
pub fn run(args: &Args) -> Outcome {
    match args.subject {
        Subject::Audit => say::out(AUDIT.trim_end()),
        Subject::Config => say::out(CONFIG.trim_end()),
    }
    Ok(0)
}
