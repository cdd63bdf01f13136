//! The one thread that writes the trail: numbers and chains lines, and writes a batch at once.
//! Knows nothing of requests; of records only their stage.

mod failing;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::chain::{Chain, event};
use super::checkpoint::SecretKey;
use super::files::Disk;
use super::fold::Fold;
use super::queue::{Gap, Job, Shared, What};
use super::settings::{Settings, Sync};

/// Where writing begins.
pub(super) struct Start {
    pub disk: Box<dyn Disk>,
    pub chain: Chain,
    /// Good bytes of the current file.
    pub length: u64,
    /// When the current file began, where it is not new.
    pub born: Option<Timestamp>,
    /// Signs checkpoints, where there are any.
    pub key: Option<SecretKey>,
    pub redaction: [u8; 32],
    /// What the event `open` says beside the usual.
    pub opening: Map<String, Value>,
    /// Events that follow it.
    pub events: Vec<(&'static str, Value)>,
}

/// A line that is to be written.
struct Line {
    text: String,
    /// Records that it stands for.
    records: u64,
    /// Someone waits for it, and hears when it cannot be written.
    awaited: bool,
}

impl Line {
    fn of(text: String) -> Self {
        Self { text, records: 1, awaited: false }
    }
}

/// How far a change of files has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// None is going on.
    Steady,
    /// The file has its final name and gets its last line.
    Aside,
    /// The next file is to be made.
    Ended,
}

/// The writer.
pub(super) struct Writer {
    disk: Box<dyn Disk>,
    chain: Chain,
    length: u64,
    key: Option<SecretKey>,
    settings: Settings,
    shared: Arc<Shared>,
    fold: Fold,
    /// The detail of an event `open` that the current file still lacks.
    opening: Option<Map<String, Value>>,
    events: Vec<(&'static str, Value)>,
    /// When a failed write is tried again, and since when they fail.
    failing: Option<(Instant, Gap)>,
    /// Bytes after the good ones may be in the file.
    dirty: bool,
    /// Good lines may not be on disk yet.
    unsynced: bool,
    backlog: VecDeque<Line>,
    backlog_bytes: usize,
    step: Step,
    removes: Vec<String>,
    rotate_at: Option<Instant>,
    rotate_after: Option<Instant>,
    sealed: u64,
    seal_at: Instant,
    seal_after: Option<Instant>,
    buffer: Vec<u8>,
}

impl Writer {
    pub fn new(start: Start, settings: &Settings, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        let age = start.born.and_then(|born| Duration::try_from(Timestamp::now() - born).ok()).unwrap_or_default();
        Self {
            sealed: 0,
            seal_at: now + settings.checkpoint_interval,
            seal_after: None,
            rotate_at: settings.rotate_interval.map(|interval| now + interval.saturating_sub(age)),
            rotate_after: None,
            fold: Fold::new(settings.fold_above),
            settings: settings.clone(),
            disk: start.disk,
            chain: start.chain,
            length: start.length,
            key: start.key,
            shared,
            opening: Some(start.opening),
            events: start.events,
            failing: None,
            dirty: false,
            unsynced: false,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            step: Step::Steady,
            removes: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Writes what every start begins with.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn open(&mut self) -> io::Result<()> {
        let events: Vec<Line> = self.events.drain(..).map(|(name, detail)| Line::of(event(name, &detail))).collect();
        self.put(&events, true).map_err(|(error, _)| error)
    }

    /// Writes until the trail is closed or its last handle is gone.
    pub fn run(mut self) {
        loop {
            let longest = self.next().map(|next| next.saturating_duration_since(Instant::now()));
            let (jobs, more) = self.shared.take(longest);
            self.shared.begin();
            let closed = self.work(jobs, Instant::now());
            self.shared.rest();
            if let Some((answer, written)) = closed {
                self.shared.end();
                drop(self); // the file is free before anyone hears that it is
                let _nobody_waits_any_more = answer.map(|answer| answer.send(written));
                return;
            }
            if !more {
                self.drain(Instant::now());
                return self.shared.end();
            }
        }
    }

    /// When there is something to do without a job.
    fn next(&self) -> Option<Instant> {
        let retry = self.failing.as_ref().map(|(at, _)| *at);
        let unsealed = self.key.is_some() && self.failing.is_none() && self.chain.tree.size() > self.sealed;
        let seal = unsealed.then(|| self.seal_after.unwrap_or(self.seal_at));
        let rotate = self.rotate_at.filter(|_| self.failing.is_none()).map(|at| self.rotate_after.map_or(at, |after| after.max(at)));
        let gap = (self.failing.is_none() && self.shared.has_gap()).then(Instant::now);
        [retry, seal, rotate, gap, self.fold.next()].into_iter().flatten().min()
    }

    /// One round. Returns who waits for the end, and whether all is written, where it was asked for.
    pub(super) fn work(&mut self, jobs: Vec<Job>, now: Instant) -> Option<(Option<oneshot::Sender<bool>>, bool)> {
        let (mut lines, mut answers, mut closing, mut room) = (Vec::new(), Vec::new(), None, 0);
        for job in jobs {
            room += job.cost() as usize;
            if job.given_up() {
                continue;
            }
            match job.what {
                What::Line(line) if job.answer.is_some() => lines.push(Line { text: line.text, records: 1, awaited: true }),
                What::Line(line) => self.fold.take(line, now, |(text, records)| lines.push(Line { text, records, awaited: false })),
                What::Flush => self.fold.drain(|(text, records)| lines.push(Line { text, records, awaited: false })),
                What::Close => {
                    closing = Some(job.answer);
                    continue;
                }
            }
            answers.extend(job.answer);
        }
        let durable = !answers.is_empty();
        let written = self.lines(lines, durable, now);
        for answer in answers {
            let _nobody_waits_any_more = answer.send(written);
        }
        self.shared.room.add_permits(room);
        if let Some(answer) = closing {
            return Some((answer, self.close(now)));
        }
        self.seal_if_due(now);
        self.rotate_if_due(now);
        None
    }

    /// Writes lines, and what is due; false where lines that are waited for were not written.
    fn lines(&mut self, mut lines: Vec<Line>, durable: bool, now: Instant) -> bool {
        self.fold.due(now, |(text, records)| lines.push(Line { text, records, awaited: false }));
        if self.failing.as_ref().is_some_and(|(at, _)| *at <= now) {
            self.retry(now);
        }
        if self.failing.is_some() {
            lines.into_iter().for_each(|line| self.spare(line));
            return false;
        }
        if let Some(gap) = self.shared.take_gap() {
            lines.insert(0, Line::of(event("gap", &gap.detail())));
        }
        let nothing = lines.is_empty() && !durable;
        match if nothing { Ok(()) } else { self.put(&lines, durable) } {
            Ok(()) => {
                self.shared.give_back(lines.into_iter().map(|line| line.text));
                true
            }
            Err((error, kept)) => {
                self.fail(&error, now);
                lines.into_iter().skip(kept).for_each(|line| self.spare(line));
                false
            }
        }
    }

    /// Writes lines with one write. On failure the file is as it was before, or will be cut back to that; `kept` is how many lines of
    /// a stream went out all the same.
    fn put(&mut self, lines: &[Line], durable: bool) -> Result<(), (io::Error, usize)> {
        let (mut next, mut out, mut ends) = (self.chain.clone(), std::mem::take(&mut self.buffer), Vec::new());
        out.clear();
        if self.dirty && !self.disk.can_cut() {
            out.push(b'\n'); // ends what broke off
        }
        if let Some(opening) = &self.opening {
            next.add(&event("open", &self.open_detail(opening)), &mut out);
            ends.push((out.len(), next.clone()));
        }
        let opens = ends.len();
        for line in lines {
            next.add(&line.text, &mut out);
            if !self.disk.can_cut() {
                ends.push((out.len(), next.clone()));
            }
        }
        self.shared.begin();
        let (written, result) = self.write(&out, durable);
        let done = match result {
            Ok(()) => {
                (self.chain, self.opening, self.dirty) = (next, None, false);
                self.length += out.len() as u64;
                if let Some(told) = self.shared.written.get() {
                    told();
                }
                Ok(())
            }
            Err(error) if self.disk.can_cut() => {
                self.dirty = self.disk.cut(self.length).is_err();
                Err((error, 0))
            }
            Err(error) => {
                let kept = ends.iter().filter(|(end, _)| *end <= written).count();
                self.dirty |= ends.get(..kept).and_then(<[_]>::last).map_or(0, |(end, _)| *end) < written;
                if let Some((_, chain)) = kept.checked_sub(1).and_then(|last| ends.get(last)) {
                    (self.chain, self.opening) = (chain.clone(), None);
                }
                Err((error, kept.saturating_sub(opens)))
            }
        };
        self.buffer = out;
        done
    }

    fn write(&mut self, bytes: &[u8], durable: bool) -> (usize, io::Result<()>) {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.disk.write(rest) {
                Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Err(error)),
            }
        }
        let sync = match self.settings.sync {
            Sync::Changes => durable,
            Sync::All => true,
            Sync::None => false,
        };
        self.unsynced = true;
        (written, if sync { self.sync() } else { Ok(()) })
    }

    /// Puts on disk what may not be there yet.
    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.disk.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }

    fn open_detail(&self, more: &Map<String, Value>) -> Value {
        let text = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let mut detail = json!({
            "log": self.chain.log,
            "file": self.chain.file,
            "version": env!("CARGO_PKG_VERSION"),
            "host": text("/proc/sys/kernel/hostname"),
            "boot": text("/proc/sys/kernel/random/boot_id"),
            "first": self.chain.sequence + 1,
        });
        if let Value::Object(members) = &mut detail {
            members.extend(self.key.iter().map(|key| ("key".to_owned(), key.public().id().into())));
            members.extend(more.clone());
        }
        detail
    }

    /// The end: everything that waits, `close`, and the last checkpoint.
    fn close(&mut self, now: Instant) -> bool {
        self.drain(now);
        let end = Line { awaited: true, ..Line::of(event("close", &json!({ "lost": self.shared.lost() }))) };
        let written = self.lines(vec![end], true, now);
        if !written {
            tracing::error!(records = self.backlog.len(), "the trail was not closed; these records are not on it");
        }
        written && self.sync().is_ok() && self.seal()
    }

    /// Writes what waits for its time, whatever that is.
    fn drain(&mut self, now: Instant) {
        let mut lines = Vec::new();
        self.fold.drain(|(text, records)| lines.push(Line { text, records, awaited: false }));
        if let Some((at, _)) = &mut self.failing {
            *at = now;
        }
        self.lines(lines, true, now);
    }
}
