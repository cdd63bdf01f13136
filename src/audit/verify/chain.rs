//! The chain: every line carries the digest of the one before and the next number.
//! Knows nothing of checkpoints, and of records only their numbers.

use std::ops::RangeInclusive;

use crate::audit::merkle::{Hash, ZERO, hex};

use super::report::{Finding, Level, Place, Report};

/// Lines of a broken stretch that are looked at; longer ones are told by their length.
const MAX_STRETCH: usize = 64;

/// A line as the chain sees it.
#[derive(Debug, Clone)]
pub struct Link {
    pub place: Place,
    /// None where the line is no record.
    pub sequence: Option<u64>,
    /// What it was chained to.
    pub previous: Option<Hash>,
    pub digest: Hash,
    /// Why it is no record.
    pub why: Option<String>,
}

/// The state between two lines.
#[derive(Debug, Default)]
pub struct Chain {
    last: Option<Known>,
    /// Lines in a row that do not fit to the one before them, and the last line before these.
    stretch: Vec<Broken>,
    before: Option<Known>,
    length: u64,
    fitting: u64,
    /// True where the first line is not expected to be the first of the trail.
    late: bool,
}

#[derive(Debug, Clone)]
struct Known {
    place: Place,
    sequence: u64,
    digest: Hash,
}

#[derive(Debug)]
struct Broken {
    link: Link,
    sequence: u64,
    fits: bool,
}

impl Chain {
    /// Lines that fit to the one before.
    pub fn fitting(&self) -> u64 {
        self.fitting
    }

    /// The next line begins the part that is here: nothing is known of what was before.
    pub fn restart(&mut self) {
        (self.last, self.late) = (None, true);
    }

    /// Adds a line; what a stretch of lines that do not fit comes to is told when it is over.
    pub fn link(&mut self, link: Link, report: &mut Report) {
        let expected = self.last.as_ref().map_or(1, |last| last.sequence + 1);
        let known = self.last.is_some() || !self.late;
        let fits = !known && link.why.is_none() || link.previous == Some(self.last.as_ref().map_or(ZERO, |last| last.digest));
        let sequence = link.sequence.unwrap_or(expected);
        self.fitting += u64::from(fits);
        let last = Known { place: link.place.clone(), sequence, digest: link.digest };
        if fits && (!known || sequence == expected) {
            self.settle(report);
        } else {
            if self.length == 0 {
                self.before.clone_from(&self.last);
            }
            self.length += 1;
            if self.stretch.len() < MAX_STRETCH {
                self.stretch.push(Broken { link, sequence, fits });
            }
        }
        self.last = Some(last);
    }

    /// Tells what the stretch that is over comes to.
    pub fn settle(&mut self, report: &mut Report) {
        if self.length > 0 {
            let finding = explain(self.before.as_ref(), &self.stretch, self.length);
            report.add(finding);
            (self.stretch, self.length, self.before) = (Vec::new(), 0, None);
        }
    }

    /// Tells that whole files are missing before a line, and goes on from it.
    pub fn missing_files(&mut self, missing: RangeInclusive<u32>, sequence: u64, at: &Place, report: &mut Report) {
        let (first, last) = missing.into_inner();
        self.settle(report);
        report.files.missing += u64::from(last - first + 1);
        let what = if first == last { format!("file {first} is") } else { format!("files {first} to {last} are") };
        let records = self.last.as_ref().map(|known| range("record", known.sequence + 1, sequence.saturating_sub(1)));
        let message = format!("{what} missing before this one{}", records.map_or_else(String::new, |records| format!(": {records}")));
        report.find(Level::Tampered, "file-missing", at, message);
        self.restart();
    }
}

/// Finds out what was done from how the lines of a stretch do not fit.
fn explain(before: Option<&Known>, stretch: &[Broken], length: u64) -> Finding {
    let expected = before.map_or(1, |before| before.sequence + 1);
    let unread = stretch.iter().find_map(|broken| broken.link.why.as_ref().map(|why| (broken, why)));
    if let Some((broken, why)) = unread {
        return finding("not-a-record", &broken.link.place, format!("line {} is no record: {why}", broken.link.place.line));
    }
    let Some(first) = stretch.first() else {
        return finding("chain-broken", &nowhere(before), "lines do not follow one another".to_owned());
    };
    let place = &first.link.place;
    if (0_u64..).zip(stretch).all(|(more, broken)| broken.sequence == expected + more) {
        return changed(before, stretch, length);
    }
    if first.sequence == expected {
        let message = format!("{} lines from record {expected} on do not follow one another", length);
        return finding("chain-broken", place, message);
    }
    if let Some(moved) = stretch.iter().find(|broken| broken.sequence == expected && first.sequence > expected) {
        let message =
            format!("record {} stands where record {expected} belongs, which stands in line {}", first.sequence, moved.link.place.line);
        return finding("out-of-order", place, message);
    }
    match (first.fits, first.sequence > expected) {
        (true, _) => {
            let message = format!(
                "record {expected} was changed: it says that it is record {}, but it is chained to record {}",
                first.sequence,
                expected - 1
            );
            finding("record-changed", place, message)
        }
        (false, true) => {
            let missing = first.sequence - 1;
            let are = if missing == expected { "is" } else { "are" };
            finding(
                "record-missing",
                place,
                format!("{} {are} missing before record {}", range("record", expected, missing), first.sequence),
            )
        }
        (false, false) => finding("out-of-order", place, format!("record {} stands where record {expected} belongs", first.sequence)),
    }
}

/// The numbers are right and the digests are not: lines were changed. Which, the last line that does not fit tells: the line after a
/// changed one is the last that does not, unless that was the changed one's own link.
fn changed(before: Option<&Known>, stretch: &[Broken], length: u64) -> Finding {
    let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
        return finding("chain-broken", &nowhere(before), "lines do not follow one another".to_owned());
    };
    match (before, length) {
        (None, 1) => {
            finding("chain-broken", &first.link.place, "the first record is chained to something, so it is not the first".to_owned())
        }
        (Some(before), 1) => {
            let message = format!("record {} was changed: it is not the one that record {} follows", before.sequence, first.sequence);
            let details = vec![
                format!(
                    "previous = {}   in line {}",
                    first.link.previous.as_ref().map_or_else(|| "none".to_owned(), |hash| hex(hash)),
                    first.link.place.line
                ),
                format!("digest   = {}   of this line", hex(&before.digest)),
            ];
            Finding { details, ..finding("record-changed", &before.place, message) }
        }
        (_, 2) => {
            let message = format!(
                "record {} was changed: it does not follow record {}, and the next does not follow it",
                first.sequence,
                first.sequence.saturating_sub(1)
            );
            finding("record-changed", &first.link.place, message)
        }
        (_, length) => {
            let end = first.sequence.saturating_add(length - 2);
            let until = if length as usize <= MAX_STRETCH { format!(" (to line {})", last.link.place.line - 1) } else { String::new() };
            finding("record-changed", &first.link.place, format!("{} were changed{until}", range("record", first.sequence, end)))
        }
    }
}

fn finding(code: &'static str, at: &Place, message: String) -> Finding {
    Finding { level: Level::Tampered, code, at: at.clone(), message, details: Vec::new() }
}

fn nowhere(before: Option<&Known>) -> Place {
    before.map_or_else(|| Place { path: std::path::Path::new("").into(), line: 0 }, |before| before.place.clone())
}

/// `record 7` or `records 7 to 9`.
pub fn range(what: &str, first: u64, last: u64) -> String {
    if last <= first { format!("{what} {first}") } else { format!("{what}s {first} to {last}") }
}
