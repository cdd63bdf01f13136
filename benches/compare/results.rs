//! Every measurement that was made, and medians of them.
//! Knows nothing of how they are shown.

use serde_json::{Value, json};

use super::load::{Measured, Metric};
use super::peers::{Kind, Peer};

/// What came out of one attempt.
pub type Attempt = Result<Measured, String>;

/// All of them.
pub struct Results {
    peers: Vec<(String, Kind)>,
    all: Vec<Entry>,
}

struct Entry {
    scenario: &'static str,
    peer: usize,
    attempt: Attempt,
}

impl Results {
    pub fn new(peers: &[Peer]) -> Self {
        Self { peers: peers.iter().map(|peer| (peer.name.clone(), peer.kind)).collect(), all: Vec::new() }
    }

    pub fn add(&mut self, scenario: &'static str, peer: usize, attempt: Attempt) {
        self.all.push(Entry { scenario, peer, attempt });
    }

    pub fn peers(&self) -> impl Iterator<Item = (usize, &str, Kind)> {
        self.peers.iter().enumerate().map(|(place, (name, kind))| (place, name.as_str(), *kind))
    }

    /// The first peer of that kind.
    pub fn peer(&self, kind: Kind) -> Option<usize> {
        self.peers.iter().position(|(_, own)| *own == kind)
    }

    fn attempts(&self, scenario: &str, peer: usize) -> impl Iterator<Item = &Attempt> {
        self.all.iter().filter(move |entry| entry.scenario == scenario && entry.peer == peer).map(|entry| &entry.attempt)
    }

    /// All values in order.
    fn sorted(&self, scenario: &str, peer: usize, metric: Metric) -> Vec<f64> {
        let measured = self.attempts(scenario, peer).flatten();
        let mut values: Vec<f64> = measured.filter_map(|measured| measured.get(&metric)).copied().collect();
        values.sort_by(f64::total_cmp);
        values
    }

    pub fn median(&self, scenario: &str, peer: usize, metric: Metric) -> Option<f64> {
        let values = self.sorted(scenario, peer, metric);
        let [low, high] = [values.len().checked_sub(1)? / 2, values.len() / 2].map(|place| values.get(place).copied());
        Some(f64::midpoint(low?, high?))
    }

    /// The least and the most.
    pub fn spread(&self, scenario: &str, peer: usize, metric: Metric) -> Option<(f64, f64)> {
        let values = self.sorted(scenario, peer, metric);
        values.first().copied().zip(values.last().copied())
    }

    /// Why an attempt failed, where one did.
    pub fn fault(&self, scenario: &str, peer: usize) -> Option<&str> {
        self.attempts(scenario, peer).find_map(|attempt| attempt.as_ref().err().map(String::as_str))
    }

    pub fn measured(&self, scenario: &str, peer: usize) -> bool {
        self.attempts(scenario, peer).next().is_some()
    }

    /// One object for each attempt, in the order in which they were made.
    pub fn json(&self) -> Value {
        let entry = |entry: &Entry| {
            let name = self.peers.get(entry.peer).map(|(name, _)| name);
            match &entry.attempt {
                Ok(measured) => json!({ "scenario": entry.scenario, "peer": name, "measured": measured }),
                Err(fault) => json!({ "scenario": entry.scenario, "peer": name, "fault": fault }),
            }
        };
        self.all.iter().map(entry).collect()
    }
}
