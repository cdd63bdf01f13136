//! Numbers over many calls: by operation, client, verdict and reason, over time.
//! Knows nothing of tables and pages.

use std::collections::HashMap;

use jiff::Timestamp;

use super::record::Call;
use super::series::Series;

/// Clients that are told apart; the rest count as one.
const CLIENTS: usize = 1000;
/// The name of that rest.
const OTHERS: &str = "(all others)";

/// The verdicts, in the order of every table and chart.
pub const VERDICTS: [&str; 4] = ["allow", "would-deny", "deny", "refuse"];

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls; what is folded counts as often as it came.
    pub calls: u64,
    /// Records.
    pub records: u64,
    /// The trail's own events, by name.
    pub events: HashMap<String, u64>,
    /// Calls whose intent stands alone.
    pub open: u64,
    /// When the first call began, and the last.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By operation.
    pub operations: HashMap<String, Group>,
    /// By door and client.
    pub clients: HashMap<String, Group>,
    /// By verdict and reason.
    pub verdicts: HashMap<(String, String), u64>,
    /// All of them.
    pub all: Group,
    /// By verdict, over time.
    pub series: Series<4>,
}

/// Calls that have something in common.
#[derive(Debug, Default, Clone)]
pub struct Group {
    /// How many, in the order of [`VERDICTS`].
    pub verdicts: [u64; 4],
    durations: Vec<u64>,
}

impl Group {
    /// How many.
    pub fn calls(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// Denied or refused.
    pub fn denied(&self) -> u64 {
        self.verdicts.iter().skip(2).sum()
    }

    fn add(&mut self, kind: usize, weight: u64, duration: Option<u64>) {
        if let Some(count) = self.verdicts.get_mut(kind) {
            *count += weight;
        }
        self.durations.extend(duration);
    }

    /// The duration in microseconds that this share of the calls does not exceed (nearest rank).
    pub fn percentile(&mut self, share: u64) -> Option<u64> {
        self.durations.sort_unstable();
        let rank = (self.durations.len() as u64 * share).div_ceil(100).max(1) - 1;
        self.durations.get(usize::try_from(rank).ok()?).copied()
    }
}

impl Tally {
    /// Counts a call.
    pub fn add(&mut self, call: &Call) {
        self.records += call.records.len() as u64;
        if let Some((name, _)) = call.event() {
            *self.events.entry(name.to_owned()).or_default() += 1;
            return;
        }
        let weight = call.weight();
        let kind = VERDICTS.iter().position(|word| *word == call.verdict()).unwrap_or(VERDICTS.len() - 1);
        self.calls += weight;
        self.open += u64::from(call.is_open());
        self.group(call, kind, weight);
        if let Some(time) = call.time() {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
            self.series.add(time.as_second(), kind, weight);
        }
    }

    fn group(&mut self, call: &Call, kind: usize, weight: u64) {
        let duration = call.duration_us();
        let operation = call.operation().unwrap_or("(no operation)");
        self.operations.entry(operation.to_owned()).or_default().add(kind, weight, duration);
        let client = client(call);
        let client = if self.clients.len() < CLIENTS || self.clients.contains_key(&client) { client } else { OTHERS.to_owned() };
        self.clients.entry(client).or_default().add(kind, weight, duration);
        let reason = if kind == 0 { "" } else { call.reason().unwrap_or_default() };
        let word = VERDICTS.get(kind).copied().unwrap_or_default();
        *self.verdicts.entry((word.to_owned(), reason.to_owned())).or_default() += weight;
        self.all.add(kind, weight, duration);
    }
}

/// Door and client.
pub fn client(call: &Call) -> String {
    format!("{} {}", call.door(), call.client()).trim().to_owned()
}

/// The largest first; what is equal, by name.
pub fn ranked(groups: &HashMap<String, Group>) -> Vec<(&str, &Group)> {
    let mut ranked: Vec<(&str, &Group)> = groups.iter().map(|(name, group)| (name.as_str(), group)).collect();
    ranked.sort_by(|(name, group), (other, others)| others.calls().cmp(&group.calls()).then(name.cmp(other)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::call;
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_calls_and_what_is_folded_into_them() {
        let mut tally = Tally::default();
        for n in 1..=99 {
            tally.add(&call(&[
                json!({ "stage": "single", "time": "2026-11-21T00:00:00Z", "operation": "ContainerList", "verdict": "allow",
                "uid": 7, "door": "unix:///run/a.sock", "duration_us": n * 10 }),
            ]));
        }
        tally.add(&call(&[json!({ "stage": "single", "time": "2026-11-21T01:00:00Z", "operation": "ContainerCreate", "verdict": "deny",
            "reason": "host-path", "address": "10.0.0.1:1", "folded": { "count": 40 }, "duration_us": 5 })]));
        tally.add(&call(&[json!({ "stage": "intent", "time": "2026-11-21T02:00:00Z", "verdict": "allow" })]));
        tally.add(&call(&[json!({ "stage": "event", "event": "open", "time": "2026-11-21T00:00:00Z" })]));
        assert_eq!((tally.calls, tally.records, tally.open, tally.all.denied()), (140, 102, 1, 40));
        let names: Vec<(&str, u64)> = ranked(&tally.operations).into_iter().map(|(name, group)| (name, group.calls())).collect();
        assert_eq!(names, [("ContainerList", 99), ("ContainerCreate", 40), ("(no operation)", 1)]);
        assert_eq!(ranked(&tally.clients).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a uid 7", "10.0.0.1", "unknown"]);
        assert_eq!(tally.verdicts[&("deny".to_owned(), "host-path".to_owned())], 40);
        let list = tally.operations.get_mut("ContainerList").unwrap();
        assert_eq!((list.percentile(50), list.percentile(99), list.percentile(100)), (Some(500), Some(990), Some(990)));
        assert_eq!(Group::default().percentile(50), None);
        assert_eq!(tally.series.slots(3).counts, [[99, 0, 0, 0], [0, 0, 40, 0], [1, 0, 0, 0]]);
    }
}
