//! Sinks against receivers of their own: exact bytes, breaks, rotation, slow receivers.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::cursor::Cursors;
use super::follow::{Follower, Pace};
use super::message::Message;
use super::syslog::{self, Origin, frame};
use super::tail::Files;
use super::{Report, SendError, Sent, Signal, Sink, Sinks, Target};

/// The longest that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A trail as its writer makes it.
struct Trail {
    folder: tempfile::TempDir,
    sequence: u64,
    file: u64,
}

impl Trail {
    fn new() -> Self {
        let mut trail = Self { folder: tempfile::tempdir().unwrap(), sequence: 0, file: 1 };
        trail.open();
        trail
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn put(&self, bytes: &[u8]) {
        OpenOptions::new().create(true).append(true).open(self.path()).unwrap().write_all(bytes).unwrap();
    }

    fn line(&mut self, rest: &str) {
        self.sequence += 1;
        let n = self.sequence;
        self.put(format!("{{\"schema\":1,\"sequence\":{n},\"previous\":\"00\",\"id\":\"id{n}\",{rest}}}\n").as_bytes());
    }

    fn open(&mut self) {
        let file = self.file;
        self.line(&format!(r#""stage":"event","event":"open","detail":{{"file":{file}}}"#));
    }

    fn records(&mut self, count: u64) {
        for _ in 0..count {
            self.line(r#""stage":"single","operation":"ContainerList","verdict":"allow""#);
        }
    }

    fn rotate(&mut self) {
        self.line(r#""stage":"event","event":"rotate""#);
        fs::rename(self.path(), self.folder.path().join(format!("audit.{:06}.jsonl", self.file))).unwrap();
        self.file += 1;
        self.open();
    }

    fn checkpoint(&self, size: u64) -> String {
        let note = format!("dockgate.audit/LOG/{:06}\n{size}\nroot\nlast {size} hash\n\n— dockgate.audit/LOG AAAA\n", self.file);
        let path = self.folder.path().join("audit.checkpoints");
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(format!("{note}\n").as_bytes()).unwrap();
        note
    }

    fn cursor(&self) -> Value {
        let file = self.folder.path().join("audit.test.cursor");
        serde_json::from_str(&fs::read_to_string(file).unwrap_or_default()).unwrap_or_default()
    }
}

/// Events as they are reported.
fn reports() -> (Report, Receiver<(&'static str, Value)>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    (Arc::new(move |event, detail| drop(sender.lock().unwrap().send((event, detail)))), receiver)
}

fn sequences(texts: &[String]) -> Vec<u64> {
    texts.iter().filter_map(|text| Message::record(text).fields.sequence).collect()
}

/// A sink whose answers a test gives.
struct Fake {
    taken: mpsc::Sender<String>,
    answers: Receiver<Result<(), SendError>>,
}

impl Sink for Fake {
    fn send(&mut self, batch: &[Message]) -> Sent {
        super::one_by_one(batch, |message| {
            self.answers.try_recv().unwrap_or(Ok(()))?;
            drop(self.taken.send(message.text.clone()));
            Ok(())
        })
    }
}

/// A follower that runs in a thread of the test.
struct Running {
    signal: Arc<Signal>,
    taken: Receiver<String>,
    _answers: mpsc::Sender<Result<(), SendError>>,
    reports: Receiver<(&'static str, Value)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

const QUICK: Pace = Pace {
    look: Duration::from_millis(5),
    first_retry: Duration::from_millis(5),
    last_retry: Duration::from_millis(20),
    save: Duration::ZERO,
};

fn fake(trail: &Trail, before: Vec<Result<(), SendError>>) -> Running {
    let ((taken_in, taken), (answers, answers_out)) = (mpsc::channel(), mpsc::channel());
    before.into_iter().for_each(|answer| answers.send(answer).unwrap());
    let (signal, reports, thread) = follow(&trail.path(), Box::new(Fake { taken: taken_in, answers: answers_out }));
    Running { signal, taken, _answers: answers, reports, thread: Some(thread) }
}

type Following = (Arc<Signal>, Receiver<(&'static str, Value)>, std::thread::JoinHandle<()>);

fn follow(path: &Path, sink: Box<dyn Sink>) -> Following {
    let (report, reports) = reports();
    let signal = Arc::new(Signal::default());
    let files = Files::of(path);
    let cursors = Cursors::new(&files, "test");
    let follower = Follower::new("test".to_owned(), (files, cursors), sink, (Arc::clone(&signal), report), QUICK);
    (signal, reports, std::thread::spawn(move || follower.run()))
}

impl Running {
    fn take(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.taken.recv_timeout(PATIENCE).unwrap()).collect()
    }

    fn end(&mut self) {
        self.signal.change(|state| state.stop_by = Some(std::time::Instant::now() + PATIENCE));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn down() -> Result<(), SendError> {
    Err(SendError::Down(std::io::ErrorKind::ConnectionRefused.into()))
}

#[test]
fn a_sink_gets_every_line_across_rotations_and_the_last_ones_at_the_end() {
    let mut trail = Trail::new();
    trail.records(200);
    let mut sink = fake(&trail, Vec::new());
    assert_eq!(sequences(&sink.take(201)), (1..=201).collect::<Vec<_>>());
    for _ in 0..3 {
        trail.records(30);
        trail.rotate();
    }
    trail.put(b"{\"schema\":1,\"sequence\":9"); // a line that is being written
    assert_eq!(sequences(&sink.take(96)), (202..=297).collect::<Vec<_>>());
    trail.put(b"99}\n");
    assert_eq!(sequences(&sink.take(1)), [999]);
    trail.sequence = 999;
    trail.records(1);
    sink.end();
    assert_eq!(sequences(&sink.take(1)), [1000]);
    assert!(sink.reports.try_recv().is_err());
}

#[test]
fn a_sink_goes_on_where_it_was_before_a_restart() {
    let mut trail = Trail::new();
    trail.records(9);
    let mut sink = fake(&trail, Vec::new());
    sink.take(10);
    sink.end();
    assert_eq!((trail.cursor()["file"].clone(), trail.cursor()["sequence"].clone()), (json!(1), json!(10)));
    trail.records(5);
    trail.rotate();
    trail.records(5);
    let mut sink = fake(&trail, Vec::new());
    assert_eq!(sequences(&sink.take(12)), (11..=22).collect::<Vec<_>>());
    sink.end();
    assert!(sink.taken.try_recv().is_err());
}

#[test]
fn a_cursor_whose_line_is_gone_begins_its_file_again() {
    let mut trail = Trail::new();
    trail.records(9);
    let mut sink = fake(&trail, Vec::new());
    sink.take(10);
    sink.end();
    let text = fs::read_to_string(trail.path()).unwrap().replace("\"id10\"", "\"ID10\"");
    fs::write(trail.path(), text).unwrap();
    let mut sink = fake(&trail, Vec::new());
    assert_eq!(sequences(&sink.take(10)), (1..=10).collect::<Vec<_>>());
    sink.end();
}

#[test]
fn files_that_were_removed_before_they_were_sent_are_told_as_a_gap() {
    let mut trail = Trail::new();
    let mut sink = fake(&trail, Vec::new());
    sink.take(1);
    sink.end();
    for _ in 0..3 {
        trail.rotate();
    }
    for file in [1, 2] {
        fs::remove_file(trail.folder.path().join(format!("audit.{file:06}.jsonl"))).unwrap();
    }
    let mut sink = fake(&trail, Vec::new());
    assert_eq!(sequences(&sink.take(3)), [5, 6, 7]);
    let (event, detail) = sink.reports.recv_timeout(PATIENCE).unwrap();
    assert_eq!((event, &detail["first-file"], &detail["last-file"]), ("gap", &json!(1), &json!(2)));
    sink.end();
}

#[test]
fn a_failure_is_told_once_and_nothing_is_lost() {
    let mut trail = Trail::new();
    let mut sink = fake(&trail, vec![Ok(()), Ok(()), down(), down(), down()]);
    sink.take(1);
    trail.records(7);
    assert_eq!(sequences(&sink.take(7)), (2..=8).collect::<Vec<_>>());
    let (event, detail) = sink.reports.recv_timeout(PATIENCE).unwrap();
    assert_eq!((event, detail["why"].is_string()), ("sink-down", true));
    let (event, detail) = sink.reports.recv_timeout(PATIENCE).unwrap();
    assert_eq!((event, detail["lag"].is_u64()), ("sink-up", true));
    sink.end();
    assert!(sink.reports.try_recv().is_err() && sink.taken.try_recv().is_err());
}

#[test]
fn a_new_sink_whose_receiver_is_away_begins_with_the_file_of_then() {
    let mut trail = Trail::new();
    let mut sink = fake(&trail, vec![down(), down()]);
    assert_eq!(sink.reports.recv_timeout(PATIENCE).unwrap().0, "sink-down");
    trail.rotate();
    trail.rotate();
    assert_eq!(sequences(&sink.take(5)), [1, 2, 3, 4, 5]);
    sink.end();
}

#[test]
fn what_a_receiver_never_takes_is_left_out_and_told() {
    let mut trail = Trail::new();
    let mut sink = fake(&trail, vec![Ok(()), Err(SendError::Rejected(1, "too odd".to_owned()))]);
    trail.records(3);
    assert_eq!(sequences(&sink.take(3)), [1, 3, 4]);
    let (event, detail) = sink.reports.recv_timeout(PATIENCE).unwrap();
    assert_eq!((event, &detail["first"], &detail["last"]), ("gap", &json!(2), &json!(2)));
    sink.end();
}

#[test]
fn checkpoints_are_sent_as_messages_of_their_own() {
    let mut trail = Trail::new();
    trail.checkpoint(1);
    trail.rotate();
    let first = trail.checkpoint(1);
    let mut sink = fake(&trail, Vec::new());
    let taken = sink.take(2); // the open event of file 2, and its checkpoint alone
    let note = |text: &str| serde_json::from_str::<Value>(text).unwrap()["note"].as_str().unwrap_or_default().to_owned();
    assert_eq!(note(&taken[1]), first);
    let second = trail.checkpoint(2);
    assert_eq!(note(&sink.take(1)[0]), second);
    sink.end();
    let third = trail.checkpoint(3);
    let mut sink = fake(&trail, Vec::new());
    assert_eq!(note(&sink.take(1)[0]), third);
    sink.end();
    assert!(sink.taken.try_recv().is_err());
}

#[test]
fn a_line_of_a_trail_is_an_rfc_5424_message() {
    let origin = Origin { host: "node-3".to_owned(), pid: 42 };
    let line = r#"{"schema":1,"sequence":7,"previous":"00","id":"01JX","stage":"single","time":"2026-11-21T20:31:07.482913Z","operation":"ContainerCreate","door":"unix:///a\"]\\b","verdict":"deny","reason":"host-path","status":403}"#;
    let expected = format!(
        concat!(
            "<108>1 2026-11-21T20:31:07.482913Z node-3 dockgate 42 single [dockgate@32473 id=\"01JX\" sequence=\"7\" ",
            "stage=\"single\" verdict=\"deny\" reason=\"host-path\" operation=\"ContainerCreate\" ",
            "door=\"unix:///a\\\"\\]\\\\b\" status=\"403\"] \u{feff}{}"
        ),
        line
    );
    assert_eq!(String::from_utf8(frame(&origin, &Message::record(line), 8192)).unwrap(), expected);
}

#[test]
fn severities_follow_the_verdict() {
    let origin = Origin { host: "-".to_owned(), pid: 1 };
    for (rest, priority) in [
        (r#""verdict":"allow""#, 110),
        (r#""verdict":"would-deny""#, 109),
        (r#""verdict":"deny""#, 108),
        (r#""verdict":"refuse""#, 108),
        (r#""stage":"event","event":"open""#, 109),
        (r#""stage":"event","event":"unseen-change""#, 108),
        (r#""stage":"event","event":"gap""#, 107),
    ] {
        let line = format!("{{\"sequence\":1,{rest}}}");
        let text = String::from_utf8(frame(&origin, &Message::record(&line), 8192)).unwrap();
        assert!(text.starts_with(&format!("<{priority}>1 ")), "{text}");
    }
}

#[test]
fn a_long_message_is_cut_at_a_character_and_says_so() {
    let origin = Origin { host: "h".to_owned(), pid: 1 };
    let line = format!("{{\"sequence\":1,\"id\":\"a\",\"x\":\"{}\"}}", "é".repeat(5000));
    for most in [600, 601, 2048] {
        let text = String::from_utf8(frame(&origin, &Message::record(&line), most)).unwrap();
        assert!(text.len() <= most && text.len() > most - 3, "{}", text.len());
        assert!(text.contains(&format!("cut-from=\"{}\"", line.len())) && text.ends_with(" [cut by dockgate]"), "{text}");
    }
}

/// A receiver of octet-counted syslog: messages, and when the connection ends.
fn counted(mut stream: TcpStream, messages: &mpsc::Sender<String>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while let Some(at) = bytes.iter().position(|b| *b == b' ') {
            let length: usize = std::str::from_utf8(&bytes[..at]).unwrap().parse().unwrap();
            if bytes.len() < at + 1 + length {
                break;
            }
            let rest = bytes.split_off(at + 1 + length);
            let message = String::from_utf8(bytes.split_off(at + 1)).unwrap();
            bytes = rest;
            if messages.send(message.split_once('\u{feff}').unwrap().1.to_owned()).is_err() {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

#[test]
fn a_tcp_receiver_that_goes_away_gets_everything_after_it_comes_back() {
    let mut trail = Trail::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, reports, thread) = follow(&trail.path(), Box::new(syslog::Tcp::new(address.to_string())));
    let (first_stream, _) = listener.accept().unwrap();
    trail.records(2000);
    // reads a little, and is gone with the rest unread
    let (sender, first) = mpsc::channel();
    let reader = std::thread::spawn(move || counted(first_stream, &sender));
    let early: Vec<String> = (0..100).map(|_| first.recv_timeout(PATIENCE).unwrap()).collect();
    drop(first);
    drop(listener);
    trail.records(500); // so that the receiver's thread ends, whatever it had read
    reader.join().unwrap();
    loop {
        let (event, _) = reports.recv_timeout(PATIENCE).unwrap();
        if event == "sink-down" {
            break;
        }
    }
    trail.rotate();
    trail.records(100);
    let listener = TcpListener::bind(address).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let (sender, second) = mpsc::channel();
    std::thread::spawn(move || counted(stream, &sender));
    let mut seen: std::collections::BTreeSet<u64> = sequences(&early).into_iter().collect();
    while seen.len() < usize::try_from(trail.sequence).unwrap() {
        seen.extend(sequences(&[second.recv_timeout(PATIENCE).unwrap()]));
    }
    loop {
        let (event, detail) = reports.recv_timeout(PATIENCE).unwrap();
        if event == "sink-up" {
            assert!(detail["lag"].as_u64().is_some());
            break;
        }
    }
    signal.change(|state| state.stop_by = Some(std::time::Instant::now() + PATIENCE));
    thread.join().unwrap();
}

#[test]
fn a_receiver_that_does_not_read_holds_back_its_own_sink_alone() {
    let mut trail = Trail::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, _reports, thread) = follow(&trail.path(), Box::new(syslog::Tcp::new(address.to_string())));
    let (stream, _) = listener.accept().unwrap();
    let long = format!(r#""stage":"single","verdict":"allow","x":"{}""#, "x".repeat(6000));
    (0..2000).for_each(|_| trail.line(&long)); // far more than the sockets' buffers hold; the file is what waits
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || counted(stream, &sender));
    for next in 1..=trail.sequence {
        assert_eq!(sequences(&[messages.recv_timeout(PATIENCE).unwrap()]), [next]);
    }
    signal.change(|state| state.stop_by = Some(std::time::Instant::now() + PATIENCE));
    thread.join().unwrap();
}

/// Says how large each batch is, and takes it when told to.
struct Slow(mpsc::SyncSender<(usize, usize)>);

impl Sink for Slow {
    fn send(&mut self, batch: &[Message]) -> Sent {
        let _test_ended = self.0.send((batch.len(), batch.iter().map(|message| message.text.len()).sum()));
        Sent { taken: batch.len(), failed: None }
    }
}

#[test]
fn a_slow_receiver_never_has_more_than_one_batch_in_memory() {
    let mut trail = Trail::new();
    let (batches, taken) = mpsc::sync_channel(0);
    let (signal, _reports, thread) = follow(&trail.path(), Box::new(Slow(batches)));
    trail.records(5000);
    let mut lines = 0;
    while lines < 5001 {
        let (count, bytes) = taken.recv_timeout(PATIENCE).unwrap();
        assert!(count <= 64 && bytes <= 128 * 1024, "{count} lines, {bytes} bytes");
        lines += count;
    }
    signal.change(|state| state.stop_by = Some(std::time::Instant::now() + PATIENCE));
    thread.join().unwrap();
}

#[test]
fn a_local_daemon_and_the_journal_get_datagrams_and_a_network_one_too() {
    let mut trail = Trail::new();
    trail.records(1);
    let (log, journal) = (trail.folder.path().join("log"), trail.folder.path().join("journal"));
    let (log_socket, journal_socket) = (UnixDatagram::bind(&log).unwrap(), UnixDatagram::bind(&journal).unwrap());
    let network = UdpSocket::bind("127.0.0.1:0").unwrap();
    let targets = [Target::SyslogUnix(log), Target::Journald(journal), Target::SyslogUdp(network.local_addr().unwrap().to_string())];
    let (report, reports) = reports();
    let sinks = Sinks::start(&trail.path(), &targets, &report).unwrap();
    for socket in [&log_socket, &journal_socket] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    network.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 65536];
    for sequence in [1, 2, 3] {
        if sequence == 3 {
            trail.records(1);
            sinks.ticker().tick();
        }
        let length = log_socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert!(text.starts_with('<') && text.contains(&format!("id=\"id{sequence}\"")), "{text}");
        let length = journal_socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert!(text.starts_with("MESSAGE={") && text.contains(&format!("\nDOCKGATE_SEQUENCE={sequence}\n")), "{text}");
        let length = network.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert!(text.starts_with("<1") && text.contains(&format!("sequence=\"{sequence}\"")), "{text}");
    }
    sinks.stop(PATIENCE);
    assert!(reports.try_recv().is_err());
    let mut names: Vec<String> =
        fs::read_dir(trail.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".cursor"));
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_sink_that_stands_twice_is_refused() {
    let trail = Trail::new();
    let (report, _) = reports();
    let error = Sinks::start(&trail.path(), &[Target::Stdout, Target::Stdout], &report).err().unwrap();
    assert!(error.to_string().contains("twice"));
}

#[cfg(feature = "otlp")]
mod collector {
    use super::*;

    /// One HTTP request: its head and body.
    fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse::<usize>().unwrap();
                if bytes.len() >= end + 4 + length {
                    return Some((head, bytes.split_off(end + 4)));
                }
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(length) => bytes.extend_from_slice(&piece[..length]),
            }
        }
    }

    #[test]
    fn a_collector_acknowledges_each_batch() {
        let mut trail = Trail::new();
        trail.records(4);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sink = super::super::otlp::Otlp::new(&address, "/v1/logs").unwrap();
        let (signal, reports, thread) = follow(&trail.path(), Box::new(sink));
        let has = |body: &[u8], text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
        let (mut stream, _) = listener.accept().unwrap();
        let (head, body) = request(&mut stream).unwrap();
        assert!(head.starts_with("post /v1/logs http/1.1\r\n") && head.contains("application/x-protobuf"), "{head}");
        assert!(["service.name", "dockgate.sequence", "id5", "ContainerList"].iter().all(|text| has(&body, text)));
        stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert_eq!(reports.recv_timeout(PATIENCE).unwrap().0, "sink-down");
        let (_, again) = request(&mut stream).unwrap();
        assert!(has(&again, "id5"));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert_eq!(reports.recv_timeout(PATIENCE).unwrap().0, "sink-up");
        trail.records(1);
        let (_, next) = request(&mut stream).unwrap();
        assert!(has(&next, "id6") && !has(&next, "id5"));
        stream.write_all(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n").unwrap();
        let (event, detail) = reports.recv_timeout(PATIENCE).unwrap();
        assert_eq!((event, &detail["first"]), ("gap", &json!(6)));
        signal.change(|state| state.stop_by = Some(std::time::Instant::now() + PATIENCE));
        thread.join().unwrap();
    }
}
