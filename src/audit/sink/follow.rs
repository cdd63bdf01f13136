//! A follower: reads the trail's file, hands lines to one sink, and tries again until they are taken.
//! Knows nothing of formats. What it sent and is not sure of, it sends again after a break: at least once, never lost.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::cursor::{Cursors, Place};
use super::tail::{Files, Tail};
use super::{Report, SendError, Signal, Sink};

/// How often things happen.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at the file, where the writer does not tick.
    pub look: Duration,
    /// After the first failure; doubled at each further one.
    pub first_retry: Duration,
    /// The longest time between two attempts.
    pub last_retry: Duration,
    /// Between two writes of the cursor.
    pub save: Duration,
}

impl Pace {
    /// Outside tests.
    pub const USUAL: Self = Self {
        look: Duration::from_millis(500),
        first_retry: Duration::from_millis(250),
        last_retry: Duration::from_secs(30),
        save: Duration::from_secs(1),
    };
}

/// What a round brought.
enum Round {
    /// There may be more.
    More,
    /// Everything was sent.
    Idle,
}

struct Down {
    since: Instant,
    retry: Duration,
}

/// One sink's follower.
pub struct Follower {
    name: String,
    tail: Tail,
    cursors: Cursors,
    sink: Box<dyn Sink>,
    signal: Arc<Signal>,
    report: Report,
    pace: Pace,
    /// Everything before it arrived.
    confirmed: Place,
    /// What was sent by then, and will be confirmed if the receiver lasts.
    mark: Option<(Instant, Place)>,
    down: Option<Down>,
    saved: Instant,
}

impl Follower {
    /// A follower that goes on where its cursor stands.
    pub fn new(
        name: String,
        (files, mut cursors): (Files, Cursors),
        sink: Box<dyn Sink>,
        (signal, report): (Arc<Signal>, Report),
        pace: Pace,
    ) -> Self {
        let confirmed = cursors.load();
        let tail = Tail::new(files, confirmed.clone());
        Self { name, tail, cursors, sink, signal, report, pace, confirmed, mark: None, down: None, saved: Instant::now() }
    }

    /// Follows until it is told to stop and has sent what was there, or its time is over.
    pub fn run(mut self) {
        loop {
            let state = self.signal.now();
            let round = self.round();
            let over = state.stop_by.is_some_and(|by| Instant::now() >= by);
            match round {
                Ok(Round::More) if !over => {}
                Ok(Round::Idle) if state.stop_by.is_none() => self.signal.wait(state.ticks, self.pace.look),
                Err(_) if state.stop_by.is_none() => {
                    let pause = self.down.as_ref().map_or(self.pace.first_retry, |down| down.retry);
                    self.signal.pause(pause);
                }
                Ok(_) | Err(_) => break,
            }
            if self.saved.elapsed() >= self.pace.save {
                self.save();
            }
        }
        self.save();
    }

    fn round(&mut self) -> io::Result<Round> {
        let result = self.step();
        match &result {
            Ok(_) => {
                self.settle();
                self.is_up();
            }
            Err(error) => self.is_down(error),
        }
        result
    }

    fn step(&mut self) -> io::Result<Round> {
        self.sink.alive()?;
        let (messages, places) = self.tail.more()?;
        if let Some(missed) = self.tail.missed() {
            let why = "files of the trail were removed before they were sent";
            (self.report)("gap", json!({"sink": self.name, "why": why, "first-file": missed.first, "last-file": missed.last}));
        }
        if self.confirmed.file == 0 {
            // a new sink begins with this file, however long its receiver is away
            self.confirmed = Place { file: self.tail.place().file, ..Place::default() };
        }
        if messages.is_empty() {
            return Ok(Round::Idle);
        }
        let sent = self.sink.send(&messages);
        let (skipped, failed) = match sent.failed {
            None => (0, None),
            Some(SendError::Down(error)) => (0, Some(error)),
            Some(SendError::Rejected(count, why)) => {
                let lost: Vec<u64> = messages.iter().skip(sent.taken).take(count).filter_map(|message| message.fields.sequence).collect();
                (self.report)("gap", json!({"sink": self.name, "why": why, "first": lost.first(), "last": lost.last()}));
                (count.max(1), None)
            }
        };
        if let Some(place) = (sent.taken + skipped).checked_sub(1).and_then(|last| places.get(last.min(places.len() - 1))) {
            self.tail.go(place.clone());
        }
        failed.map_or(Ok(Round::More), Err)
    }

    /// Moves what is confirmed on: at once, or when a receiver that says nothing has lasted long enough.
    fn settle(&mut self) {
        let Some(after) = self.sink.settles_after() else {
            self.confirmed.clone_from(self.tail.place());
            return;
        };
        if let Some((since, _)) = &self.mark
            && since.elapsed() >= after
            && let Some((_, place)) = self.mark.take()
        {
            self.confirmed = place;
        }
        if self.mark.is_none() && *self.tail.place() != self.confirmed {
            self.mark = Some((Instant::now(), self.tail.place().clone()));
        }
    }

    /// Goes back to what surely arrived, and says so once.
    fn is_down(&mut self, error: &io::Error) {
        if self.sink.settles_after().is_none() {
            self.settle();
        }
        self.mark = None;
        self.tail.go(self.confirmed.clone());
        match &mut self.down {
            Some(down) => down.retry = (down.retry * 2).min(self.pace.last_retry),
            None => {
                tracing::warn!(%error, sink = self.name, "a sink of the trail does not take records");
                (self.report)("sink-down", json!({"sink": self.name, "why": error.to_string()}));
                self.down = Some(Down { since: Instant::now(), retry: self.pace.first_retry });
            }
        }
    }

    fn is_up(&mut self) {
        let Some(down) = self.down.take() else { return };
        let seconds = down.since.elapsed().as_secs();
        let lag = self.tail.lag();
        tracing::info!(sink = self.name, lag, "a sink of the trail takes records again");
        (self.report)("sink-up", json!({"sink": self.name, "down-seconds": seconds, "lag": lag}));
    }

    fn save(&mut self) {
        self.saved = Instant::now();
        if let Err(error) = self.cursors.save(&self.confirmed) {
            tracing::warn!(%error, sink = self.name, "the place of a sink cannot be kept; a restart sends records again");
        }
    }
}
