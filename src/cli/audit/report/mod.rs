//! `dockgate audit report`: one HTML page that needs nothing but a browser.
//! Knows nothing of how numbers are counted.

mod chart;
mod data;
mod html;
mod lists;
mod page;
#[cfg(test)]
mod tests;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::audit::verify::Level;

use super::super::Outcome;
use super::super::say::{self, Failure};
use super::filter::Filter;
use super::lines;
use super::verify;
use data::Data;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trails; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Where the page goes; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: String,
    /// The heading
    #[arg(long, value_name = "TEXT", default_value = "Docker API audit report")]
    title: String,
    #[command(flatten)]
    filter: Filter,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit report /var/log/dockgate/audit.jsonl
  dockgate audit report audit.jsonl --since 7d -o week.html
  dockgate audit report audit.jsonl --door traefik -o - > traefik.html

The page holds everything it needs: it can be mailed, kept and opened without a network.
Exit codes: 0 fine, 1 lines that are no records, 2 unreadable, or the page cannot be written.";

/// Whether the trail is whole, as the verifier found it.
#[derive(Debug, Clone)]
pub struct IntegritySummary {
    /// What it comes to.
    pub state: Integrity,
    /// One sentence.
    pub headline: String,
    /// Names and numbers: files, records, checkpoints.
    pub facts: Vec<(String, String)>,
    /// What is wrong or doubtful, the worst first.
    pub findings: Vec<String>,
}

/// The three ways in which a verification ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Integrity {
    /// Nothing was changed.
    Whole,
    /// Nothing was changed as far as can be seen, but something is missing.
    Incomplete,
    /// Something was changed or removed.
    Tampered,
}

/// The verifier's findings about the trails that are reported; `None` for standard input, which is no whole trail.
fn integrity(files: &[String]) -> Option<IntegritySummary> {
    let paths = files.iter().map(|file| (file != "-").then(|| PathBuf::from(file))).collect::<Option<Vec<_>>>()?;
    let trails = verify::found(paths).ok()?;
    let worst = trails.iter().max_by_key(|trail| state(trail.report.worst()))?;
    let findings = trails.iter().flat_map(|trail| &trail.report.findings);
    Some(IntegritySummary {
        state: state(worst.report.worst()),
        headline: worst.headline(),
        facts: trails.iter().flat_map(verify::Verified::facts).collect(),
        findings: findings.map(|finding| format!("{} ({})", finding.message, finding.at)).collect(),
    })
}

fn state(worst: Option<Level>) -> Integrity {
    match worst {
        Some(Level::Tampered) => Integrity::Tampered,
        Some(Level::Incomplete) => Integrity::Incomplete,
        Some(Level::Note) | None => Integrity::Whole,
    }
}

/// True where nothing is there, or an older page: a slip of the hand must not cost a trail.
fn may_be_replaced(path: &Path) -> std::io::Result<bool> {
    let mut begin = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(page::BEGIN.len() as u64).read_to_end(&mut begin)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(begin.is_empty() || begin == page::BEGIN.as_bytes())
}

/// Writes the page.
pub fn run(args: &Args) -> Outcome {
    let mut data = Data::default();
    let skipped = lines::calls(&args.files, &args.filter, |call| {
        data.add(&call);
        true
    })?;
    let about = page::About {
        title: args.title.clone(),
        files: args.files.clone(),
        filtered: args.filter.is_set(),
        made: Timestamp::now(),
        integrity: integrity(&args.files),
    };
    let page = page::page(&data, &about);
    if args.output == "-" {
        let _reader_gone = std::io::stdout().write_all(page.as_bytes());
        return Ok(skipped.code());
    }
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot write `{}`: {error}", args.output));
    if !may_be_replaced(args.output.as_ref()).map_err(cannot)? {
        return Err(
            Failure::usage(format!("`{}` is there already, and it is no HTML page", args.output)).hint("choose another name with -o")
        );
    }
    std::fs::write(&args.output, page).map_err(cannot)?;
    let plural = if data.tally.calls == 1 { "" } else { "s" };
    say::out(format_args!("{}: {} call{plural}", args.output, data.tally.calls));
    Ok(skipped.code())
}
