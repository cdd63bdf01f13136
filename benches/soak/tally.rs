//! What was sent and what came of it: every request is answered, or was broken off on purpose, or is lost.
//! Knows nothing of what is asked.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::{Head, Wire};

/// How many faults are shown.
const SHOWN: usize = 20;

/// Counts of one kind of work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub sent: u64,
    pub answered: u64,
    /// Broken off by the client on purpose, before it had read a reply's head.
    pub broken: u64,
    /// Neither: what must not be.
    pub lost: u64,
}

/// Everything that clients saw.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Seen>);

#[derive(Debug, Default)]
pub struct Seen {
    pub works: BTreeMap<&'static str, Counts>,
    /// The status that came with each record's id.
    pub replies: HashMap<String, u16>,
    pub faults: Vec<String>,
    /// What was wrong with replies that did come: statuses, bytes.
    pub wrong: u64,
    /// Requests that dockgate refused because the disk did not take their intent in time: as it should, but not what was wanted.
    pub disk: u64,
    pub created: u64,
    pub removed: u64,
    pub echoed: u64,
    pub reloads: u64,
}

/// A step that went wrong; what it was is counted already.
#[derive(Debug)]
pub struct Lost;

impl Tally {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, work: &'static str, what: impl FnOnce(&mut Counts)) {
        what(self.seen().works.entry(work).or_default());
    }

    pub fn sent(&self, work: &'static str) {
        self.count(work, |counts| counts.sent += 1);
    }

    pub fn broken(&self, work: &'static str) {
        self.count(work, |counts| counts.broken += 1);
    }

    /// A head came; its record must be found in the trail.
    pub fn answered(&self, work: &'static str, head: &Head) {
        self.count(work, |counts| counts.answered += 1);
        match &head.reference {
            Some(reference) => drop(self.seen().replies.insert(reference.clone(), head.status)),
            None => self.wrong(work, "a reply without `Dockgate-Ref`"),
        }
    }

    /// No head came.
    pub fn lost(&self, work: &'static str, why: &io::Error) -> Lost {
        self.count(work, |counts| counts.lost += 1);
        self.fault(format!("{work}: no reply: {why}"));
        Lost
    }

    /// Something came that is not what should have come.
    pub fn wrong(&self, work: &'static str, why: &str) {
        self.seen().wrong += 1;
        self.fault(format!("{work}: {why}"));
    }

    fn fault(&self, text: String) {
        let mut seen = self.seen();
        if seen.faults.len() < SHOWN {
            seen.faults.push(text);
        }
    }

    /// Sends a request and reads the head of its reply.
    pub fn head(&self, work: &'static str, wire: &mut Wire, bytes: &[u8], wanted: &[u16]) -> Result<Head, Lost> {
        self.sent(work);
        let head = wire.send(bytes).and_then(|()| wire.head()).map_err(|error| self.lost(work, &error))?;
        self.answered(work, &head);
        if !wanted.contains(&head.status) {
            let body = wire.body(&head).map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
            if head.status == 503 && body.contains("[trail]") {
                self.seen().disk += 1;
                return Err(Lost);
            }
            self.wrong(work, &format!("{} and not one of {wanted:?}: {body}", head.status));
            return Err(Lost);
        }
        Ok(head)
    }

    /// Sends a request and reads its whole reply.
    pub fn ask(&self, work: &'static str, wire: &mut Wire, bytes: &[u8], wanted: &[u16]) -> Result<(u16, Vec<u8>), Lost> {
        let head = self.head(work, wire, bytes, wanted)?;
        let body = wire.body(&head).map_err(|error| {
            self.wrong(work, &format!("a reply that breaks off: {error}"));
            Lost
        })?;
        Ok((head.status, body))
    }

    /// Bytes that should be these.
    pub fn same(&self, work: &'static str, found: &[u8], wanted: &[u8]) -> Result<(), Lost> {
        if found == wanted {
            return Ok(());
        }
        self.wrong(work, &format!("{} bytes came, and not the {} that should", found.len(), wanted.len()));
        Err(Lost)
    }

    pub fn totals(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.seen().works.values() {
            total.sent += counts.sent;
            total.answered += counts.answered;
            total.broken += counts.broken;
            total.lost += counts.lost;
        }
        total
    }
}
