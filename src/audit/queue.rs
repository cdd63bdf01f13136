//! What lies between the trail's handles and its writer: a queue that is bounded in records and bytes, and how the writer is.
//! Knows nothing of files.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use super::chain::moment;
use super::merkle::Hash;

/// Bytes that may wait for the writer.
const ROOM: u32 = 16 << 20;
/// What a record takes of it at least, so that no more than 4096 wait.
const LEAST: u32 = 4 << 10;
/// Bytes that one write gathers, unless a single record is longer.
const BATCH: usize = 1 << 20;
/// How long records that nobody waits for are gathered before they are written: a wake-up for each would cost more than the record.
const GATHER: Duration = Duration::from_millis(5);
/// So many are written at once, without waiting for more.
const MANY: usize = 1024;
/// Written records whose texts are kept to be filled again, and the largest of these: they are made by one thread and let go by
/// another, which no allocator likes. Never more than twice as many as were written last, so that a burst leaves nothing behind.
const SPARE: usize = 1024;
const SPARE_TEXT: usize = 2048;
/// Inside one write for longer than this, the file system is called stalled.
const STALLED: Duration = Duration::from_secs(1);

/// A record on its way to the writer.
#[derive(Debug)]
pub struct Entry {
    /// From `"id":` on.
    pub(super) text: String,
    /// What it has in common with identical denials; `None` for anything but a denial.
    pub(super) kind: Option<Hash>,
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self { text, kind: None }
    }
}

/// What the writer is handed.
#[derive(Debug)]
pub(super) enum What {
    /// A record.
    Line(Entry),
    /// Nothing: the answer comes when everything before is written.
    Flush,
    /// The end.
    Close,
}

/// Something for the writer, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub what: What,
    pub answer: Option<oneshot::Sender<bool>>,
}

impl Job {
    /// What it takes of the queue's room.
    pub fn cost(&self) -> u32 {
        match &self.what {
            What::Line(line) => u32::try_from(line.text.len()).unwrap_or(u32::MAX).clamp(LEAST, ROOM),
            What::Flush | What::Close => LEAST,
        }
    }

    /// True where who waited has given up: its request was refused, so nothing is to be written of it.
    pub fn given_up(&self) -> bool {
        self.answer.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// Records that are not on the trail.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub records: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub error: String,
}

impl Gap {
    fn add(&mut self, records: u64, error: &str) {
        self.records += records;
        self.touch(Timestamp::now());
        if self.error.is_empty() {
            error.clone_into(&mut self.error);
        }
    }

    /// Stretches it to a moment.
    pub fn touch(&mut self, now: Timestamp) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// The detail of its event.
    pub fn detail(&self) -> Value {
        json!({ "records": self.records, "first": self.first.map(moment), "last": self.last.map(moment), "error": self.error })
    }
}

/// What handles and writer share.
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// Bytes that are free in the queue.
    pub room: Semaphore,
    failing: AtomicBool,
    /// When the writer began what it does, in milliseconds from `base` and one; 0 while it waits.
    busy: AtomicU64,
    base: Instant,
    /// Milliseconds that tests let pass.
    skipped: AtomicU64,
    gap: Mutex<Gap>,
    spare: Mutex<Vec<String>>,
    lost: AtomicU64,
    /// Told after every write.
    pub written: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
    /// The writer has nothing to do, and sleeps until it has.
    idle: bool,
    /// What waits must be written now.
    urgent: bool,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room: Semaphore::new(ROOM as usize),
            failing: AtomicBool::new(false),
            busy: AtomicU64::new(0),
            base: Instant::now(),
            skipped: AtomicU64::new(0),
            gap: Mutex::default(),
            spare: Mutex::default(),
            lost: AtomicU64::new(0),
            written: OnceLock::new(),
        }
    }

    /// Hands a job over; its room must have been taken. False where the writer has ended.
    pub fn push(&self, job: Job) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return false;
        }
        let awaited = job.answer.is_some();
        waiting.jobs.push_back(job);
        let urgent = !waiting.urgent && (awaited || waiting.jobs.len() >= MANY);
        waiting.urgent |= urgent;
        let wakes = std::mem::take(&mut waiting.idle) || urgent;
        drop(waiting); // who wakes up takes it at once
        if wakes {
            self.arrived.notify_one();
        }
        true
    }

    /// The next jobs, and whether more may come. Waits for the first, but not longer than `longest`, and then a moment for more,
    /// unless someone waits for what is there.
    pub fn take(&self, longest: Option<Duration>) -> (Vec<Job>, bool) {
        let mut waiting = lock(&self.waiting);
        if waiting.jobs.is_empty() && !waiting.closed {
            waiting.idle = true;
            let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
            waiting = match longest {
                None => self.arrived.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner),
                Some(longest) => self.arrived.wait_timeout_while(waiting, longest, idle).unwrap_or_else(PoisonError::into_inner).0,
            };
            waiting.idle = false;
        }
        if !waiting.jobs.is_empty() {
            let gather = longest.map_or(GATHER, |longest| longest.min(GATHER));
            let more = |waiting: &mut Waiting| !waiting.urgent && !waiting.closed;
            waiting = self.arrived.wait_timeout_while(waiting, gather, more).unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut jobs, mut bytes) = (Vec::with_capacity(waiting.jobs.len()), 0);
        while bytes < BATCH
            && let Some(job) = waiting.jobs.pop_front()
        {
            bytes += job.cost() as usize / 4;
            jobs.push(job);
        }
        waiting.urgent = !waiting.jobs.is_empty();
        (jobs, !waiting.closed || !waiting.jobs.is_empty())
    }

    /// An empty text, with room where one is left.
    pub fn text(&self) -> String {
        lock(&self.spare).pop().unwrap_or_default()
    }

    /// Takes back texts that were written.
    pub fn give_back(&self, texts: impl ExactSizeIterator<Item = String>) {
        let most = SPARE.min(2 * texts.len());
        let mut spare = lock(&self.spare);
        spare.truncate(most);
        spare.shrink_to(2 * most);
        let room = most - spare.len();
        for mut text in texts.filter(|text| text.capacity() <= SPARE_TEXT).take(room) {
            text.clear();
            spare.push(text);
        }
    }

    /// Nothing more comes from handles, and who waits for room hears so.
    pub fn close(&self) {
        lock(&self.waiting).closed = true;
        self.room.close();
        self.arrived.notify_one();
    }

    /// The writer has ended: what still waits gets no answer.
    pub fn end(&self) {
        self.close();
        lock(&self.waiting).jobs.clear();
    }

    /// The writer begins something that may block.
    pub fn begin(&self) {
        self.busy.store(self.now() + 1, Ordering::Release);
    }

    /// The writer is back.
    pub fn rest(&self) {
        self.busy.store(0, Ordering::Release);
    }

    /// True while the writer hangs in the file system.
    pub fn stalled(&self) -> bool {
        let busy = self.busy.load(Ordering::Acquire);
        busy != 0 && u128::from((self.now() + 1).saturating_sub(busy)) > STALLED.as_millis()
    }

    /// True while writes fail.
    pub fn failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Release);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX - 1).saturating_add(self.skipped.load(Ordering::Acquire))
    }

    /// Lets time pass for what decides about stalls.
    #[cfg(test)]
    pub fn skip(&self, time: Duration) {
        self.skipped.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::AcqRel);
    }

    /// Counts records that will not be on the trail.
    pub fn count(&self, records: u64, error: &str) {
        if records > 0 {
            self.lost.fetch_add(records, Ordering::AcqRel);
            lock(&self.gap).add(records, error);
        }
    }

    /// All that were counted.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// True where something was counted that no event tells yet.
    pub fn has_gap(&self) -> bool {
        lock(&self.gap).records > 0
    }

    /// Takes what was counted since the last time, if anything was.
    pub fn take_gap(&self) -> Option<Gap> {
        let mut gap = lock(&self.gap);
        (gap.records > 0).then(|| std::mem::take(&mut *gap))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_records_leaves_no_more_texts_than_are_in_use() {
        let shared = Shared::new();
        let kept = || lock(&shared.spare).len();
        shared.give_back((0..900).map(|_| "x".to_owned()));
        assert_eq!((kept(), shared.text().as_str()), (900, ""));
        shared.give_back([String::with_capacity(SPARE_TEXT + 1), "x".to_owned()].into_iter());
        assert_eq!(kept(), 4);
        shared.give_back(std::iter::once("x".to_owned()));
        assert_eq!(kept(), 2);
    }
}
