//! Joins the records of a call by its id, in the order in which calls began.
//! Knows nothing of files; what waits for its end is bounded.

use std::collections::{HashMap, VecDeque};

use super::record::{Call, Record, Step};

/// Calls that wait in order for one that has not ended yet; after that they pass it by.
const WAITING: usize = 4096;

/// Takes records, gives calls.
#[derive(Debug, Default)]
pub struct Joiner {
    /// Calls in the order of their first record.
    queue: VecDeque<Waiting>,
    /// Where in the queue a call without an end stands, counted from the first call ever.
    open: HashMap<String, u64>,
    /// Calls that others have passed by.
    late: HashMap<String, Call>,
    /// How many calls have left the queue.
    gone: u64,
}

#[derive(Debug)]
struct Waiting {
    call: Call,
    done: bool,
}

impl Joiner {
    /// Takes a record and returns the calls that are whole now.
    pub fn take(&mut self, record: Record) -> Vec<Call> {
        let id = record.id().to_owned();
        match record.step() {
            Step::Single | Step::Event => self.push(record, true),
            Step::Intent => {
                self.open.insert(id, self.gone + self.queue.len() as u64);
                self.push(record, false);
            }
            Step::Start | Step::Last => return self.join(&id, record),
        }
        self.ready()
    }

    /// Whatever is left: calls without an end, in their order.
    pub fn finish(self) -> Vec<Call> {
        let mut late: Vec<Call> = self.late.into_values().collect();
        late.sort_by(|one, other| one.id().cmp(other.id()));
        late.into_iter().chain(self.queue.into_iter().map(|waiting| waiting.call)).collect()
    }

    fn push(&mut self, record: Record, done: bool) {
        self.queue.push_back(Waiting { call: Call { records: vec![record] }, done });
    }

    fn join(&mut self, id: &str, record: Record) -> Vec<Call> {
        let last = record.step() == Step::Last;
        if let Some(mut call) = self.late.remove(id) {
            call.records.push(record);
            if last {
                return vec![call];
            }
            self.late.insert(id.to_owned(), call);
            return Vec::new();
        }
        let at = self.open.get(id).and_then(|at| usize::try_from(at - self.gone).ok());
        match at.and_then(|at| self.queue.get_mut(at)) {
            Some(waiting) => {
                waiting.call.records.push(record);
                waiting.done = last;
                if last {
                    self.open.remove(id);
                }
            }
            // its beginning stands in a file that nobody named
            None => self.push(record, true),
        }
        self.ready()
    }

    fn ready(&mut self) -> Vec<Call> {
        let mut ready = Vec::new();
        while self.queue.front().is_some_and(|first| first.done || self.queue.len() > WAITING) {
            let Some(Waiting { call, done }) = self.queue.pop_front() else { break };
            self.gone += 1;
            if done {
                ready.push(call);
            } else {
                self.open.remove(call.id());
                self.late.insert(call.id().to_owned(), call);
            }
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::call;
    use super::*;
    use serde_json::json;

    fn record(id: &str, stage: &str) -> Record {
        call(&[json!({ "id": id, "stage": stage, "time": "2026-11-21T00:00:00Z" })]).records.remove(0)
    }

    fn ids(calls: &[Call]) -> Vec<(&str, usize)> {
        calls.iter().map(|call| (call.id(), call.records.len())).collect()
    }

    #[test]
    fn gives_calls_in_the_order_in_which_they_began() {
        let mut joiner = Joiner::default();
        assert!(joiner.take(record("A", "intent")).is_empty());
        assert!(joiner.take(record("B", "single")).is_empty());
        assert!(joiner.take(record("A", "start")).is_empty());
        assert_eq!(ids(&joiner.take(record("A", "end"))), [("A", 3), ("B", 1)]);
        assert_eq!(ids(&joiner.take(record("C", "single"))), [("C", 1)]);
        assert!(joiner.finish().is_empty());
    }

    #[test]
    fn an_intent_without_an_outcome_comes_last_and_is_open() {
        let mut joiner = Joiner::default();
        joiner.take(record("A", "intent"));
        joiner.take(record("B", "single"));
        let rest = joiner.finish();
        assert_eq!(ids(&rest), [("A", 1), ("B", 1)]);
        assert!(rest[0].is_open() && !rest[1].is_open());
    }

    #[test]
    fn an_outcome_without_its_intent_is_a_call_of_its_own() {
        assert_eq!(ids(&Joiner::default().take(record("A", "outcome"))), [("A", 1)]);
    }

    #[test]
    fn a_stream_that_lasts_holds_up_only_so_many_others() {
        let mut joiner = Joiner::default();
        joiner.take(record("stream", "intent"));
        let passed: usize = (0..WAITING * 2).map(|n| joiner.take(record(&n.to_string(), "single")).len()).sum();
        assert_eq!(passed, WAITING * 2);
        assert!(joiner.take(record("stream", "start")).is_empty());
        assert_eq!(ids(&joiner.take(record("stream", "end"))), [("stream", 3)]);
        assert!(joiner.finish().is_empty());
    }
}
