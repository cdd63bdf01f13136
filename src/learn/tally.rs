//! How often something was seen, when, and by whom.
//! Knows nothing of what it was.

use std::collections::BTreeSet;

use super::Seen;

/// Callers that are named.
const MOST: usize = 3;

/// How often, when and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    count: u64,
    first: String,
    last: String,
    who: BTreeSet<String>,
}

impl Tally {
    /// That of one call.
    pub fn of(call: &Seen) -> Self {
        let mut tally = Self::default();
        tally.add(call);
        tally
    }

    /// Counts a call.
    pub fn add(&mut self, call: &Seen) {
        self.merge(&Self {
            count: call.weight,
            first: call.time.clone(),
            last: call.time.clone(),
            who: std::iter::once(call.who.clone()).collect(),
        });
    }

    /// Counts what another counted.
    pub fn merge(&mut self, other: &Self) {
        if self.count == 0 || other.first < self.first {
            self.first.clone_from(&other.first);
        }
        if other.last > self.last {
            self.last.clone_from(&other.last);
        }
        self.count += other.count;
        self.who.extend(other.who.iter().cloned());
    }

    /// `seen 3 times, first …, last …, by …`
    pub fn text(&self) -> String {
        let when = |time: &str| time.split('.').next().unwrap_or_default().trim_end_matches('Z').to_owned();
        let (first, last) = (when(&self.first), when(&self.last));
        let named: Vec<&str> = self.who.iter().take(MOST).map(String::as_str).collect();
        let more = self.who.len().saturating_sub(MOST);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        let times =
            if self.count == 1 { format!("seen once, {first}") } else { format!("seen {} times, first {first}, last {last}", self.count) };
        format!("{times}, by {}{others}", named.join(", "))
    }

    /// How often.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first and the last time.
    pub fn span(&self) -> (&str, &str) {
        (&self.first, &self.last)
    }
}
