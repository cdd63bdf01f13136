//! Verifying a trail: its chain, its files, its checkpoints, and the calls whose end is not on record.
//! Knows nothing of how a report is shown. One line is in memory at a time.

mod calls;
mod chain;
mod notes;
mod report;
mod seals;

#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::checkpoint::PublicKey;
use super::merkle::{self, Hash};
use super::read::{Entry, Files, Line, Lines, Part, ReadError};

pub use notes::{Notes, Placed};
pub use report::{Finding, Level, OpenIntent, Place, Report, Seals, Span};

use calls::Calls;
use chain::{Chain, Link};
use seals::Sealed;

/// What a trail is held against.
#[derive(Debug, Default)]
pub struct Asked {
    /// The key; without it signatures cannot be checked.
    pub key: Option<PublicKey>,
    /// The checkpoints beside the trail.
    pub own: Notes,
    /// A copy of them from another place.
    pub copy: Option<Notes>,
    /// Files that ended before this are left out, and open intents, gaps and unclean stops before it are not reported.
    pub since: Option<jiff::Timestamp>,
}

/// Verifies a trail.
///
/// # Errors
/// When a file cannot be read. Whatever is wrong with what can be read is in the report.
pub fn verify(files: &Files, asked: &Asked) -> Result<Report, ReadError> {
    let skipped = asked.since.map_or(Ok(0), |since| ended_before(&files.parts, since))?;
    let mut run = Run {
        report: Report { key: asked.key.as_ref().map(PublicKey::id), ..Report::default() },
        chain: Chain::default(),
        calls: Calls::new(asked.since),
        sealed: Sealed::new(asked),
        number: None,
        whole: files.whole,
        asked,
    };
    let parts = files.parts.get(skipped..).unwrap_or_default();
    run.sealed.begin(&mut run.report);
    for (index, part) in parts.iter().enumerate() {
        run.part(part, index + 1 == parts.len())?;
    }
    run.finish(parts);
    Ok(run.report)
}

/// How many files at the beginning end before the moment: those whose successor begins before it.
fn ended_before(parts: &[Part], since: jiff::Timestamp) -> Result<usize, ReadError> {
    let mut skipped = 0;
    for (index, part) in parts.iter().enumerate().skip(1) {
        let mut lines = Lines::open(&part.path)?;
        let first = lines.next_line().map_err(|error| ReadError::Io { path: part.path.clone(), error })?;
        let begins = first.and_then(|line| Entry::parse(line.bytes).ok()).and_then(|entry| entry.moment());
        if begins.is_some_and(|begins| begins <= since) {
            skipped = index;
        }
    }
    Ok(skipped)
}

/// What the chain needs of a line, read without copying.
#[derive(Deserialize)]
struct Head<'l> {
    schema: u32,
    sequence: u64,
    #[serde(borrow)]
    previous: Cow<'l, str>,
    #[serde(borrow)]
    id: Cow<'l, str>,
    #[serde(borrow)]
    stage: Cow<'l, str>,
    #[serde(borrow)]
    time: Cow<'l, str>,
}

struct Run<'a> {
    report: Report,
    chain: Chain,
    calls: Calls,
    sealed: Sealed,
    /// The number of the file that is read.
    number: Option<u32>,
    whole: bool,
    asked: &'a Asked,
}

/// Where a file's reading stands.
struct Reading {
    path: Arc<Path>,
    /// Lines that count: a torn one does not.
    size: u64,
    /// A line that is no record: torn where it is the last.
    doubtful: Option<Doubtful>,
    /// True after `close` or `rotate`.
    finished: bool,
    signs: bool,
}

struct Doubtful {
    line: u64,
    leaf: Hash,
    digest: Hash,
    length: usize,
    why: String,
}

impl Run<'_> {
    fn part(&mut self, part: &Part, last: bool) -> Result<(), ReadError> {
        let mut lines = Lines::open(&part.path)?;
        let mut at = Reading { path: part.path.as_path().into(), size: 0, doubtful: None, finished: false, signs: false };
        let failed = |error| ReadError::Io { path: part.path.clone(), error };
        while let Some(line) = lines.next_line().map_err(failed)? {
            self.settle(&mut at);
            self.line(part, &mut at, line);
        }
        if !last {
            self.settle(&mut at);
        }
        self.end(&at);
        Ok(())
    }

    fn line(&mut self, part: &Part, at: &mut Reading, line: Line<'_>) {
        let head = match serde_json::from_slice::<Head<'_>>(line.bytes) {
            Ok(head) if line.ended => head,
            parsed => {
                let why = parsed.map_or_else(|error| error.to_string(), |_| "it has no end of line".to_owned());
                let (leaf, digest) = (merkle::leaf(line.bytes), merkle::digest(line.bytes));
                at.doubtful = Some(Doubtful { line: line.number, leaf, digest, length: line.bytes.len(), why });
                return;
            }
        };
        let place = Place { path: at.path.clone(), line: line.number };
        if line.number == 1 {
            self.first(part, at, &head, line);
        }
        at.size += 1;
        let digest = merkle::digest(line.bytes);
        let link = Link { place, sequence: Some(head.sequence), previous: merkle::parse_hex(&head.previous), digest, why: None };
        if head.schema != super::record::SCHEMA {
            self.report.find(
                Level::Incomplete,
                "other-schema",
                &link.place,
                format!("a record of schema {} is not understood", head.schema),
            );
        }
        let place = link.place.clone();
        self.sealed.line(line.bytes, &link, &mut self.report);
        self.chain.link(link, &mut self.report);
        at.finished = self.calls.line(&head, line.bytes, place, &mut self.report);
        self.report.seen(&head.time, head.sequence);
    }

    /// The first line of a file says which file of which trail it is.
    fn first(&mut self, part: &Part, at: &mut Reading, head: &Head<'_>, line: Line<'_>) {
        let place = &Place { path: at.path.clone(), line: line.number };
        let open = Entry::parse(line.bytes).ok().filter(|entry| entry.event.as_deref() == Some("open"));
        let file = |open: &Entry| open.detail("file").and_then(serde_json::Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let Some((open, number)) = open.and_then(|open| file(&open).map(|number| (open, number))) else {
            self.report.find(
                Level::Tampered,
                "no-open",
                place,
                "the file does not begin with an `open` record of its own: its first lines are missing".to_owned(),
            );
            self.number = self.number.map(|number| number + 1).or(part.number);
            return self.sealed.file(self.number);
        };
        let text = |name: &str| open.detail(name).and_then(|value| value.as_str()).map(str::to_owned);
        at.signs = text("key").is_some();
        self.same_trail(text("log"), text("key"), place);
        self.follows(part, number, head, place);
        self.number = Some(number);
        self.report.files.read += 1;
        self.sealed.file(Some(number));
    }

    fn same_trail(&mut self, log: Option<String>, key: Option<String>, place: &Place) {
        let tampered = |report: &mut Report, code, message| report.find(Level::Tampered, code, place, message);
        match (&self.report.log, &log) {
            (Some(own), Some(log)) if own != log => {
                let message = format!("the file is of the trail {log}, the files before it are of {own}");
                tampered(&mut self.report, "other-trail", message);
            }
            (None, Some(log)) => self.report.log = Some(log.clone()),
            _ => {}
        }
        let (Some(used), Some(log)) = (&self.asked.key, &log) else { return };
        if used.log() != log {
            tampered(&mut self.report, "other-key", format!("the trail is {log}, the key is of the trail {}", used.log()));
        } else if key.as_ref().is_some_and(|key| *key != used.id()) {
            tampered(
                &mut self.report,
                "other-key",
                format!("the file was begun with the key {}, not {}", key.unwrap_or_default(), used.id()),
            );
        }
    }

    /// Files are numbered without a gap, and their names say the same as they do.
    fn follows(&mut self, part: &Part, number: u32, head: &Head<'_>, place: &Place) {
        if let Some(named) = part.number.filter(|named| *named != number) {
            self.report.find(Level::Tampered, "renamed", place, format!("the file is called number {named}, but it is file {number}"));
        }
        match self.number {
            None if number > 1 => {
                let all = self.whole && self.asked.since.is_none();
                let kept = if all { "removed by `keep-files`, or by somebody" } else { "not asked for" };
                let message =
                    format!("files 1 to {} are not here ({kept}): the records before {} are not verified", number - 1, head.sequence);
                self.report.find(Level::Note, "begins-late", place, message);
                self.chain.restart();
            }
            Some(before) if number > before + 1 => {
                self.chain.missing_files(before + 1..=number - 1, head.sequence, place, &mut self.report);
            }
            Some(before) if number <= before => {
                let message = format!("file {number} stands after file {before}");
                self.report.find(Level::Tampered, "out-of-order", place, message);
            }
            None | Some(_) => {}
        }
    }

    /// A line that is no record, and not the last of the trail, was changed.
    fn settle(&mut self, at: &mut Reading) {
        let Some(doubtful) = at.doubtful.take() else { return };
        let place = Place { path: at.path.clone(), line: doubtful.line };
        if at.size == 0 && doubtful.line == 1 {
            self.number = self.number.map(|number| number + 1);
            self.sealed.file(self.number);
        }
        at.size += 1;
        let link = Link { place, sequence: None, previous: None, digest: doubtful.digest, why: Some(doubtful.why) };
        self.sealed.leaf(doubtful.leaf, &link, &mut self.report);
        self.chain.link(link, &mut self.report);
    }

    /// A file's end: what was signed must be there, and what was finished must be signed.
    fn end(&mut self, at: &Reading) {
        let place = Place { path: at.path.clone(), line: at.size };
        if let Some(torn) = &at.doubtful {
            let place = Place { path: at.path.clone(), line: torn.line };
            let message = format!("the last line is torn ({} bytes, {}): dockgate was killed or is writing it", torn.length, torn.why);
            self.report.find(Level::Incomplete, "torn-tail", &place, message);
        }
        self.sealed.end(at.finished && at.signs, &place, &mut self.report);
    }

    fn finish(&mut self, parts: &[Part]) {
        self.chain.settle(&mut self.report);
        self.sealed.finish(self.number, self.whole, &mut self.report);
        self.calls.finish(&mut self.report);
        self.report.chained = self.chain.fitting();
        self.report.sort(parts);
    }
}
