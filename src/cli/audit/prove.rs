//! `dockgate audit prove`: one call, shown to somebody who has only the key.
//! Knows nothing of trees and signatures.

use std::path::PathBuf;

use crate::audit::proof::{Proof, Unproven};
use crate::cli::Outcome;
use crate::cli::load;
use crate::cli::say::{self, Failure, Paint};

/// The trail where none is named.
const TRAIL: &str = "/var/log/dockgate/audit.jsonl";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The id: `Dockgate-Ref`, or the `ref` of a refusal
    #[arg(value_name = "ID", required_unless_present = "check")]
    id: Option<String>,
    /// The trail's current file, or a folder [default: /var/log/dockgate/audit.jsonl]
    #[arg(value_name = "FILE|FOLDER")]
    path: Option<PathBuf>,
    /// Check a proof instead of making one; needs --key
    #[arg(long, value_name = "DOCUMENT", requires = "key", conflicts_with_all = ["id", "path"])]
    check: Option<String>,
    /// The public key [default: NAME.pub beside the trail]
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit prove 01J9Z3AB7V5N6Q9G4M6WQZ0T3A /var/log/dockgate/audit.jsonl > proof.json
  dockgate audit prove --check proof.json --key audit.pub

Exit codes: 0 proven, 1 not proven, 2 wrong usage or unreadable files.";

/// Makes or checks a proof.
pub fn run(args: &Args) -> Outcome {
    match (&args.check, &args.id) {
        (Some(document), _) => check(document, args),
        (None, Some(id)) => make(id, args),
        (None, None) => Err(Failure::usage("name the id of a record")),
    }
}

fn make(id: &str, args: &Args) -> Outcome {
    let mut last = Failure::refused(format!("there is no record with the id `{id}`"));
    for files in super::trails(&[args.path.clone().unwrap_or_else(|| TRAIL.into())])? {
        let beside = files.beside("pub");
        let key = super::key(args.key.as_deref().unwrap_or(&beside))?;
        match Proof::make(&files, id, &super::own_notes(&files)?, &key) {
            Ok(proof) => {
                let document =
                    serde_json::to_string_pretty(&proof).map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))?;
                say::out(document);
                return Ok(0);
            }
            // another trail of the folder may have it
            Err(Unproven::Unknown(_)) => {}
            Err(error) => last = failure(error),
        }
    }
    Err(last)
}

fn check(document: &str, args: &Args) -> Outcome {
    let key = args.key.as_deref().ok_or_else(|| Failure::usage("a proof is checked with --key"))?;
    let key = super::key(key)?;
    let proof: Proof =
        serde_json::from_str(&load::text(document)?).map_err(|error| Failure::usage(format!("`{document}` is no proof: {error}")))?;
    let proven = proof.check(&key).map_err(failure)?;
    let paint = Paint::stdout();
    for ((entry, note), record) in proven.iter().zip(&proof.records) {
        let signed = &note.checkpoint;
        let call = [entry.method.as_deref(), entry.path.as_deref(), entry.verdict.as_deref()].into_iter().flatten();
        let call = call.collect::<Vec<_>>().join(" ");
        say::out(format_args!("record {} ({} of {}) {call}", entry.sequence, entry.stage, entry.time));
        let over = format!("under a checkpoint of {} lines, to record {}", signed.size, signed.sequence);
        say::out(format_args!("  line {} of file {} of the trail {}, {over}", record.index + 1, signed.file, signed.log));
    }
    say::out(format_args!("{} {} proven with the key {}", paint.green("OK:"), load::count(proven.len(), "record"), key.id()));
    Ok(0)
}

fn failure(error: Unproven) -> Failure {
    match error {
        Unproven::Read(error) => error.into(),
        Unproven::Version(_) => Failure::usage(error.to_string()),
        Unproven::Unsigned { .. } => Failure::refused(error.to_string())
            .hint("checkpoints are written every `checkpoint-interval` and `checkpoint-records`: try again"),
        Unproven::Unknown(_) | Unproven::Tampered { .. } | Unproven::Wrong { .. } => Failure::refused(error.to_string()),
    }
}
