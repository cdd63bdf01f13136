//! The handle of the trail: hands lines to the writer, waits where that is asked for, and never for longer than two seconds.
//! Knows nothing of what a record says and of how it is written.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::chain;
use super::files::{Disk, Stream};
use super::open;
use super::queue::{Entry, Job, Shared, What};
use super::redact::Redactor;
use super::settings::{OnFailure, Settings};
use super::writer::{Start, Writer};

/// How long a request waits for its record before it is refused or counted.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the last lines and the last checkpoint may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Why a record is not on the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrailError {
    /// The writer did not take or write it in time.
    #[error("the trail did not take the record in time")]
    Slow,
    /// The writer could not write.
    #[error("the trail cannot be written")]
    Broken,
}

/// How the trail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is written.
    Healthy,
    /// Writes fail; they are tried again four times a second.
    Failing,
    /// The file system does not answer.
    Stalled,
}

/// A handle of the trail; cheap to clone. The writer ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Trail {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    on_failure: OnFailure,
    redactor: Redactor,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Trail {
    /// A trail as the settings say; its file is read, repaired where a crash tore it, and continued.
    ///
    /// # Errors
    /// When the file, its key or its checkpoints cannot be opened or written, or another process writes them.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        match &settings.file {
            Some(file) => Self::start(open::file(file, settings)?, settings),
            None => Self::start(open::stream(Box::new(Stream::new(Box::new(io::stdout()))))?, settings),
        }
    }

    /// A trail on standard output.
    ///
    /// # Errors
    /// When the writer's thread cannot be started.
    pub fn stdout() -> io::Result<Self> {
        Self::open(&Settings::default())
    }

    /// A trail in a file, with the usual settings.
    ///
    /// # Errors
    /// As [`Trail::open`].
    pub fn file(path: &Path) -> io::Result<Self> {
        Self::open(&Settings::of(path))
    }

    /// A trail to any writer; each call of `write` gets whole lines.
    ///
    /// # Errors
    /// When the writer's thread cannot be started.
    pub fn to(sink: Box<dyn Write + Send>) -> io::Result<Self> {
        Self::with(sink, &Settings::default())
    }

    /// The same with these settings, as far as they are not about files.
    ///
    /// # Errors
    /// As [`Trail::to`].
    pub fn with(sink: Box<dyn Write + Send>, settings: &Settings) -> io::Result<Self> {
        Self::on(Box::new(Stream::new(sink)), settings)
    }

    pub(super) fn on(disk: Box<dyn Disk>, settings: &Settings) -> io::Result<Self> {
        Self::start(open::stream(disk)?, settings)
    }

    /// What hides secrets in this trail's records.
    pub fn redactor(&self) -> &Redactor {
        &self.handle.redactor
    }

    fn start(start: Start, settings: &Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let redactor = Redactor::new(start.redaction);
        let mut writer = Writer::new(start, settings, Arc::clone(&shared));
        writer.open()?;
        std::thread::Builder::new().name("trail".to_owned()).spawn(move || writer.run())?;
        Ok(Self { handle: Arc::new(Handle { shared, on_failure: settings.on_failure, redactor }) })
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// An empty text for a record, which comes back when the record is written.
    pub(super) fn text(&self) -> String {
        self.shared().text()
    }

    /// How the trail is now.
    pub fn state(&self) -> State {
        match (self.shared().stalled(), self.shared().failing()) {
            (true, _) => State::Stalled,
            (false, true) => State::Failing,
            (false, false) => State::Healthy,
        }
    }

    /// False where reads are refused too because the trail cannot be written.
    pub fn admits_reads(&self) -> bool {
        self.handle.on_failure != OnFailure::DenyAll || self.state() == State::Healthy
    }

    /// Records that are not on the trail and were counted instead, since it was opened.
    pub fn lost(&self) -> u64 {
        self.shared().lost()
    }

    /// Calls this after every write, on the writer's thread; only the first call counts.
    pub fn on_written(&self, told: impl Fn() + Send + Sync + 'static) {
        let _only_the_first = self.shared().written.set(Box::new(told));
    }

    /// Hands over a record and waits until it is written, and on disk as the settings say; what must be on record before its
    /// effect goes this way.
    ///
    /// # Errors
    /// When it is not written within two seconds, and at once while the trail is failing or stalled.
    pub async fn commit(&self, line: impl Into<Entry>) -> Result<(), TrailError> {
        let error = match self.state() {
            State::Healthy => match self.ask(What::Line(line.into()), PATIENCE).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            State::Failing => TrailError::Broken,
            State::Stalled => TrailError::Slow,
        };
        if self.handle.on_failure == OnFailure::ContinueUnaudited {
            self.shared().count(1, &error.to_string());
            return Ok(());
        }
        Err(error)
    }

    /// Hands over a record without waiting for the write, but for room in the queue.
    ///
    /// # Errors
    /// When there is no room for two seconds, or none now while the trail is failing or stalled; the record is then counted.
    pub async fn append(&self, line: impl Into<Entry>) -> Result<(), TrailError> {
        let job = Job { what: What::Line(line.into()), answer: None };
        let patience = if self.state() == State::Healthy { PATIENCE } else { Duration::ZERO };
        let result = self.hand_over(job, patience).await;
        if let Err(error) = &result {
            self.shared().count(1, &error.to_string());
        }
        result
    }

    /// Hands over a record where nobody can wait: from a destructor.
    pub fn append_now(&self, line: impl Into<Entry>) {
        let job = Job { what: What::Line(line.into()), answer: None };
        let placed = self.shared().room.try_acquire_many(job.cost()).is_ok_and(|room| {
            room.forget();
            self.shared().push(job)
        });
        if !placed {
            self.shared().count(1, &TrailError::Slow.to_string());
        }
    }

    /// Hands over an event of dockgate's own; never waits.
    pub fn event(&self, event: &'static str, detail: Value) {
        self.append_now(chain::event(event, &detail));
    }

    /// Waits until everything that was handed over before is written.
    ///
    /// # Errors
    /// As [`Trail::commit`], whatever the settings say about failures.
    pub async fn flush(&self) -> Result<(), TrailError> {
        self.ask(What::Flush, PATIENCE).await
    }

    /// Writes what waits, the event `close` and the last checkpoint, and ends the writer.
    ///
    /// # Errors
    /// When that fails or takes more than five seconds.
    pub async fn close(&self) -> Result<(), TrailError> {
        self.ask(What::Close, CLOSING).await
    }

    async fn ask(&self, what: What, patience: Duration) -> Result<(), TrailError> {
        let (answer, answered) = oneshot::channel();
        let waiting = async {
            self.hand_over(Job { what, answer: Some(answer) }, patience).await?;
            if answered.await == Ok(true) { Ok(()) } else { Err(TrailError::Broken) }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or(Err(TrailError::Slow))
    }

    async fn hand_over(&self, job: Job, patience: Duration) -> Result<(), TrailError> {
        let shared = self.shared();
        let room = match shared.room.try_acquire_many(job.cost()) {
            Ok(room) => room,
            Err(_) if patience.is_zero() => return Err(TrailError::Slow),
            Err(_) => {
                let room = tokio::time::timeout(patience, shared.room.acquire_many(job.cost())).await;
                room.map_err(|_| TrailError::Slow)?.map_err(|_| TrailError::Broken)?
            }
        };
        room.forget();
        if shared.push(job) { Ok(()) } else { Err(TrailError::Broken) }
    }

    /// Lets time pass for what decides about stalls.
    #[cfg(test)]
    pub(super) fn skip(&self, time: Duration) {
        self.shared().skip(time);
    }
}
