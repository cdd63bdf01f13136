//! The writer of the trail: a bounded queue and one thread that writes whole lines in order.
//! Knows nothing of what a record says.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use ulid::Ulid;

use super::redact::Redactor;

/// Records that may wait for the writer.
const QUEUE: usize = 4096;
/// Lines that one write gathers.
const BATCH: usize = 256;
/// How long a request waits for its record before it is refused or counted as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// `O_NOFOLLOW` on Linux: the trail is never opened through a link.
const O_NOFOLLOW: i32 = 0o400_000;

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

/// A handle of the trail; cheap to clone.
#[derive(Debug, Clone)]
pub struct Trail {
    queue: mpsc::Sender<Job>,
    sequence: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    redactor: Arc<Redactor>,
}

struct Job {
    line: String,
    written: Option<oneshot::Sender<bool>>,
}

impl Trail {
    /// A trail on standard output.
    ///
    /// # Errors
    /// When the writer's thread cannot be started.
    pub fn stdout() -> io::Result<Self> {
        Self::to(Box::new(io::stdout()))
    }

    /// A trail in a file: mode 0600, appended to, never opened through a link, locked against a second writer.
    ///
    /// # Errors
    /// When the file cannot be opened, is no regular file, or another process writes it.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW).open(path)?;
        if !file.metadata()?.is_file() || file.metadata()?.nlink() != 1 {
            return Err(io::Error::other("not a regular file of its own"));
        }
        file.try_lock().map_err(|error| io::Error::other(format!("another process writes it: {error}")))?;
        Self::to(Box::new(Appender(file)))
    }

    /// A trail to any writer; each call of `write_all` gets whole lines.
    ///
    /// # Errors
    /// When the writer's thread cannot be started.
    pub fn to(sink: Box<dyn Write + Send>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("trail".to_owned()).spawn(move || write_jobs(jobs, sink))?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let redactor = Arc::new(Redactor::new(key));
        Ok(Self { queue, sequence: Arc::new(AtomicU64::new(1)), lost: Arc::new(AtomicU64::new(0)), redactor })
    }

    /// The next sequence number.
    pub fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// What hides secrets in this trail's records.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Records that could not be handed to the writer.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Hands over a line and waits until it is written; what must be on record before its effect goes this way.
    ///
    /// # Errors
    /// When the line is not written within five seconds.
    pub async fn commit(&self, line: String) -> Result<(), TrailError> {
        let (written, answer) = oneshot::channel();
        let waiting = async {
            self.queue.send(Job { line, written: Some(written) }).await.map_err(|_| TrailError::Broken)?;
            if answer.await == Ok(true) { Ok(()) } else { Err(TrailError::Broken) }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Err(TrailError::Slow))
    }

    /// Hands over a line without waiting for the write.
    ///
    /// # Errors
    /// When the queue stays full for five seconds; the record is counted as lost.
    pub async fn append(&self, line: String) -> Result<(), TrailError> {
        let Err(full) = self.queue.try_send(Job { line, written: None }) else { return Ok(()) };
        let sent = tokio::time::timeout(PATIENCE, self.queue.send(full.into_inner())).await;
        let result = sent.map_or(Err(TrailError::Slow), |sent| sent.map_err(|_| TrailError::Broken));
        self.lost.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
        result
    }

    /// Hands over a line where nobody can wait: from a destructor.
    pub fn append_now(&self, line: String) {
        let lost = self.queue.try_send(Job { line, written: None }).is_err();
        self.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
    }

    /// Something that happened to the trail or to dockgate itself. Never waits.
    pub fn event(&self, event: &'static str, detail: Value) {
        let (id, time) = (Ulid::new(), jiff::Timestamp::now());
        self.append_now(format!("{{\"id\":\"{id}\",\"stage\":\"event\",\"time\":\"{time}\",\"event\":\"{event}\",\"detail\":{detail}}}\n"));
    }

    /// Waits until everything that was handed over before is written.
    ///
    /// # Errors
    /// As [`Trail::commit`].
    pub async fn flush(&self) -> Result<(), TrailError> {
        self.commit(String::new()).await
    }
}

/// One write a batch, on disk before anyone who waits is told; a batch that fails is reported to all of them.
fn write_jobs(mut jobs: mpsc::Receiver<Job>, mut sink: Box<dyn Write + Send>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let lines: String = batch.iter().map(|job: &Job| job.line.as_str()).collect();
        let awaited = batch.iter().any(|job| job.written.is_some());
        let written = sink.write_all(lines.as_bytes()).and_then(|()| if awaited { sink.flush() } else { Ok(()) });
        if let Err(error) = &written {
            tracing::error!(%error, records = batch.len(), "the trail cannot be written");
        }
        for job in batch.drain(..) {
            if let Some(waiting) = job.written {
                let _nobody_waits_any_more = waiting.send(written.is_ok());
            }
        }
    }
}

/// A file whose flush puts the lines on disk.
struct Appender(File);

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn writes_whole_lines_in_order_before_it_says_so() {
        let memory = Memory::default();
        let trail = Trail::to(Box::new(memory.clone())).unwrap();
        for n in 0..1000 {
            trail.append(format!("{n}\n")).await.unwrap();
        }
        trail.commit("last\n".to_owned()).await.unwrap();
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let expected: String = (0..1000).map(|n| format!("{n}\n")).chain(["last\n".to_owned()]).collect();
        assert_eq!(text, expected);
    }

    #[tokio::test]
    async fn says_that_a_full_disk_did_not_take_the_record() {
        let trail = Trail::to(Box::new(Full)).unwrap();
        assert_eq!(trail.commit("x\n".to_owned()).await, Err(TrailError::Broken));
    }

    #[test]
    fn opens_its_file_for_itself_alone_and_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.jsonl"), folder.path().join("link"));
        let _first = Trail::file(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert!(Trail::file(&file).unwrap_err().to_string().contains("another process"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(Trail::file(&link).is_err());
    }
}
