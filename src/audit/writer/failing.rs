//! A trail that cannot be written: what is kept until it can, what is counted as missing, and how it goes on.
//! Knows nothing of why it fails.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Line, Step, Writer};
use crate::audit::chain::{self, event};

/// How long until a write that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// Without as much room a disk that was full still is: the last page of a file takes a line or two before it fails again.
const LEAST_ROOM: u64 = 16 << 10;
/// Lines of outcomes, ends and events that are kept while nothing can be written, and their bytes.
const BACKLOG: usize = 1024;
const BACKLOG_BYTES: usize = 8 << 20;

impl Writer {
    /// From now on nothing can be written.
    pub(super) fn fail(&mut self, error: &io::Error, now: Instant) {
        if self.failing.is_none() {
            tracing::error!(%error, "the trail cannot be written");
            let mut gap = self.shared.take_gap().unwrap_or_default();
            gap.touch(Timestamp::now());
            gap.error = error.to_string();
            self.failing = Some((now, gap));
        }
        if let Some((at, _)) = &mut self.failing {
            *at = now + RETRY;
        }
        self.shared.set_failing(true);
    }

    /// What becomes of a line that cannot be written now.
    pub(super) fn spare(&mut self, line: Line) {
        if line.awaited {
            return; // whoever waits refuses the request, or counts it
        }
        let kept = matches!(chain::stage(&line.text), "outcome" | "end" | "event");
        if kept && self.backlog.len() < BACKLOG && self.backlog_bytes + line.text.len() <= BACKLOG_BYTES {
            self.backlog_bytes += line.text.len();
            self.backlog.push_back(line);
        } else {
            self.shared.count(line.records, "the trail cannot be written");
        }
    }

    /// Tries to go on: first what is missing is told, then what was kept is written.
    pub(super) fn retry(&mut self, now: Instant) {
        let Some((_, mut gap)) = self.failing.take() else { return };
        if self.disk.room() < LEAST_ROOM {
            self.failing = Some((now + RETRY, gap));
            return;
        }
        if let Some(newer) = self.shared.take_gap() {
            gap.records += newer.records;
        }
        gap.touch(Timestamp::now());
        let mut lines = vec![Line::of(event("gap", &gap.detail()))];
        lines.extend(self.backlog.drain(..));
        let cut = if self.dirty && self.disk.can_cut() { self.disk.cut(self.length) } else { Ok(()) };
        let begun = cut.and_then(|()| if self.step == Step::Ended { self.next_file(now) } else { Ok(()) });
        let done = begun.map_err(|error| (error, 0)).and_then(|()| {
            self.dirty &= !self.disk.can_cut();
            self.put(&lines, true)
        });
        match done {
            Ok(()) => {
                tracing::info!(records = gap.records, "the trail is written again; records that are missing were counted");
                self.backlog_bytes = 0;
                self.shared.set_failing(false);
            }
            Err((_, kept)) => {
                self.backlog = lines.into_iter().skip(kept.max(1)).collect();
                self.failing = Some((now + RETRY, gap));
            }
        }
    }
}
