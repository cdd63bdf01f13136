//! Holds the trail against what clients saw: a record for each reply, with its status, and nothing that nobody asked for.
//! Knows nothing of chains; `dockgate audit verify` says whether they hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// What the trail comes to.
#[derive(Debug, Default)]
pub struct Matched {
    pub files: usize,
    pub lines: u64,
    /// Calls: lines that end one.
    pub calls: u64,
    /// Replies that clients read whose record is not there, or is another one.
    pub missing: Vec<String>,
    /// Calls that no client saw a reply of.
    pub unseen: u64,
    /// Ids that end twice.
    pub doubled: u64,
    /// Intents that nothing follows.
    pub open: u64,
    /// Calls by operation, or by reason where there was none.
    pub operations: BTreeMap<String, u64>,
    /// How calls ended.
    pub ended: BTreeMap<String, u64>,
    /// Events of the trail.
    pub events: BTreeMap<String, u64>,
}

/// Reads all files of the trail.
pub fn matched(trail: &Path, replies: &HashMap<String, u16>) -> Result<Matched, String> {
    let mut found = Matched::default();
    let (mut ended, mut open) = (HashMap::new(), HashSet::new());
    for path in parts(trail)? {
        found.files += 1;
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let record: Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
            found.lines += 1;
            take(&record, &mut found, &mut ended, &mut open);
        }
    }
    found.open = open.len() as u64;
    for (reference, status) in replies {
        match ended.get(reference) {
            Some(recorded) if recorded == status => {}
            other => found.missing.push(format!("{reference}: the client read {status}, the trail has {other:?}")),
        }
    }
    found.unseen = ended.keys().filter(|id| !replies.contains_key(*id)).count() as u64;
    Ok(found)
}

fn take(record: &Value, found: &mut Matched, ended: &mut HashMap<String, u16>, open: &mut HashSet<String>) {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let id = text("id");
    match record["stage"].as_str() {
        Some("event") => *found.events.entry(text("event")).or_default() += 1,
        Some("intent") => {
            open.insert(id);
        }
        Some("start") => {}
        _ => {
            open.remove(&id);
            found.calls += 1;
            let kind = record["operation"].as_str().map_or_else(|| format!("[{}]", text("reason")), str::to_owned);
            *found.operations.entry(kind).or_default() += 1;
            *found.ended.entry(text("ended")).or_default() += 1;
            let status = record["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
            if ended.insert(id, status).is_some() {
                found.doubled += 1;
            }
        }
    }
}

fn parts(trail: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let folder = trail.parent().ok_or("the trail has no folder")?;
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let name = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("trail"));
    let mut parts: Vec<_> = paths.filter(|path| name(path) && path.extension().is_some_and(|end| end == "jsonl")).collect();
    parts.sort();
    Ok(parts)
}
