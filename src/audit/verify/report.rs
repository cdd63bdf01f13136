//! What verifying comes to: tallies, findings with their places, open intents.
//! Knows nothing of how they were found.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::audit::read::Part;

/// Findings that are kept; the others are counted.
const MAX_FINDINGS: usize = 200;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Arc<Path>,
    /// From 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Something is not there yet or could not be checked; nothing shows that it was changed.
    Incomplete,
    /// Something was changed, moved or removed.
    Tampered,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// Its name for scripts.
    pub code: &'static str,
    /// Where.
    pub at: Place,
    /// What it is, in a sentence.
    pub message: String,
    /// What supports it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// A change, stream or tunnel whose end is not on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenIntent {
    /// The id.
    pub id: String,
    /// Where the intent stands.
    pub at: Place,
    /// Its sequence.
    pub sequence: u64,
    /// When it began.
    pub time: String,
    /// What was asked for: method and path.
    pub call: String,
    /// The policy of its door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// True where the reply of a stream or tunnel had begun.
    pub started: bool,
    /// Where dockgate stopped without noting an end; none where it may still be running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Place>,
}

/// Files and the records that they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// How many were read.
    pub read: u64,
    /// How many should have been there besides: missing in the middle or at the end.
    pub missing: u64,
}

/// How many checkpoints were read and hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seals {
    /// Of this trail.
    pub read: u64,
    /// Whose signature is that of the key.
    pub signed: u64,
    /// Of files that are here.
    pub compared: u64,
    /// Whose root is that of the file's lines.
    pub matched: u64,
    /// The last sequence that one of these holds for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The trail's id.
    pub log: Option<String>,
    /// The key's number, where there is one.
    pub key: Option<String>,
    /// The first record's time.
    pub from: Option<String>,
    /// The last record's time.
    pub to: Option<String>,
    /// Files.
    pub files: Span,
    /// Lines that are records.
    pub records: u64,
    /// Lines that fit to the one before them.
    pub chained: u64,
    /// The first record's sequence.
    pub first: u64,
    /// The last record's sequence.
    pub last: u64,
    /// The checkpoints beside the trail.
    pub checkpoints: Seals,
    /// Those of the copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<Seals>,
    /// Changes, streams and tunnels with their end on record.
    pub resolved: u64,
    /// Those without.
    pub open: Vec<OpenIntent>,
    /// Where dockgate stopped without `close`.
    pub unclean: Vec<Place>,
    /// Findings, in the order of the files.
    pub findings: Vec<Finding>,
    /// Findings above 200.
    pub more: u64,
    #[serde(skip)]
    pub(super) worst: Option<Level>,
}

impl Report {
    /// Adds a finding.
    pub(super) fn find(&mut self, level: Level, code: &'static str, at: &Place, message: String) {
        self.add(Finding { level, code, at: at.clone(), message, details: Vec::new() });
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.worst = self.worst.max(Some(finding.level));
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn seen(&mut self, time: &str, sequence: u64) {
        if self.records == 0 {
            (self.from, self.first) = (Some(time.to_owned()), sequence);
        }
        self.records += 1;
        self.last = sequence;
        let to = self.to.get_or_insert_default();
        to.clear();
        to.push_str(time);
    }

    /// Brings the findings into the order of the lines; what a line says of itself comes before what a checkpoint says of it.
    pub(super) fn sort(&mut self, parts: &[Part]) {
        let place = |at: &Place| (parts.iter().position(|part| part.path == *at.path).unwrap_or(parts.len()), at.line);
        self.findings.sort_by_cached_key(|found| (place(&found.at), matches!(found.code, "checkpoint-mismatch" | "tail-cut")));
    }

    /// The worst of the findings and open intents; none where there is nothing but notes.
    pub fn worst(&self) -> Option<Level> {
        let open = (!self.open.is_empty()).then_some(Level::Incomplete);
        self.worst.max(open).filter(|level| *level > Level::Note)
    }

    /// The findings of a level.
    pub fn of(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.level == level)
    }
}
