//! `[audit]`: where the trail goes, when it is on disk, what happens when it cannot be written, and who gets copies.
//! Knows nothing of how the trail is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Report;
use super::file::path;
use super::limits::{SIZES, TIMES, bounded, measured};
use super::sink::SinkUrl;
use super::suggest::{did_you_mean, listed};
use super::tree::{Item, Table};
use super::url::UrlError;

/// The trail, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The file; `None` for standard output.
    pub file: Option<PathBuf>,
    /// When lines are put on disk.
    pub sync: AuditSync,
    /// What happens while it cannot be written.
    pub on_failure: OnFailure,
    /// The key of checkpoints; beside the file where left out.
    pub key: Option<PathBuf>,
    /// Lines from one checkpoint to the next.
    pub checkpoint_records: u64,
    /// The time from one checkpoint to the next.
    pub checkpoint_interval: Duration,
    /// A second place for checkpoints.
    pub checkpoints_to: Option<CheckpointsTo>,
    /// The size at which a new file begins, in bytes.
    pub rotate_size: u64,
    /// The age at which a new file begins.
    pub rotate_interval: Option<Duration>,
    /// How many rotated files are kept; all where left out.
    pub keep_files: Option<usize>,
    /// Identical denials in a second that are written one by one; 0 for all.
    pub fold_above: u32,
    /// Changes that no request explains are looked for in the engine's events.
    pub reconcile: bool,
    /// Where copies go.
    pub sinks: Vec<SinkUrl>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            file: None,
            sync: AuditSync::Changes,
            on_failure: OnFailure::DenyChanges,
            key: None,
            checkpoint_records: 1000,
            checkpoint_interval: Duration::from_secs(60),
            checkpoints_to: None,
            rotate_size: 64 << 20,
            rotate_interval: None,
            keep_files: None,
            fold_above: 10,
            reconcile: false,
            sinks: Vec::new(),
        }
    }
}

/// When lines are put on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditSync {
    /// Before changes go on.
    Changes,
    /// With every write.
    All,
    /// When the system does it.
    None,
}

/// What happens while the trail cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Changes are refused.
    DenyChanges,
    /// Everything is refused.
    DenyAll,
    /// Nothing is refused.
    ContinueUnaudited,
}

/// A second place for checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointsTo {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Audit {
    /// The files of the trail whose names do not change, for what nobody else may touch.
    pub fn files(&self) -> Vec<PathBuf> {
        let beside = |extension: &str| self.file.as_ref().map(|file| file.with_extension(extension));
        let second = match &self.checkpoints_to {
            Some(CheckpointsTo::File(path)) => Some(path.clone()),
            Some(CheckpointsTo::Stdout) | None => None,
        };
        let key = self.key.clone().filter(|_| self.file.is_some());
        let own = [self.file.clone(), key.or_else(|| beside("key")), beside("pub"), beside("checkpoints"), beside("torn"), second];
        own.into_iter().flatten().collect()
    }
}

const KEYS: &[&str] = &[
    "file",
    "sync",
    "on-failure",
    "key",
    "checkpoint-records",
    "checkpoint-interval",
    "checkpoints-to",
    "rotate-size",
    "rotate-interval",
    "keep-files",
    "fold-above",
    "reconcile",
    "sink",
];
/// What has no meaning without a file.
const OF_FILES: &[&str] =
    &["sync", "key", "checkpoint-records", "checkpoint-interval", "checkpoints-to", "rotate-size", "rotate-interval", "keep-files", "sink"];
/// Files beside the trail have these extensions.
const BESIDE: &[&str] = &["key", "pub", "checkpoints", "torn"];

/// Reads `[audit]`; what is left out keeps its default.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>) -> Option<Audit> {
    let table = item.table("`[audit]`", report)?;
    table.only(KEYS, report);
    let mut audit = Audit { file: table.get("file").and_then(|item| file(&item, report)), ..Audit::default() };
    audit.key = table.get("key").and_then(|item| path(&item, report)).map(PathBuf::from);
    audit.reconcile = table.get("reconcile").and_then(|item| item.flag(report)).unwrap_or(audit.reconcile);
    failures(&table, &mut audit, report);
    checkpoints(&table, &mut audit, report);
    rotation(&table, &mut audit, report);
    audit.sinks = table.get("sink").and_then(|item| sinks(&item, report)).unwrap_or_default();
    if table.get("file").is_none() {
        without_file(&table, report);
    }
    Some(audit)
}

fn file(item: &Item<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let file = PathBuf::from(path(item, report)?);
    let extension = file.extension().and_then(|extension| extension.to_str());
    if let Some(extension) = extension.filter(|extension| BESIDE.contains(extension)) {
        report.error("bad-path", &item.span, format!("`.{extension}` is the name of a file beside the trail")).hint =
            Some("call the trail `audit.jsonl`".to_owned());
        return None;
    }
    Some(file)
}

fn failures(table: &Table<'_>, audit: &mut Audit, report: &mut Report<'_>) {
    let words = [("changes", AuditSync::Changes), ("all", AuditSync::All), ("none", AuditSync::None)];
    if let Some(item) = table.get("sync") {
        audit.sync = word(&item, &words, report).unwrap_or(audit.sync);
        if audit.sync == AuditSync::None {
            report.warning("unsafe-sync", &item.span, "a power cut can take the records of changes that were made").hint =
                Some("use `\"changes\"`, the default".to_owned());
        }
    }
    let words =
        [("deny-changes", OnFailure::DenyChanges), ("deny-all", OnFailure::DenyAll), ("continue-unaudited", OnFailure::ContinueUnaudited)];
    if let Some(item) = table.get("on-failure") {
        audit.on_failure = word(&item, &words, report).unwrap_or(audit.on_failure);
        if audit.on_failure == OnFailure::ContinueUnaudited {
            report.warning("unaudited", &item.span, "whoever fills the disk can change anything without a record").hint =
                Some("use `\"deny-changes\"`, the default".to_owned());
        }
    }
    let most = (0, 1_000_000);
    audit.fold_above = number(table, "fold-above", (most, "from 0, for never, to 1000000"), report).unwrap_or(audit.fold_above);
}

fn checkpoints(table: &Table<'_>, audit: &mut Audit, report: &mut Report<'_>) {
    let records = number(table, "checkpoint-records", ((1, 1_000_000), "from 1 to 1000000"), report);
    audit.checkpoint_records = records.unwrap_or(audit.checkpoint_records);
    let every = table.get("checkpoint-interval").and_then(|item| time(&item, (1_000, 24 * 3_600_000), "from `1s` to `24h`", report));
    audit.checkpoint_interval = every.unwrap_or(audit.checkpoint_interval);
    let Some(item) = table.get("checkpoints-to") else { return };
    if item.maybe_text() == Some("stdout") {
        audit.checkpoints_to = Some(CheckpointsTo::Stdout);
        return;
    }
    let Some(place) = path(&item, report).map(PathBuf::from) else { return };
    if audit.files().contains(&place) {
        report.error("conflicting-keys", &item.span, "this is a file of the trail itself").hint =
            Some("name a file in another place, or `\"stdout\"`".to_owned());
        return;
    }
    if audit.file.as_deref().and_then(Path::parent) == place.parent() {
        report.warning("same-place", &item.span, "who can change the trail can change this copy of its checkpoints too").hint =
            Some("name a file on another disk or host, or `\"stdout\"` where something else keeps it".to_owned());
    }
    audit.checkpoints_to = Some(CheckpointsTo::File(place));
}

fn rotation(table: &Table<'_>, audit: &mut Audit, report: &mut Report<'_>) {
    if let Some(item) = table.get("rotate-size") {
        let size = measured(&item, SIZES, "64MiB", report);
        let size = size.and_then(|size| bounded(&item, size, (4 << 10, 4 << 30), "from `4KiB` to `4GiB`", report));
        audit.rotate_size = size.unwrap_or(audit.rotate_size);
    }
    let most = 366 * 24 * 3_600_000;
    audit.rotate_interval = table.get("rotate-interval").and_then(|item| time(&item, (60_000, most), "from `1m` to `8784h`", report));
    audit.keep_files = number(table, "keep-files", ((1, 1_000_000), "from 1 to 1000000; all are kept where it is left out"), report);
}

fn without_file(table: &Table<'_>, report: &mut Report<'_>) {
    for item in OF_FILES.iter().filter_map(|key| table.get(key)) {
        let message = format!("`{}` changes nothing: the trail goes to standard output", item.name);
        report.warning("no-effect", &item.key, message).hint =
            Some("add `file = \"/var/log/dockgate/audit.jsonl\"`, or take it out".to_owned());
    }
}

fn time(item: &Item<'_>, range: (u64, u64), words: &str, report: &mut Report<'_>) -> Option<Duration> {
    let value = measured(item, TIMES, "60s", report)?;
    bounded(item, value, range, words, report).map(Duration::from_millis)
}

fn number<N: TryFrom<u64>>(table: &Table<'_>, key: &str, (range, words): ((u64, u64), &str), report: &mut Report<'_>) -> Option<N> {
    let item = table.get(key)?;
    // what is negative is out of every range
    let value = u64::try_from(item.integer(report)?).unwrap_or(u64::MAX);
    bounded(&item, value, range, words, report).and_then(|value| N::try_from(value).ok())
}

fn word<T: Copy>(item: &Item<'_>, words: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
    let text = item.text(report)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let known = || words.iter().map(|(word, _)| *word);
        let hint = did_you_mean(text, known()).unwrap_or_else(|| format!("known are {}", listed(known())));
        report.error("bad-value", &item.span, format!("there is no value of `{}` `{}`", item.name, text.escape_debug())).hint = Some(hint);
    }
    found
}

fn sinks(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<SinkUrl>> {
    if item.is_table() {
        report.error("wrong-type", &item.key, "`[audit.sink]` is one table, and sinks are a list of them").hint =
            Some("write `[[audit.sink]]`".to_owned());
        return None;
    }
    let mut found = Vec::new();
    for item in item.list(report)? {
        let Some(table) = item.table("`[[audit.sink]]`", report) else { continue };
        let table = table.at(item.span.clone());
        table.only(&["to"], report);
        let Some(to) = table.require("to", "add `to = \"syslog+unix:///dev/log\"`", report) else { continue };
        let Some(text) = to.text(report) else { continue };
        match text.parse::<SinkUrl>() {
            Ok(sink) if found.contains(&sink) => {
                report.error("duplicate-sink", &to.span, format!("another sink goes to `{}` too", text.escape_debug())).hint =
                    Some("take one of them out".to_owned());
            }
            Ok(sink) => found.push(sink),
            Err(UrlError { message, hint }) => report.error("bad-url", &to.span, message).hint = Some(hint),
        }
    }
    Some(found)
}
