//! What the writer does beside writing: checkpoints, and changes of files.
//! Knows nothing of jobs and answers.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Map, json};

use super::{Line, Step, Writer};
use crate::audit::chain::event;

/// How long until a checkpoint or a rotation that failed is tried again.
const LATER: Duration = Duration::from_secs(5);

impl Writer {
    pub(super) fn seal_if_due(&mut self, now: Instant) {
        let new = self.chain.tree.size().saturating_sub(self.sealed);
        let due = new > 0 && (new >= self.settings.checkpoint_records || now >= self.seal_at);
        if due && self.failing.is_none() && self.seal_after.is_none_or(|after| after <= now) && !self.seal() {
            self.seal_after = Some(now + LATER);
        }
    }

    /// Signs how far the file goes. What it says must be on disk first, or a power cut would look like tampering.
    pub(super) fn seal(&mut self) -> bool {
        let Some(note) = self.key.as_ref().map(|key| key.sign(&self.chain.checkpoint())) else { return true };
        if self.chain.tree.size() == self.sealed {
            return true;
        }
        self.shared.begin();
        if let Err(error) = self.sync() {
            // a system tells this once: what was not on disk then may never be
            self.fail(&error, Instant::now());
            return false;
        }
        if let Err(error) = self.disk.note(&note) {
            tracing::error!(%error, "a checkpoint of the trail cannot be written");
            return false;
        }
        (self.sealed, self.seal_after) = (self.chain.tree.size(), None);
        self.seal_at = Instant::now() + self.settings.checkpoint_interval;
        true
    }

    pub(super) fn rotate_if_due(&mut self, now: Instant) {
        let full = self.settings.rotate_size.is_some_and(|size| self.length >= size) || self.rotate_at.is_some_and(|at| at <= now);
        let due = self.step != Step::Steady || (full && self.rotate_after.is_none_or(|after| after <= now));
        if !due || self.failing.is_some() || !self.disk.can_cut() {
            return;
        }
        if self.step == Step::Steady {
            if let Err(error) = self.disk.set_aside(self.chain.file) {
                tracing::error!(%error, "the trail cannot be rotated");
                self.rotate_after = Some(now + LATER);
                return;
            }
            self.step = Step::Aside;
        }
        if let Err(error) = self.rotate(now) {
            self.fail(&error, now);
        }
    }

    /// The last line and checkpoint of a file, the next file, and then what is too old goes.
    fn rotate(&mut self, now: Instant) -> io::Result<()> {
        if self.step == Step::Aside {
            self.removes = self.settings.keep_files.map_or(Ok(Vec::new()), |keep| self.disk.excess(keep)).unwrap_or_default();
            let detail = json!({ "file": self.chain.file, "next": self.chain.file + 1, "removes": self.removes });
            self.put(&[Line::of(event("rotate", &detail))], true).map_err(|(error, _)| error)?;
            let _said_in_the_log = self.seal();
            self.step = Step::Ended;
        }
        self.next_file(now)?;
        self.put(&[], true).map_err(|(error, _)| error)?;
        let removes = std::mem::take(&mut self.removes);
        if !removes.is_empty()
            && let Err(error) = self.disk.remove(&removes)
        {
            tracing::error!(%error, "an old file of the trail cannot be removed");
        }
        Ok(())
    }

    pub(super) fn next_file(&mut self, now: Instant) -> io::Result<()> {
        self.disk.begin()?;
        self.chain.next_file();
        (self.length, self.sealed, self.step) = (0, 0, Step::Steady);
        (self.dirty, self.rotate_after) = (false, None);
        self.rotate_at = self.settings.rotate_interval.map(|interval| now + interval);
        self.opening = Some(Map::from_iter([("previous-file".to_owned(), json!(self.disk.name(self.chain.file - 1)))]));
        Ok(())
    }
}
