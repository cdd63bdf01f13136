//! Sinks: copies of the trail for other places. Each has a thread that follows the file, so that no request waits for one.
//! Knows nothing of requests, of how the file is written, and of configuration.

mod cursor;
mod follow;
mod journald;
mod message;
#[cfg(feature = "otlp")]
mod otlp;
mod stdout;
mod syslog;
mod tail;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use cursor::Cursors;
use follow::{Follower, Pace};
use message::Message;
use tail::Files;

/// Where the journal listens.
pub const JOURNAL: &str = "/run/systemd/journal/socket";

/// Where a sink sends to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// The journal's socket.
    Journald(PathBuf),
    /// A syslog daemon's datagram socket.
    SyslogUnix(PathBuf),
    /// `host:port`.
    SyslogUdp(String),
    /// `host:port`.
    SyslogTcp(String),
    /// A collector.
    Otlp {
        /// `host:port`.
        authority: String,
        /// `/v1/logs`.
        path: String,
    },
}

/// What is told to the trail about sinks: `sink-down`, `sink-up` and `gap`, with their details.
pub type Report = Arc<dyn Fn(&'static str, Value) + Send + Sync>;

/// Why a receiver did not take messages.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It cannot be reached now: the same messages are sent again later.
    Down(io::Error),
    /// It will never take so many of the next messages.
    #[cfg_attr(not(any(feature = "otlp", test)), expect(dead_code, reason = "only collectors look at what they get"))]
    Rejected(usize, String),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        Self::Down(error)
    }
}

/// How much of a batch a receiver took, in order, and why not all of it.
pub(crate) struct Sent {
    taken: usize,
    failed: Option<SendError>,
}

/// A receiver. Calls may block for some seconds, never for ever.
pub(crate) trait Sink: Send {
    /// Hands over messages in order.
    fn send(&mut self, batch: &[Message]) -> Sent;

    /// How long after sending a message is known to have arrived, if the receiver is still there then; `None`: at once.
    fn settles_after(&self) -> Option<Duration> {
        None
    }

    /// Whether the receiver is still there.
    fn alive(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends one message after another until one fails.
pub(crate) fn one_by_one(batch: &[Message], mut send: impl FnMut(&Message) -> Result<(), SendError>) -> Sent {
    for (taken, message) in batch.iter().enumerate() {
        if let Err(error) = send(message) {
            return Sent { taken, failed: Some(error) };
        }
    }
    Sent { taken: batch.len(), failed: None }
}

/// What wakes followers: the writer's ticks, and the end.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy)]
struct State {
    ticks: u64,
    stop_by: Option<Instant>,
}

impl Signal {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn now(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until there may be more than at `seen`.
    fn wait(&self, seen: u64, longest: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.ticks == seen && state.stop_by.is_none();
        drop(self.changed.wait_timeout_while(state, longest, idle));
    }

    /// Sleeps through ticks.
    fn pause(&self, longest: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(state, longest, |state| state.stop_by.is_none()));
    }
}

/// Wakes the sinks when lines were written; cheap to clone and to call. Without it they look twice a second.
#[derive(Clone)]
pub struct Ticker(Arc<Signal>);

impl Ticker {
    /// There is something new in the file.
    pub fn tick(&self) {
        self.0.change(|state| state.ticks = state.ticks.wrapping_add(1));
    }
}

/// The sinks of a trail.
pub struct Sinks {
    signal: Arc<Signal>,
    ended: Vec<Receiver<()>>,
}

impl Sinks {
    /// Starts a follower for each target of the trail in `file`. A sink that cannot be reached now is no error.
    ///
    /// # Errors
    /// Where a thread cannot be started, two sinks are the same, or a sink is not built into this program.
    pub fn start(file: &Path, targets: &[Target], report: &Report) -> io::Result<Self> {
        let signal = Arc::new(Signal::default());
        let mut ended = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            if targets.iter().take(at).any(|other| other == target) {
                return Err(io::Error::other(format!("the sink `{target}` stands twice")));
            }
            ended.push(spawn(file, target, &signal, report)?);
        }
        Ok(Self { signal, ended })
    }

    /// What the trail's writer wakes them with.
    pub fn ticker(&self) -> Ticker {
        Ticker(Arc::clone(&self.signal))
    }

    /// Lets every sink send what is in the file by now, for so long at most. A sink that hangs in a write is left behind.
    pub fn stop(self, patience: Duration) {
        let stop_by = Instant::now() + patience;
        self.signal.change(|state| state.stop_by = Some(stop_by));
        for ended in &self.ended {
            let _hangs_or_ended = ended.recv_timeout(stop_by.saturating_duration_since(Instant::now()) + Duration::from_millis(200));
        }
    }
}

fn spawn(file: &Path, target: &Target, signal: &Arc<Signal>, report: &Report) -> io::Result<Receiver<()>> {
    let sink = receiver(target)?;
    let files = Files::of(file);
    let cursors = Cursors::new(&files, &slug(target));
    let follower = Follower::new(target.to_string(), (files, cursors), sink, (Arc::clone(signal), Arc::clone(report)), Pace::USUAL);
    let (end, ended) = mpsc::channel();
    std::thread::Builder::new().name("sink".to_owned()).spawn(move || {
        follower.run();
        drop(end);
    })?;
    Ok(ended)
}

fn receiver(target: &Target) -> io::Result<Box<dyn Sink>> {
    Ok(match target {
        Target::Stdout => Box::new(stdout::Stdout),
        Target::Journald(path) => Box::new(journald::Journald::new(path.clone())),
        Target::SyslogUnix(path) => Box::new(syslog::Unix::new(path.clone())),
        Target::SyslogUdp(host) => Box::new(syslog::Udp::new(host.clone())),
        Target::SyslogTcp(host) => Box::new(syslog::Tcp::new(host.clone())),
        #[cfg(feature = "otlp")]
        Target::Otlp { authority, path } => Box::new(otlp::Otlp::new(authority, path)?),
        #[cfg(not(feature = "otlp"))]
        Target::Otlp { .. } => {
            return Err(io::Error::other(format!("the sink `{target}` is not built into this dockgate (feature `otlp`)")));
        }
    })
}

/// The part of a cursor's file name that says whose it is.
fn slug(target: &Target) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let text: String = target.to_string().chars().map(plain).collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Journald(_) => f.write_str("journald"),
            Self::SyslogUnix(path) => write!(f, "syslog+unix://{}", path.display()),
            Self::SyslogUdp(host) => write!(f, "syslog+udp://{host}"),
            Self::SyslogTcp(host) => write!(f, "syslog+tcp://{host}"),
            Self::Otlp { authority, path } => write!(f, "otlp+http://{authority}{path}"),
        }
    }
}
