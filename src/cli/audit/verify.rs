//! `dockgate audit verify`: whether a trail is what was written, in words or JSON.
//! Knows nothing of how that is found out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::checkpoint::PublicKey;
use crate::audit::read::Files;
use crate::audit::verify::{self as check, Asked, Finding, Level, OpenIntent, Report, Seals};
use crate::cli::Outcome;
use crate::cli::load::count;
use crate::cli::say::{self, Failure, Paint};

/// The exit code of a trail that is whole, but in which something is not finished.
const INCOMPLETE: u8 = 3;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The trail's current file (its rotated ones belong to it), or folders of trails
    #[arg(value_name = "FILE|FOLDER", required = true)]
    paths: Vec<PathBuf>,
    /// The public key, from a place that whoever can write the trail cannot write [default: NAME.pub beside the trail]
    #[arg(long, value_name = "PUB")]
    key: Vec<PathBuf>,
    /// A copy of the checkpoints from another place: shows a trail that was cut or begun anew
    #[arg(long, value_name = "COPY")]
    checkpoints: Option<PathBuf>,
    /// Leave out files that ended before this time, and open intents before it
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    since: Option<jiff::Timestamp>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  dockgate audit verify /var/log/dockgate/audit.jsonl
  dockgate audit verify /var/log/dockgate --key audit.pub --checkpoints s3-copy/audit.checkpoints

Exit codes: 0 nothing was changed, 1 something was changed or removed,
2 wrong usage or unreadable files, 3 nothing was changed, but intents have no outcome,
the end is torn, or something could not be checked.";

/// Verifies every trail; the worst of them is the exit code.
pub fn run(args: &Args) -> Outcome {
    let keys = args.key.iter().map(|path| super::key(path)).collect::<Result<Vec<_>, _>>()?;
    let mut verified = Vec::new();
    for files in super::trails(&args.paths)? {
        verified.push(one(args, &keys, &files)?);
    }
    let worst = verified.iter().filter_map(|trail| trail.report.worst()).max();
    match args.format {
        Format::Text => verified.iter().for_each(|trail| say::out(trail.text(Paint::stdout()))),
        Format::Json => {
            let json = serde_json::to_string_pretty(&verified);
            say::out(json.map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))?);
        }
    }
    Ok(match worst {
        Some(Level::Tampered) => say::REFUSED,
        Some(Level::Incomplete) => INCOMPLETE,
        Some(Level::Note) | None => 0,
    })
}

/// What verifying these trails comes to, each with the key beside it.
///
/// # Errors
/// What cannot be read.
pub(super) fn found(paths: Vec<PathBuf>) -> Result<Vec<Verified>, Failure> {
    let args = Args { paths, key: Vec::new(), checkpoints: None, since: None, format: Format::Text };
    super::trails(&args.paths)?.iter().map(|files| one(&args, &[], files)).collect()
}

fn one(args: &Args, keys: &[PublicKey], files: &Files) -> Result<Verified, Failure> {
    let beside = files.beside("pub");
    let (key, key_from) = match keys {
        [] if beside.exists() => (Some(super::key(&beside)?), Some(beside)),
        [] => (None, None),
        keys => (of_trail(keys, files), None),
    };
    let copy = args.checkpoints.as_deref().map(|path| super::notes(path, true)).transpose()?;
    let report = check::verify(files, &Asked { key, own: super::own_notes(files)?, copy, since: args.since })?;
    let name = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let names = files.parts.iter().map(|part| name(&part.path)).collect();
    Ok(Verified { verdict: verdict(&report), trail: files.stem.clone(), names, key_from, report })
}

/// The key of the trail among those given; where none is, the first, so that the report says so.
fn of_trail(keys: &[PublicKey], files: &Files) -> Option<PublicKey> {
    let open = files.entries().next().and_then(Result::ok).map(|found| found.entry);
    let log = open.as_ref().and_then(|entry| entry.detail("log")).and_then(|log| log.as_str());
    keys.iter().find(|key| Some(key.log()) == log).or(keys.first()).cloned()
}

/// One trail and what verifying it came to.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    verdict: &'static str,
    trail: PathBuf,
    #[serde(rename = "file-names")]
    names: Vec<String>,
    /// Where the key was found, where nobody named one.
    #[serde(rename = "key-beside")]
    key_from: Option<PathBuf>,
    #[serde(flatten)]
    pub(super) report: Report,
}

fn verdict(report: &Report) -> &'static str {
    match report.worst() {
        Some(Level::Tampered) => "tampered",
        Some(Level::Incomplete) => "incomplete",
        Some(Level::Note) | None => "ok",
    }
}

impl Verified {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let _cannot_fail = self.write(&mut text, paint);
        text
    }

    fn write(&self, out: &mut String, paint: Paint) -> std::fmt::Result {
        let report = &self.report;
        let key = report.key.as_ref().map_or_else(|| "no key".to_owned(), |key| format!("key {key}"));
        let (log, from, to) = (text_of(report.log.as_ref()), text_of(report.from.as_ref()), text_of(report.to.as_ref()));
        writeln!(out, "{} {log} ({key}) from {from} to {to}", paint.bold("Verifying trail"))?;
        let files = &report.files;
        let names = match self.names.as_slice() {
            [] => String::new(),
            [only] => format!(" ({only})"),
            [first, .., last] => format!(" ({first} … {last})"),
        };
        writeln!(out, "  files        {}/{} linked{names}", files.read, files.read + files.missing)?;
        writeln!(out, "  records      {}/{} chained, {} to {}", report.chained, report.records, report.first, report.last)?;
        writeln!(out, "  checkpoints  {}", checkpoints(report))?;
        if let Some(copy) = &report.copy {
            writeln!(out, "  copy         {}", seals(copy, report.key.is_some()))?;
        }
        writeln!(out, "  intents      {} resolved, {} open", report.resolved, report.open.len())?;
        report.open.iter().try_for_each(|open| intent(out, open, paint))?;
        if let [first, ..] = report.unclean.as_slice() {
            writeln!(out, "  stops        {} without a `close`, the first before {first}", report.unclean.len())?;
        }
        report.findings.iter().try_for_each(|found| finding(out, found, paint))?;
        if report.more > 0 {
            writeln!(out, "… and {}", count(usize::try_from(report.more).unwrap_or(usize::MAX), "more finding"))?;
        }
        if let Some(path) = &self.key_from {
            let note = format!(
                "the key is the one beside the trail (`{}`): who can change the trail can change it too; keep a copy elsewhere and use --key",
                path.display()
            );
            writeln!(out, "{} {note}", paint.blue("note:"))?;
        }
        self.last_line(out, paint)
    }

    /// What it comes to, in one line.
    pub(super) fn headline(&self) -> String {
        let mut line = String::new();
        let _cannot_fail = self.last_line(&mut line, Paint::PLAIN);
        line
    }

    /// Names and numbers.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let report = &self.report;
        let fact = |name: &str, value: String| (name.to_owned(), value);
        vec![
            fact("trail", self.trail.display().to_string()),
            fact("files", format!("{}/{} linked", report.files.read, report.files.read + report.files.missing)),
            fact("records", format!("{}/{} chained", report.chained, report.records)),
            fact("checkpoints", checkpoints(report)),
            fact("intents", format!("{} resolved, {} open", report.resolved, report.open.len())),
        ]
    }

    fn last_line(&self, out: &mut String, paint: Paint) -> std::fmt::Result {
        let report = &self.report;
        match report.worst() {
            Some(Level::Tampered) => {
                let found = report.of(Level::Tampered).count();
                let first = report.of(Level::Tampered).next().map_or_else(String::new, |found| format!(", the first at {}", found.at));
                write!(out, "{} {}{first}", paint.red("TAMPERED:"), count(found, "finding"))
            }
            Some(Level::Incomplete) => {
                let whole = "nothing shows a change or a removal";
                write!(out, "{} {whole} {}, but not everything is finished or could be checked", paint.yellow("INCOMPLETE:"), reach(report))
            }
            Some(Level::Note) | None => write!(out, "{} no change and no removal {}", paint.green("OK:"), reach(report)),
        }
    }
}

/// How far each kind of evidence goes.
fn reach(report: &Report) -> String {
    let mut reach = Vec::new();
    reach.extend(report.copy.and_then(|copy| copy.until).map(|until| format!("{until} (copy of the checkpoints)")));
    reach.extend(report.checkpoints.until.filter(|_| report.key.is_some()).map(|until| format!("{until} (signature)")));
    reach.push(format!("{} (chain only)", report.last));
    format!("up to record {}", reach.join(", "))
}

fn checkpoints(report: &Report) -> String {
    if report.checkpoints.read == 0 { "none beside the trail".to_owned() } else { seals(&report.checkpoints, report.key.is_some()) }
}

fn seals(seals: &Seals, has_key: bool) -> String {
    let signed = if has_key {
        format!("{}/{} signatures valid", seals.signed, seals.read)
    } else {
        format!("{} signatures not checked", seals.read)
    };
    let until = seals.until.map_or_else(String::new, |until| format!(", up to record {until}"));
    format!("{signed}, {}/{} roots match{until}", seals.matched, seals.compared)
}

fn intent(out: &mut String, open: &OpenIntent, paint: Paint) -> std::fmt::Result {
    let policy = open.policy.as_ref().map_or_else(String::new, |policy| format!("  policy `{policy}`"));
    let began = if open.started { "its reply had begun; " } else { "" };
    let stopped = open
        .stopped
        .as_ref()
        .map_or_else(|| "dockgate may still be at it".to_owned(), |stopped| format!("dockgate stopped before it was noted, see {stopped}"));
    writeln!(out, "    {} {}  {}  {}{policy}  {}", paint.yellow("!"), open.id, open.time, open.call, open.at)?;
    writeln!(out, "      {began}{stopped}")
}

fn finding(out: &mut String, finding: &Finding, paint: Paint) -> std::fmt::Result {
    let label = match finding.level {
        Level::Tampered => paint.red(&format!("error[{}]:", finding.code)),
        Level::Incomplete => paint.yellow(&format!("warning[{}]:", finding.code)),
        Level::Note => paint.blue(&format!("note[{}]:", finding.code)),
    };
    writeln!(out, "{label} {}", finding.message)?;
    writeln!(out, "  {} {}", paint.blue("-->"), finding.at)?;
    finding.details.iter().try_for_each(|detail| writeln!(out, "   {} {detail}", paint.blue("|")))
}

fn text_of(text: Option<&String>) -> &str {
    text.map_or("?", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::forge::Forge;

    fn args(paths: Vec<PathBuf>) -> Args {
        Args { paths, key: Vec::new(), checkpoints: None, since: None, format: Format::Text }
    }

    fn text(forge: &Forge, args: &Args) -> (String, String) {
        let files = super::super::trails(&args.paths).unwrap().remove(0);
        let verified = one(args, &[], &files).unwrap();
        let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&verified).unwrap()).unwrap();
        let folder = format!("{}/", forge.folder.path().display());
        (verified.text(Paint::PLAIN).replace(&folder, ""), json["verdict"].as_str().unwrap().to_owned())
    }

    #[test]
    fn says_that_nothing_was_changed_and_how_far_that_is_known() {
        let forge = Forge::three_files();
        let args = Args { checkpoints: Some(forge.path("copy")), ..args(vec![forge.folder.path().to_owned()]) };
        let (said, verdict) = text(&forge, &args);
        let key = forge.key.public().id();
        let expected = format!(
            "\
Verifying trail 01JCZ6Q1V6N6Q9G4M6WQZ0T3AB (key {key}) from 2027-01-15T08:00:01Z to 2027-01-15T08:00:28Z
  files        3/3 linked (audit.000001.jsonl … audit.jsonl)
  records      28/28 chained, 1 to 28
  checkpoints  6/6 signatures valid, 6/6 roots match, up to record 28
  copy         6/6 signatures valid, 6/6 roots match, up to record 28
  intents      3 resolved, 0 open
note: the key is the one beside the trail (`audit.pub`): who can change the trail can change it too; keep a copy elsewhere and use --key
OK: no change and no removal up to record 28 (copy of the checkpoints), 28 (signature), 28 (chain only)"
        );
        assert_eq!((said.as_str(), verdict.as_str()), (expected.as_str(), "ok"));
        assert_eq!(run(&args).unwrap(), 0);
    }

    #[test]
    fn names_the_line_that_was_changed_and_exits_with_one() {
        let forge = Forge::three_files();
        let path = forge.path("audit.000002.jsonl");
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replacen("READ", "ROAD", 1)).unwrap();
        let args = args(vec![forge.path("audit.jsonl")]);
        let (said, verdict) = text(&forge, &args);
        assert!(said.contains("error[record-changed]: record 12 was changed: it is not the one that record 13 follows\n  --> audit.000002.jsonl:2\n   | previous = "), "{said}");
        assert!(said.ends_with("TAMPERED: 2 findings, the first at audit.000002.jsonl:2"), "{said}");
        assert_eq!((verdict.as_str(), run(&args).unwrap()), ("tampered", 1));
    }

    #[test]
    fn exits_with_three_where_intents_are_open_and_with_two_where_nothing_can_be_read() {
        let mut forge = Forge::new();
        forge.stage("A", "intent").write();
        let open = args(vec![forge.path("audit.jsonl")]);
        let (said, verdict) = text(&forge, &open);
        assert!(said.contains("    ! A  2027-01-15T08:00:02Z  POST /containers/create  policy `ci`  audit.jsonl:2\n"), "{said}");
        assert_eq!((verdict.as_str(), run(&open).unwrap()), ("incomplete", 3));
        assert_eq!(run(&args(vec![forge.path("none")])).unwrap_err().print(), 2);
        let no_copy = Args { checkpoints: Some(forge.path("none")), ..args(vec![forge.path("audit.jsonl")]) };
        assert_eq!(run(&no_copy).unwrap_err().print(), 2);
        std::fs::write(forge.path("audit.pub"), "x").unwrap();
        assert_eq!(run(&open).unwrap_err().print(), 2);
    }
}
