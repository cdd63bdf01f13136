//! What the page shows beyond the numbers of `stats`: changes, denials, open intents, events, who calls what.
//! Knows nothing of HTML. Every list is bounded; what is left out is counted.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use crate::docker::operations::Kind;

use super::super::record::Call;
use super::super::tally::{Tally, client};
use super::super::{stats, when};

/// The last changes, events and open intents that the page lists.
pub const LISTED: usize = 500;
/// Kinds of denials, and pairs of client and operation, that are told apart.
const GROUPS: usize = 2000;

/// Everything on the page.
#[derive(Debug, Default)]
pub struct Data {
    /// The numbers.
    pub tally: Tally,
    /// Forwarded changes and tunnels.
    pub changes: List,
    /// Those of them whose intent stands alone.
    pub open: List,
    /// Events of the trail that somebody should look at, as rows whose `operation` is the event.
    pub events: List,
    /// Denials that are alike.
    denials: HashMap<[String; 5], Denied>,
    /// Calls by client and operation.
    pub pairs: HashMap<(String, String), u64>,
}

/// The last of many rows.
#[derive(Debug, Default)]
pub struct List {
    /// How many there are.
    pub all: u64,
    /// The last ones, in order.
    pub rows: VecDeque<Row>,
}

/// A call in a table.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// UTC.
    pub time: String,
    /// Door and client.
    pub who: String,
    /// The operation or event.
    pub operation: String,
    /// Objects, or the event's detail.
    pub what: String,
    /// The verdict.
    pub verdict: String,
    /// The status; empty where there is none.
    pub status: String,
    /// How long it took; empty where that is not known.
    pub took: String,
    /// The audit id.
    pub id: String,
}

/// Denials with the same verdict, reason, place, operation and client.
#[derive(Debug, Clone, Default)]
pub struct Denied {
    /// How many.
    pub count: u64,
    /// When the last one was.
    pub last: String,
    /// Its id.
    pub id: String,
}

impl List {
    fn push(&mut self, row: Row) {
        self.all += 1;
        self.rows.push_back(row);
        if self.rows.len() > LISTED {
            self.rows.pop_front();
        }
    }

    fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({ "time": row.time, "who": row.who, "operation": row.operation, "what": row.what, "verdict": row.verdict,
                "status": row.status, "took": row.took, "id": row.id })
        };
        json!({ "all": self.all, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl Data {
    /// Takes a call.
    pub fn add(&mut self, call: &Call) {
        self.tally.add(call);
        if call.is_event() {
            self.event(call);
            return;
        }
        let pair = (client(call), call.operation().unwrap_or("(no operation)").to_owned());
        if self.pairs.len() < GROUPS || self.pairs.contains_key(&pair) {
            *self.pairs.entry(pair).or_default() += call.weight();
        }
        if matches!(call.verdict(), "deny" | "refuse" | "would-deny") {
            self.denied(call);
        }
        let changes = call.known_operation().is_some_and(|operation| matches!(operation.row().kind, Kind::Change | Kind::Tunnel));
        if changes && matches!(call.verdict(), "allow" | "would-deny") {
            self.changes.push(row(call));
        }
        if call.is_open() {
            self.open.push(row(call));
        }
    }

    fn event(&mut self, call: &Call) {
        let Some((name, detail)) = call.event() else { return };
        if matches!(name, "sink-up" | "rotate" | "drain") {
            return;
        }
        self.events.push(Row { operation: name.to_owned(), what: detail, ..row(call) });
    }

    fn denied(&mut self, call: &Call) {
        let texts = [call.verdict(), call.reason().unwrap_or_default(), call.text(&["at"]).unwrap_or_default()];
        let [verdict, reason, at] = texts.map(str::to_owned);
        let key = [verdict, reason, at, call.operation().unwrap_or("(no operation)").to_owned(), client(call)];
        if self.denials.len() >= GROUPS && !self.denials.contains_key(&key) {
            return;
        }
        let denied = self.denials.entry(key).or_default();
        denied.count += call.weight();
        denied.last = when::shown(call.time());
        call.id().clone_into(&mut denied.id);
    }

    /// Denials that are alike, the most frequent first: verdict, reason, place, operation, client.
    pub fn denials(&self) -> Vec<(&[String; 5], &Denied)> {
        let mut denials: Vec<_> = self.denials.iter().collect();
        denials.sort_by(|(key, one), (other, others)| others.count.cmp(&one.count).then(key.cmp(other)));
        denials.truncate(LISTED);
        denials
    }

    /// All that the page shows, for its script and for other programs.
    pub fn json(&self) -> Value {
        let denial = |(key, denied): (&[String; 5], &Denied)| {
            let [verdict, reason, at, operation, who] = key;
            json!({ "verdict": verdict, "reason": reason, "at": at, "operation": operation, "who": who, "count": denied.count, "last": denied.last, "id": denied.id })
        };
        let mut value = stats::value(&self.tally);
        for (name, part) in [
            ("changes", self.changes.json()),
            ("without_outcome", self.open.json()),
            ("trail_events", self.events.json()),
            ("denials", self.denials().into_iter().map(denial).collect()),
        ] {
            if let Some(members) = value.as_object_mut() {
                members.insert(name.to_owned(), part);
            }
        }
        value
    }
}

fn row(call: &Call) -> Row {
    Row {
        time: when::shown(call.time()),
        who: client(call),
        operation: call.operation().unwrap_or("(no operation)").to_owned(),
        what: call.what(),
        verdict: call.verdict().to_owned(),
        status: call.status().map(|status| status.to_string()).unwrap_or_default(),
        took: call.duration_us().map(when::duration).unwrap_or_default(),
        id: call.id().to_owned(),
    }
}
