//! Which events were taken already: what the engine is asked for twice is taken once.
//! Knows nothing of what they mean.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use super::event::Raw;

/// Events that are remembered; the engine itself keeps 256 for those who ask later.
const MOST: usize = 1024;

/// The last events, by a keyed hash of what they say.
#[derive(Default)]
pub struct Seen {
    keys: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// False for an event that is remembered, and remembers it.
    pub fn first_time(&mut self, event: &Raw) -> bool {
        let hash = self.keys.hash_one(event);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
