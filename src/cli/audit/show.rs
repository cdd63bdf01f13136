//! `dockgate audit show`: the calls of trails, one line each.
//! Knows nothing of how a line looks.

use std::io::{BufWriter, Write};

use super::super::Outcome;
use super::super::say::Paint;
use super::filter::Filter;
use super::line::line;
use super::lines;
use super::record::Call;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trails, in the order in which they were written; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// How: a line for each call, or its records as they stand in the file
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    format: Format,
}

/// How calls are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit show /var/log/dockgate/audit*.jsonl
  dockgate audit show audit.jsonl --since 2h --verdict deny
  dockgate audit show audit.jsonl --operation '@exec' --container web
  docker logs dockgate 2>/dev/null | dockgate audit show -

Times are UTC. Intents and outcomes of a call are joined by its id; `no outcome` marks an intent that stands alone.
Whether the trail is whole says `dockgate audit verify`. Exit codes: 0 fine, 1 lines that are no records, 2 unreadable.";

/// Shows what is wanted.
pub fn run(args: &Args) -> Outcome {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let paint = Paint::stdout();
    let skipped = lines::calls(&args.files, &args.filter, |call| print(&mut out, &call, args.format, paint))?;
    let _reader_gone = out.flush();
    Ok(skipped.code())
}

/// False where the reader has gone.
pub fn print(out: &mut impl Write, call: &Call, format: Format, paint: Paint) -> bool {
    match format {
        Format::Text => writeln!(out, "{}", line(call, paint)).is_ok(),
        Format::Json => call.records.iter().all(|record| writeln!(out, "{}", record.raw).is_ok()),
    }
}
