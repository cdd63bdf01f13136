//! Intents and their ends, and what the trail says about itself: stops, gaps.
//! Knows nothing of digests.

use std::collections::HashMap;

use serde_json::Value;

use crate::audit::read::Entry;

use super::Head;
use super::report::{Level, OpenIntent, Place, Report};

/// What is open, and how the running of dockgate stands.
#[derive(Debug)]
pub struct Calls {
    open: HashMap<String, OpenIntent>,
    resolved: u64,
    since: Option<jiff::Timestamp>,
    running: Running,
}

/// Where a run of dockgate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    /// Nothing was read, or it stopped as it should.
    Stopped,
    /// The stop without a `close` was noted; the `open` that may follow belongs to it.
    Recovered,
    Runs,
}

impl Calls {
    pub fn new(since: Option<jiff::Timestamp>) -> Self {
        Self { open: HashMap::new(), resolved: 0, since, running: Running::Stopped }
    }

    /// Notes a line; true where it finishes its file.
    pub fn line(&mut self, head: &Head<'_>, line: &[u8], at: Place, report: &mut Report) -> bool {
        match &*head.stage {
            "intent" => self.intent(head, line, at),
            "start" => {
                if let Some(open) = self.open.get_mut(&*head.id) {
                    open.started = true;
                }
            }
            "outcome" => {
                // the reply of a stream or tunnel that began needs its `end`
                let done = self.open.get(&*head.id).is_some_and(|open| !open.started);
                self.close(done, &head.id);
            }
            "end" => self.close(true, &head.id),
            "event" => return self.event(line, at, report),
            _ => {}
        }
        self.running = Running::Runs;
        false
    }

    fn intent(&mut self, head: &Head<'_>, line: &[u8], at: Place) {
        let entry = Entry::parse(line).unwrap_or_default();
        let operation = entry.operation.unwrap_or_default();
        let call = match (entry.method, entry.path) {
            (Some(method), Some(path)) => format!("{method} {path}"),
            (_, path) => path.unwrap_or(operation),
        };
        let open = OpenIntent {
            id: entry.id.clone(),
            at,
            sequence: head.sequence,
            time: entry.time,
            call,
            policy: entry.policy,
            started: false,
            stopped: None,
        };
        self.open.insert(entry.id, open);
    }

    fn close(&mut self, done: bool, id: &str) {
        if done && self.open.remove(id).is_some() {
            self.resolved += 1;
        }
    }

    fn event(&mut self, line: &[u8], at: Place, report: &mut Report) -> bool {
        let entry = Entry::parse(line).unwrap_or_default();
        match entry.event.as_deref().unwrap_or_default() {
            "close" => {
                self.stop(&at);
                self.running = Running::Stopped;
                return true;
            }
            "rotate" => {
                // what is open goes on in the next file
                self.running = Running::Stopped;
                return true;
            }
            "open" => {
                if self.running == Running::Runs {
                    self.unclean(&entry, at, report);
                }
                self.running = Running::Runs;
            }
            "recovered" => self.recovered(&entry, at, report),
            "gap" if self.wanted(&entry) => {
                let message = format!("the trail has a gap: {}", shown(entry.detail.as_ref()));
                report.find(Level::Note, "gap", &at, message);
            }
            _ => self.running = Running::Runs,
        }
        false
    }

    fn recovered(&mut self, entry: &Entry, at: Place, report: &mut Report) {
        if let Some(bytes) = entry.detail("torn-bytes").and_then(Value::as_u64).filter(|_| self.wanted(entry)) {
            let message = format!("a torn line of {bytes} bytes was moved out of the trail");
            report.find(Level::Note, "torn-line", &at, message);
        }
        // an `open` of the same start may stand before it, and was counted then
        let counted = report.unclean.last().is_some_and(|last| last.path == at.path && last.line + 1 == at.line);
        if entry.detail("unclean") == Some(&Value::Bool(true)) && !counted {
            self.unclean(entry, at, report);
        }
        self.running = Running::Recovered;
    }

    fn unclean(&mut self, entry: &Entry, at: Place, report: &mut Report) {
        self.stop(&at);
        if self.wanted(entry) {
            report.unclean.push(at);
        }
    }

    /// What is open when dockgate stops stays open.
    fn stop(&mut self, at: &Place) {
        for open in self.open.values_mut().filter(|open| open.stopped.is_none()) {
            open.stopped = Some(at.clone());
        }
    }

    fn wanted(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.moment().is_none_or(|moment| moment >= since))
    }

    pub fn finish(&mut self, report: &mut Report) {
        let since = self.since;
        let wanted = |open: &OpenIntent| since.is_none_or(|since| open.time.parse::<jiff::Timestamp>().map_or(true, |time| time >= since));
        report.resolved = self.resolved;
        report.open = self.open.drain().map(|(_, open)| open).filter(wanted).collect();
        report.open.sort_by_key(|open| open.sequence);
    }
}

/// A detail in one line.
fn shown(detail: Option<&Value>) -> String {
    detail.map_or_else(|| "of unknown size".to_owned(), Value::to_string)
}
