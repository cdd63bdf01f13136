//! Identical denials above a rate become one line, so that a client that is refused in a loop cannot fill the disk.
//! Knows nothing of files, nor of what makes two denials identical: each comes with a digest of that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::chain::moment;
use super::merkle::Hash;
use super::queue::Entry;

/// Identical ones are counted within this time.
const WINDOW: Duration = Duration::from_secs(1);
/// Ids that one line names.
const MAX_REFS: usize = 1000;
/// Kinds of denials that are counted at once; beyond it they are written one by one.
const MAX_KINDS: usize = 1024;
/// A text and how many records it stands for.
pub(super) type Folded = (String, u64);

/// What is being counted.
pub(super) struct Fold {
    above: u32,
    kinds: HashMap<Hash, Kind>,
}

struct Kind {
    until: Instant,
    plain: u32,
    held: Option<Held>,
}

/// Denials that wait for their line.
struct Held {
    text: String,
    first: Timestamp,
    last: Timestamp,
    refs: Vec<String>,
}

impl Fold {
    /// Folds what comes more often than this in a second; 0 for never.
    pub fn new(above: u32) -> Self {
        Self { above, kinds: HashMap::new() }
    }

    /// Takes a record; `out` gets what is to be written now.
    pub fn take(&mut self, line: Entry, now: Instant, mut out: impl FnMut(Folded)) {
        let Entry { text, kind } = line;
        let Some(kind) = kind.filter(|_| self.above > 0) else { return out((text, 1)) };
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            return out((text, 1));
        }
        let kind = self.kinds.entry(kind).or_insert(Kind { until: now + WINDOW, plain: 0, held: None });
        if kind.until <= now {
            kind.held.take().map(Held::text).into_iter().for_each(&mut out);
            (kind.until, kind.plain) = (now + WINDOW, 0);
        }
        if kind.plain < self.above {
            kind.plain += 1;
            return out((text, 1));
        }
        let (time, id) = (Timestamp::now(), id(&text).to_owned());
        let held = kind.held.get_or_insert_with(|| Held { text, first: time, last: time, refs: Vec::new() });
        held.last = time;
        held.refs.push(id);
        if held.refs.len() >= MAX_REFS {
            kind.held.take().map(Held::text).into_iter().for_each(out);
        }
    }

    /// Lines whose second is over.
    pub fn due(&mut self, now: Instant, mut out: impl FnMut(Folded)) {
        self.kinds.retain(|_, kind| {
            let over = kind.until <= now;
            if over {
                kind.held.take().map(Held::text).into_iter().for_each(&mut out);
            }
            !over
        });
    }

    /// All lines, whenever they are due.
    pub fn drain(&mut self, out: impl FnMut(Folded)) {
        self.kinds.drain().filter_map(|(_, kind)| kind.held).map(Held::text).for_each(out);
    }

    /// When the next line is due.
    pub fn next(&self) -> Option<Instant> {
        self.kinds.values().map(|kind| kind.until).min()
    }
}

impl Held {
    /// The first one's text with all of them in it; a single one stays as it was.
    fn text(self) -> Folded {
        let count = self.refs.len() as u64;
        let folded = json!({ "count": count, "first": moment(self.first), "last": moment(self.last), "refs": self.refs });
        match self.text.trim_end().strip_suffix('}') {
            Some(open) if count > 1 => (format!(r#"{open},"folded":{folded}}}"#), count),
            Some(_) | None => (self.text, count),
        }
    }
}

/// The id of a record's text, which begins with it.
fn id(text: &str) -> &str {
    text.strip_prefix("\"id\":\"").and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::merkle::digest;
    use super::*;

    fn denial(id: u32, path: &str) -> Entry {
        let text = format!(r#""id":"{id}","stage":"single","time":"{id}","path":"{path}","verdict":"deny","duration_us":{id}}}"#);
        Entry { text, kind: Some(digest(path.as_bytes())) }
    }

    fn allowed(id: u32) -> Entry {
        Entry { kind: None, ..denial(id, "/same") }
    }

    fn taken(fold: &mut Fold, line: Entry, now: Instant) -> Vec<Folded> {
        let mut out = Vec::new();
        fold.take(line, now, |line| out.push(line));
        out
    }

    #[test]
    fn writes_the_first_ones_as_they_are_and_the_rest_as_one_line_after_a_second() {
        let (mut fold, now) = (Fold::new(2), Instant::now());
        let written: usize = (0..7).map(|id| taken(&mut fold, denial(id, "/x"), now).len()).sum();
        assert_eq!(written, 2);
        let mut out = Vec::new();
        fold.due(now, |line| out.push(line));
        assert_eq!(out.len(), 0);
        assert_eq!(fold.next(), Some(now + WINDOW));
        fold.due(now + WINDOW, |line| out.push(line));
        let [(text, 5)] = out.as_slice() else { panic!("{out:?}") };
        let line: Value = serde_json::from_str(&format!("{{{text}")).unwrap();
        assert_eq!((&line["id"], &line["folded"]["count"], &line["path"]), (&"2".into(), &5.into(), &"/x".into()));
        assert_eq!(line["folded"]["refs"], json!(["2", "3", "4", "5", "6"]));
        assert!(fold.next().is_none());
    }

    #[test]
    fn folds_nothing_that_differs_and_nothing_but_denials() {
        let (mut fold, now) = (Fold::new(1), Instant::now());
        for id in 0..5 {
            assert_eq!(taken(&mut fold, denial(id, &format!("/{id}")), now).len(), 1);
            assert_eq!(taken(&mut fold, allowed(id), now).len(), 1);
        }
        let mut never = Fold::new(0);
        assert!((0..50).all(|id| taken(&mut never, denial(id, "/x"), now).len() == 1));
    }

    #[test]
    fn names_at_most_a_thousand_ids_in_a_line_and_loses_none() {
        let (mut fold, now, mut out) = (Fold::new(1), Instant::now(), Vec::new());
        (0..2501).for_each(|id| fold.take(denial(id, "/x"), now, |line| out.push(line)));
        fold.drain(|line| out.push(line));
        assert_eq!(out.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1000, 1000, 500]);
    }

    #[test]
    fn bounds_the_kinds_that_it_remembers() {
        let (mut fold, now) = (Fold::new(1), Instant::now());
        (0..5000).for_each(|id| drop(taken(&mut fold, denial(id, &format!("/{id}")), now)));
        assert_eq!(fold.kinds.len(), MAX_KINDS);
        fold.due(now + WINDOW, |_| {});
        assert_eq!(fold.kinds.len(), 0);
    }
}
