//! Checkpoints against lines: who signed them, and whether the lines are those that were signed.
//! Knows nothing of what lines say.

use std::collections::BTreeMap;

use crate::audit::checkpoint::{Checkpoint, Untrusted};
use crate::audit::merkle::{self, Hash, Tree};

use super::chain::{Link, range};
use super::notes::{Notes, Placed};
use super::report::{Finding, Level, Place, Report, Seals};
use super::{Asked, report};

/// The checkpoints of a trail, by file, and where comparing stands.
#[derive(Debug)]
pub struct Sealed {
    /// By file; the nearest is the last.
    waiting: BTreeMap<u32, Vec<Seal>>,
    /// Those of the file that is read, the nearest last.
    current: Vec<Seal>,
    tree: Tree,
    /// Lines that were last found to be those that were signed, and the record there.
    good: u64,
    last_good: Option<(u64, bool)>,
    /// True after a checkpoint of this file did not fit: those after it cannot either.
    lost: bool,
    tally: Seals,
    copy: Option<Seals>,
    early: Vec<Finding>,
    own: Option<Place>,
}

#[derive(Debug, Clone)]
struct Seal {
    checkpoint: Checkpoint,
    at: Place,
    is_copy: bool,
}

impl Sealed {
    /// Takes the checkpoints that the key signed.
    pub fn new(asked: &Asked) -> Self {
        let mut sealed = Self {
            waiting: BTreeMap::new(),
            current: Vec::new(),
            tree: Tree::default(),
            good: 0,
            last_good: None,
            lost: false,
            tally: Seals::default(),
            copy: asked.copy.as_ref().map(|_| Seals::default()),
            early: Vec::new(),
            own: asked.own.path.as_deref().map(|path| Place { path: path.into(), line: 1 }),
        };
        sealed.take(&asked.own, asked, false);
        if let Some(copy) = &asked.copy {
            sealed.take(copy, asked, true);
        }
        for seals in sealed.waiting.values_mut() {
            seals.sort_by_key(|seal| std::cmp::Reverse(seal.checkpoint.size));
        }
        sealed
    }

    fn take(&mut self, notes: &Notes, asked: &Asked, is_copy: bool) {
        for (at, error) in &notes.faults {
            self.early.push(finding(Level::Tampered, "not-a-checkpoint", at, format!("this is no checkpoint: {error}")));
        }
        if let Some(at) = &notes.torn {
            self.early.push(finding(
                Level::Incomplete,
                "torn-checkpoint",
                at,
                "the last checkpoint is torn: dockgate was killed or is writing it".to_owned(),
            ));
        }
        let mut reached = (0, 0);
        for placed in &notes.notes {
            self.one(placed, asked, is_copy);
            let reach = (placed.note.checkpoint.file, placed.note.checkpoint.size);
            if !is_copy && reach < reached {
                let message = "the checkpoint goes less far than the one before it: they were moved or replaced".to_owned();
                self.early.push(finding(Level::Tampered, "checkpoint-order", &placed.at, message));
            }
            reached = reached.max(reach);
        }
        self.nothing_of(notes, asked, is_copy);
    }

    fn one(&mut self, placed: &Placed, asked: &Asked, is_copy: bool) {
        let Placed { at, note } = placed;
        let log = asked.key.as_ref().map(|key| key.log());
        // a copy may hold the checkpoints of several trails
        if is_copy && log.is_some_and(|log| log != note.checkpoint.log) {
            return;
        }
        let tally = if is_copy { self.copy.get_or_insert_default() } else { &mut self.tally };
        tally.read += 1;
        let signed = asked.key.as_ref().map(|key| note.verify(key));
        match signed {
            Some(Ok(())) => tally.signed += 1,
            Some(Err(why)) => {
                let code = if why == Untrusted::OtherKey { "other-key" } else { "bad-signature" };
                let message =
                    format!("the checkpoint of {} lines of file {} does not count: {why}", note.checkpoint.size, note.checkpoint.file);
                return self.early.push(finding(Level::Tampered, code, at, message));
            }
            None => {}
        }
        let seal = Seal { checkpoint: note.checkpoint.clone(), at: at.clone(), is_copy };
        self.waiting.entry(note.checkpoint.file).or_default().push(seal);
    }

    fn nothing_of(&mut self, notes: &Notes, asked: &Asked, is_copy: bool) {
        let at = notes.path.as_deref().map(|path| Place { path: path.into(), line: 1 });
        let Some(at) = at.filter(|_| is_copy && self.copy.is_some_and(|copy| copy.read == 0)) else { return };
        let others: Option<&str> = notes.notes.first().map(|placed| placed.note.checkpoint.log.as_str());
        let message = match (others, &asked.key) {
            (Some(other), Some(key)) => format!("the copy has checkpoints of the trail {other}, none of {}", key.log()),
            _ => "the copy has no checkpoint".to_owned(),
        };
        let (level, code) = if others.is_some() { (Level::Tampered, "copy-of-another") } else { (Level::Incomplete, "empty-copy") };
        self.early.push(finding(level, code, &at, message));
    }

    /// A file begins.
    pub fn file(&mut self, number: Option<u32>) {
        self.current = number.and_then(|number| self.waiting.remove(&number)).unwrap_or_default();
        (self.tree, self.good, self.lost) = (Tree::default(), 0, false);
    }

    /// A line of it. Its leaf is only hashed where a checkpoint over it is to come.
    pub fn line(&mut self, bytes: &[u8], link: &Link, report: &mut Report) {
        if !self.current.is_empty() {
            self.leaf(merkle::leaf(bytes), link, report);
        }
    }

    /// A leaf of it.
    pub fn leaf(&mut self, leaf: Hash, link: &Link, report: &mut Report) {
        let (digest, sequence, at) = (link.digest, link.sequence, &link.place);
        self.tree.push(leaf);
        while let Some(seal) = self.current.pop_if(|seal| seal.checkpoint.size <= self.tree.size()) {
            let signed = &seal.checkpoint;
            let matches = signed.root == self.tree.root() && signed.last == digest && Some(signed.sequence) == sequence;
            let tally = if seal.is_copy { self.copy.get_or_insert_default() } else { &mut self.tally };
            tally.compared += 1;
            if matches {
                tally.matched += 1;
                tally.until = tally.until.max(sequence);
                self.good = signed.size;
                self.last_good = sequence.map(|sequence| (sequence, seal.is_copy));
            } else if !self.lost {
                self.lost = true;
                self.differs(&seal, at, report);
            }
        }
    }

    fn differs(&self, seal: &Seal, at: &Place, report: &mut Report) {
        let lines = range("line", self.good + 1, seal.checkpoint.size);
        let by = if seal.is_copy { "the copy's checkpoint" } else { "the checkpoint" };
        let message = format!("{lines} of this file are not what was signed");
        let mut details =
            vec![format!("{by} in {} is over {} lines, to record {}", seal.at, seal.checkpoint.size, seal.checkpoint.sequence)];
        details.extend(self.last_good.map(|(sequence, _)| format!("the last record that a checkpoint holds for is {sequence}")));
        report.add(Finding { details, ..finding(Level::Tampered, "checkpoint-mismatch", at, message) });
    }

    /// A file's end; `finished` where it says itself that nothing follows in it and that it is signed.
    pub fn end(&mut self, finished: bool, at: &Place, report: &mut Report) {
        if let Some(furthest) = self.current.first() {
            let signed = &furthest.checkpoint;
            let message = format!(
                "the file ends here, but {} lines of it were signed: {} to record {} are missing",
                signed.size,
                range("line", at.line + 1, signed.size),
                signed.sequence
            );
            let details = vec![format!("the checkpoint stands in {}", furthest.at)];
            report.add(Finding { details, ..finding(Level::Tampered, "tail-cut", at, message) });
        }
        let unsigned = self.good < at.line && !self.lost && self.current.is_empty();
        if finished && unsigned && self.tally.read > 0 {
            let message = format!(
                "no checkpoint holds for {}, though the file was finished: it was not written, or it was removed",
                range("line", self.good + 1, at.line)
            );
            report.find(Level::Incomplete, "unsigned-end", at, message);
        } else if finished && self.tally.read == 0 && report.findings.iter().all(|found| found.code != "no-checkpoints") {
            let message = "the file was finished, so it was signed, but there are no checkpoints beside the trail".to_owned();
            report.find(Level::Tampered, "no-checkpoints", at, message);
        }
        self.current.clear();
    }

    /// What is known before a line is read.
    pub fn begin(&mut self, report: &mut Report) {
        self.early.drain(..).for_each(|finding| report.add(finding));
    }

    /// The end of the trail; `last` is the last file's number.
    pub fn finish(&mut self, last: Option<u32>, whole: bool, report: &mut Report) {
        let after = last.map(|last| self.waiting.split_off(&(last + 1))).unwrap_or_default();
        if let Some((number, seals)) = after.last_key_value().filter(|_| whole) {
            report.files.missing += u64::from(number - last.unwrap_or(0));
            for seal in seals.iter().take(1) {
                let message = format!(
                    "file {number} is missing at the end of the trail: {} lines of it were signed, to record {}",
                    seal.checkpoint.size, seal.checkpoint.sequence
                );
                report.add(finding(Level::Tampered, "file-missing", &seal.at, message));
            }
        }
        if let (None, Some(at), true) = (&report.key, &self.own, self.tally.read > 0) {
            report.find(Level::Incomplete, "no-key", at, "the signatures are not checked: there is no key".to_owned());
        }
        (report.checkpoints, report.copy) = (self.tally, self.copy);
    }
}

fn finding(level: Level, code: &'static str, at: &Place, message: String) -> report::Finding {
    Finding { level, code, at: at.clone(), message, details: Vec::new() }
}
