//! The writer and its handle over files that fail in every way.
//! Knows nothing of real disks.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::chain::Chain;
use super::checkpoint::{Note, SecretKey};
use super::files::{Disk, Stream};
use super::merkle::{digest, hex};
use super::queue::{Entry, Job, Shared, What};
use super::settings::{OnFailure, Settings, Sync};
use super::trail::{State, Trail, TrailError};
use super::writer::{Start, Writer};

/// A disk in memory that does what it is told.
#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<Faults>, Condvar)>);

#[derive(Default)]
struct Faults {
    file: Vec<u8>,
    older: Vec<Vec<u8>>,
    notes: Vec<String>,
    removed: Vec<String>,
    /// Room that is left; what does not fit fails after it is full.
    room: Option<usize>,
    /// Room that it says to have, whatever it has.
    told: Option<u64>,
    /// The most that one write takes.
    most: Option<usize>,
    sync: Option<io::ErrorKind>,
    cut: Option<io::ErrorKind>,
    begin: Option<io::ErrorKind>,
    blocked: bool,
    inside: bool,
    syncs: usize,
}

impl Fake {
    fn set<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let result = change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        result
    }

    /// Waits until the writer hangs in a write.
    fn wait_inside(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |faults| !faults.inside).unwrap());
    }

    /// All lines, whose chain must hold from the first on.
    fn lines(&self) -> Vec<Value> {
        let faults = self.0.0.lock().unwrap();
        let text: Vec<u8> = faults.older.iter().flatten().chain(&faults.file).copied().collect();
        chained(&String::from_utf8(text).unwrap())
    }

    fn shown(&self) -> Vec<String> {
        let word = |line: &Value| line["event"].as_str().or(line["id"].as_str()).unwrap().to_owned();
        self.lines().iter().map(word).collect()
    }
}

fn chained(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let (mut previous, mut lines) = ("0".repeat(64), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["sequence"], at + 1, "{text}");
        assert_eq!(value["previous"], previous, "line {at} of\n{text}");
        previous = hex(&digest(line.as_bytes()));
        lines.push(value);
    }
    lines
}

impl Disk for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut faults = self.0.0.lock().unwrap();
        if faults.blocked {
            faults.inside = true;
            self.0.1.notify_all();
            faults = self.0.1.wait_while(faults, |faults| faults.blocked).unwrap();
            faults.inside = false;
        }
        let most = bytes.len().min(faults.most.unwrap_or(usize::MAX)).min(faults.room.unwrap_or(usize::MAX));
        if most == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        faults.room = faults.room.map(|room| room - most);
        faults.file.extend_from_slice(&bytes[..most]);
        Ok(most)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.set(|faults| {
            faults.syncs += 1;
            faults.sync.map_or(Ok(()), |kind| Err(kind.into()))
        })
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set(|faults| {
            faults.cut.map_or(Ok(()), |kind| Err(io::Error::from(kind)))?;
            faults.file.truncate(length as usize);
            Ok(())
        })
    }
    fn can_cut(&self) -> bool {
        true
    }
    fn room(&self) -> u64 {
        self.set(|faults| faults.told).unwrap_or(u64::MAX)
    }
    fn set_aside(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }
    fn begin(&mut self) -> io::Result<()> {
        self.set(|faults| {
            faults.begin.map_or(Ok(()), |kind| Err(io::Error::from(kind)))?;
            let file = std::mem::take(&mut faults.file);
            faults.older.push(file);
            Ok(())
        })
    }
    fn name(&self, number: u32) -> String {
        format!("f.{number:06}")
    }
    fn excess(&self, keep: usize) -> io::Result<Vec<String>> {
        let many = self.set(|faults| (faults.older.len() + 1).saturating_sub(keep));
        Ok((1..=many as u32).map(|number| self.name(number)).collect())
    }
    fn remove(&mut self, names: &[String]) -> io::Result<()> {
        self.set(|faults| faults.removed = names.to_vec());
        Ok(())
    }
    fn note(&mut self, note: &str) -> io::Result<()> {
        self.set(|faults| faults.notes.push(note.to_owned()));
        Ok(())
    }
}

const LOG: &str = "01JCZ6Q1V6N6Q9G4M6WQZ0T3AB";

/// A writer without its thread, whose time is what it is told.
struct Desk {
    fake: Fake,
    writer: Writer,
    shared: Arc<Shared>,
    now: Instant,
}

impl Desk {
    fn new(settings: &Settings) -> Self {
        let fake = Fake::default();
        let key = SecretKey::generate(LOG, &[1; 32]);
        let start = Start {
            disk: Box::new(fake.clone()),
            chain: Chain::new(LOG.to_owned()),
            length: 0,
            born: None,
            key: Some(key),
            redaction: [0; 32],
            opening: Map::new(),
            events: Vec::new(),
        };
        let shared = Arc::new(Shared::new());
        let mut writer = Writer::new(start, settings, Arc::clone(&shared));
        writer.open().unwrap();
        Self { fake, writer, shared, now: Instant::now() }
    }

    /// Hands jobs over as one batch; the answers of those that are waited for.
    fn batch(&mut self, lines: &[(&str, &str)]) -> Vec<bool> {
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for (id, stage) in lines {
            let (answer, answered) = oneshot::channel();
            let awaited = *stage == "intent";
            jobs.push(Job { what: What::Line(text(id, stage).into()), answer: awaited.then_some(answer) });
            answers.extend(awaited.then_some(answered));
        }
        self.shared.room.try_acquire_many(jobs.iter().map(Job::cost).sum()).unwrap().forget();
        assert!(self.writer.work(jobs, self.now).is_none());
        answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
        self.batch(&[]);
    }
}

fn text(id: &str, stage: &str) -> String {
    format!(r#""id":"{id}","stage":"{stage}","time":"2026-01-01T00:00:00.000000Z"}}"#)
}

#[test]
fn goes_on_where_a_write_takes_less_than_it_is_given() {
    let mut desk = Desk::new(&Settings::default());
    desk.fake.set(|faults| faults.most = Some(7));
    assert_eq!(desk.batch(&[("a", "single"), ("b", "intent"), ("c", "outcome")]), [true]);
    assert_eq!(desk.fake.shown(), ["open", "a", "b", "c"]);
}

#[test]
fn puts_changes_on_disk_and_reads_only_where_all_are_asked_for() {
    for (sync, expected) in [(Sync::Changes, [0, 1]), (Sync::All, [1, 2]), (Sync::None, [0, 0])] {
        let mut desk = Desk::new(&Settings { sync, ..Settings::default() });
        let before = desk.fake.set(|faults| faults.syncs);
        desk.batch(&[("a", "single")]);
        let read = desk.fake.set(|faults| faults.syncs) - before;
        desk.batch(&[("b", "intent"), ("c", "intent")]);
        assert_eq!([read, desk.fake.set(|faults| faults.syncs) - before], expected, "{sync:?}");
    }
}

#[test]
fn a_full_disk_fails_changes_keeps_outcomes_and_counts_reads_until_there_is_room() {
    let mut desk = Desk::new(&Settings::default());
    desk.batch(&[("a", "single")]);
    let good = desk.fake.set(|faults| {
        faults.room = Some(100);
        faults.file.len()
    });
    assert_eq!(desk.batch(&[("b", "intent"), ("c", "outcome"), ("d", "single")]), [false]);
    assert_eq!(desk.fake.set(|faults| faults.file.len()), good, "what was half written is cut off");
    assert!(desk.shared.failing());
    assert_eq!(desk.batch(&[("e", "intent"), ("f", "end"), ("g", "single"), ("h", "start")]), [false]);
    desk.fake.set(|faults| faults.room = Some(0));
    desk.later(Duration::from_millis(250));
    assert!(desk.shared.failing());
    desk.fake.set(|faults| faults.room = None);
    desk.later(Duration::from_millis(100));
    assert!(desk.shared.failing(), "it is not tried again before its time");
    desk.later(Duration::from_millis(150));
    assert!(!desk.shared.failing());
    assert_eq!(desk.batch(&[("i", "intent")]), [true]);
    assert_eq!(desk.fake.shown(), ["open", "a", "gap", "c", "f", "i"]);
    let gap = &desk.fake.lines()[2]["detail"];
    assert_eq!(gap["records"], 3, "{gap}");
    assert!(gap["error"].as_str().unwrap().contains("space") && gap["first"].is_string() && gap["last"].is_string(), "{gap}");
}

#[test]
fn a_disk_with_room_for_a_line_or_two_is_still_full() {
    let mut desk = Desk::new(&Settings::default());
    desk.fake.set(|faults| faults.room = Some(100));
    assert_eq!(desk.batch(&[("a", "single"), ("b", "intent")]), [false]);
    desk.fake.set(|faults| (faults.room, faults.told) = (None, Some(4096)));
    desk.later(Duration::from_millis(250));
    assert!(desk.shared.failing());
    desk.fake.set(|faults| faults.told = Some(1 << 20));
    desk.later(Duration::from_millis(250));
    assert!(!desk.shared.failing());
    assert_eq!(desk.fake.shown(), ["open", "gap"]);
}

#[test]
fn a_disk_that_cannot_even_cut_is_cut_before_it_is_written_again() {
    let mut desk = Desk::new(&Settings::default());
    desk.fake.set(|faults| (faults.room, faults.cut) = (Some(50), Some(io::ErrorKind::ReadOnlyFilesystem)));
    assert_eq!(desk.batch(&[("a", "intent")]), [false]);
    desk.fake.set(|faults| faults.room = None);
    desk.later(Duration::from_millis(250));
    assert!(desk.shared.failing());
    desk.fake.set(|faults| faults.cut = None);
    desk.later(Duration::from_millis(250));
    assert_eq!(desk.fake.shown(), ["open", "gap"]);
}

#[test]
fn lines_that_could_not_be_put_on_disk_are_not_trusted() {
    let mut desk = Desk::new(&Settings::default());
    desk.fake.set(|faults| faults.sync = Some(io::ErrorKind::Other));
    assert_eq!(desk.batch(&[("a", "intent"), ("b", "outcome")]), [false]);
    desk.fake.set(|faults| faults.sync = None);
    desk.later(Duration::from_millis(250));
    assert_eq!(desk.fake.shown(), ["open", "gap", "b"]);
}

#[test]
fn keeps_a_bounded_number_of_outcomes() {
    let mut desk = Desk::new(&Settings::default());
    desk.fake.set(|faults| faults.room = Some(0));
    for _ in 0..12 {
        desk.batch(&[("x", "outcome"); 100]);
    }
    desk.fake.set(|faults| faults.room = None);
    desk.later(Duration::from_millis(250));
    let lines = desk.fake.lines();
    assert_eq!((lines.len(), &lines[1]["detail"]["records"]), (2 + 1024, &176.into()));
}

#[test]
fn signs_after_so_many_lines_and_after_a_time_but_never_twice_the_same() {
    let mut desk = Desk::new(&Settings { checkpoint_records: 3, ..Settings::default() });
    desk.batch(&[("a", "single")]);
    assert_eq!(desk.fake.set(|faults| faults.notes.len()), 0);
    desk.batch(&[("b", "single")]);
    assert_eq!(desk.fake.set(|faults| faults.notes.len()), 1);
    desk.batch(&[("c", "single")]);
    desk.later(Duration::from_secs(61));
    desk.later(Duration::from_secs(61));
    let notes = desk.fake.set(|faults| faults.notes.clone());
    assert_eq!(notes.len(), 2);
    let public = SecretKey::generate(LOG, &[1; 32]).public();
    let note: Note = notes[1].parse().unwrap();
    assert_eq!((note.verify(&public), note.checkpoint.size, note.checkpoint.sequence), (Ok(()), 4, 4));
}

#[test]
fn rotates_by_size_and_by_time_and_tells_before_it_removes() {
    let settings = Settings {
        rotate_size: Some(1000),
        rotate_interval: Some(Duration::from_secs(3600)),
        checkpoint_interval: Duration::from_secs(7200),
        keep_files: Some(1),
        ..Settings::default()
    };
    let mut desk = Desk::new(&settings);
    for _ in 0..6 {
        desk.batch(&[("a", "single")]);
    }
    desk.later(Duration::from_secs(3601));
    let lines = desk.fake.lines();
    let rotations: Vec<&Value> = lines.iter().filter(|line| line["event"] == "rotate").collect();
    assert_eq!(rotations.len(), 2, "{lines:?}");
    assert_eq!(rotations[1]["detail"]["removes"], serde_json::json!(["f.000001"]));
    assert_eq!(desk.fake.set(|faults| faults.removed.clone()), ["f.000001"]);
    let opens: Vec<&Value> = lines.iter().filter(|line| line["event"] == "open").collect();
    assert_eq!((&opens[2]["detail"]["file"], &opens[2]["detail"]["previous-file"]), (&3.into(), &"f.000002".into()));
    assert_eq!(opens[2]["detail"]["first"], opens[2]["sequence"]);
    assert_eq!(desk.fake.set(|faults| faults.notes.len()), 2, "each file ends with a checkpoint");
}

#[test]
fn a_next_file_that_cannot_be_made_is_a_failure_that_ends() {
    let mut desk = Desk::new(&Settings { rotate_size: Some(2000), ..Settings::default() });
    desk.fake.set(|faults| faults.begin = Some(io::ErrorKind::StorageFull));
    desk.batch(&[("a", "single"); 12]);
    assert_eq!(desk.batch(&[("c", "intent"), ("d", "outcome")]), [false]);
    desk.fake.set(|faults| faults.begin = None);
    desk.later(Duration::from_millis(250));
    assert_eq!(desk.fake.shown()[12..], ["a", "rotate", "open", "gap", "d"]);
}

#[test]
fn a_line_whose_request_was_given_up_is_not_written() {
    let mut desk = Desk::new(&Settings::default());
    let (answer, answered) = oneshot::channel();
    drop(answered);
    desk.writer.work(vec![Job { what: What::Line(text("a", "intent").into()), answer: Some(answer) }], desk.now);
    assert_eq!(desk.fake.shown(), ["open"]);
}

fn trail(fake: &Fake, on_failure: OnFailure) -> Trail {
    Trail::on(Box::new(fake.clone()), &Settings { on_failure, ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn what_a_failing_trail_admits_is_what_the_settings_say() {
    for (on_failure, commits, reads) in [
        (OnFailure::DenyChanges, Err(TrailError::Broken), true),
        (OnFailure::DenyAll, Err(TrailError::Broken), false),
        (OnFailure::ContinueUnaudited, Ok(()), true),
    ] {
        let fake = Fake::default();
        let trail = trail(&fake, on_failure);
        assert!(trail.admits_reads());
        fake.set(|faults| faults.room = Some(10));
        assert_eq!(trail.commit(text("a", "intent")).await, commits, "{on_failure:?}");
        assert_eq!((trail.state(), trail.admits_reads()), (State::Failing, reads));
        assert_eq!(trail.commit(text("b", "intent")).await, commits);
        assert_eq!(trail.append(text("c", "single")).await, Ok(()));
        fake.set(|faults| faults.room = None);
        trail.close().await.unwrap();
        let (lines, unaudited) = (fake.lines(), if commits.is_ok() { 2 } else { 0 });
        assert_eq!(fake.shown(), ["open", "gap", "close"], "{on_failure:?}");
        assert_eq!(lines[1]["detail"]["records"], 1 + unaudited);
        assert_eq!(trail.lost(), 1 + unaudited);
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_given_up_after_two_seconds_and_then_at_once() {
    let fake = Fake::default();
    let trail = trail(&fake, OnFailure::DenyChanges);
    fake.set(|faults| faults.blocked = true);
    trail.append(text("a", "single")).await.unwrap();
    fake.wait_inside();
    let start = tokio::time::Instant::now();
    let (one, other) = tokio::join!(trail.commit(text("b", "intent")), trail.commit(text("c", "intent")));
    assert_eq!((one, other), (Err(TrailError::Slow), Err(TrailError::Slow)));
    assert!(start.elapsed() <= Duration::from_millis(2010), "{:?}", start.elapsed());
    trail.skip(Duration::from_millis(1100));
    let start = tokio::time::Instant::now();
    assert_eq!((trail.state(), trail.commit(text("d", "intent")).await), (State::Stalled, Err(TrailError::Slow)));
    assert!(start.elapsed() <= Duration::from_millis(10));
    tokio::time::resume();
    fake.set(|faults| faults.blocked = false);
    trail.flush().await.unwrap();
    assert_eq!(trail.commit(text("e", "intent")).await, Ok(()));
    assert_eq!(fake.shown(), ["open", "a", "e"]);
}

#[tokio::test(start_paused = true)]
async fn reads_are_counted_where_the_queue_stays_full_and_a_gap_tells() {
    let fake = Fake::default();
    let trail = trail(&fake, OnFailure::DenyChanges);
    fake.set(|faults| faults.blocked = true);
    trail.append(text("first", "single")).await.unwrap();
    fake.wait_inside();
    let mut taken = 0;
    while trail.append(text("x", "single")).await.is_ok() {
        taken += 1;
    }
    assert!((4000..=4096).contains(&taken), "{taken}");
    trail.append_now(text("y", "single"));
    assert_eq!(trail.lost(), 2);
    tokio::time::resume();
    fake.set(|faults| faults.blocked = false);
    trail.flush().await.unwrap();
    let lines = fake.lines();
    let gaps: u64 = lines.iter().filter(|line| line["event"] == "gap").map(|line| line["detail"]["records"].as_u64().unwrap()).sum();
    assert_eq!((lines.iter().filter(|line| line["id"] == "x").count(), gaps), (taken, 2));
}

#[tokio::test]
async fn folds_denials_and_says_all_of_them_before_it_closes() {
    let fake = Fake::default();
    let trail = trail(&fake, OnFailure::DenyChanges);
    for id in 0..50 {
        let text = format!(r#""id":"{id}","stage":"single","time":"t{id}","path":"/x","verdict":"deny"}}"#);
        trail.append(Entry { text, kind: Some([1; 32]) }).await.unwrap();
    }
    trail.close().await.unwrap();
    let lines = fake.lines();
    let plain = lines.iter().filter(|line| line["verdict"] == "deny" && line["folded"].is_null()).count();
    let folded: u64 = lines.iter().filter_map(|line| line["folded"]["count"].as_u64()).sum();
    assert_eq!(plain as u64 + folded, 50);
    assert!(folded >= 38 && lines.len() <= 14, "{plain} and {folded} in {} lines", lines.len());
    assert_eq!(trail.commit(text("z", "intent")).await, Err(TrailError::Broken));
}

/// A stream that takes so many bytes and then fails, until it is mended.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<(Vec<u8>, Option<usize>)>>);

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.lock().unwrap();
        let most = bytes.len().min(pipe.1.unwrap_or(usize::MAX));
        if most == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        pipe.1 = pipe.1.map(|room| room - most);
        pipe.0.extend_from_slice(&bytes[..most]);
        Ok(most)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_what_is_out_and_ends_a_line_that_broke_off() {
    let pipe = Pipe::default();
    let trail = Trail::on(Box::new(Stream::new(Box::new(pipe.clone()))), &Settings::default()).unwrap();
    trail.commit(text("a", "intent")).await.unwrap();
    pipe.0.lock().unwrap().1 = Some(60);
    assert_eq!(trail.commit(text("b", "intent")).await, Err(TrailError::Broken));
    pipe.0.lock().unwrap().1 = None;
    trail.close().await.unwrap();
    let text = String::from_utf8(pipe.0.lock().unwrap().0.clone()).unwrap();
    let whole: String = text.lines().filter(|line| line.ends_with('}')).map(|line| format!("{line}\n")).collect();
    let events: Vec<Value> = chained(&whole).iter().map(|line| line["event"].clone()).collect();
    assert_eq!((events, text.lines().count()), (vec!["open".into(), Value::Null, "gap".into(), "close".into()], 5));
}
