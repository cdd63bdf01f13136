//! How many denials the operator's log is told of: a client that is refused in a loop must not fill it, nor cost more than its requests.
//! Knows nothing of what is said. The trail has every one of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines about one kind of denial in a second.
const MOST: u32 = 10;
/// The time that they are counted in.
const WINDOW: Duration = Duration::from_secs(1);
/// Kinds that are counted at once; those that come on top are always told.
const KINDS: usize = 256;

/// What one kind of denial is: its operation and its reason.
type Kind = (&'static str, &'static str);

/// Counts what is told.
#[derive(Debug, Default)]
pub struct Told {
    kinds: Mutex<HashMap<Kind, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    told: u32,
    untold: u64,
}

impl Told {
    /// Whether one more is told; with it how many of its kind were not, since the last one that was.
    pub fn next(&self, kind: Kind, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS && !kinds.contains_key(&kind) {
            return Some(0);
        }
        let count = kinds.entry(kind).or_insert(Count { since: now, told: 0, untold: 0 });
        if now.duration_since(count.since) >= WINDOW {
            (count.since, count.told) = (now, 0);
        }
        if count.told >= MOST {
            count.untold += 1;
            return None;
        }
        count.told += 1;
        Some(std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ten_a_second_of_each_kind_and_how_many_it_left_out() {
        let (told, start) = (Told::default(), Instant::now());
        let (kill, create) = (("ContainerKill", "not-allowed"), ("ContainerCreate", "not-allowed"));
        let said = (0..500).filter(|_| told.next(kill, start).is_some()).count();
        assert_eq!(said, 10);
        assert_eq!(told.next(create, start), Some(0), "another kind has lines of its own");
        assert_eq!(told.next(kill, start + WINDOW), Some(490));
        assert_eq!(told.next(kill, start + WINDOW), Some(0));
    }

    #[test]
    fn kinds_beyond_its_memory_are_always_told() {
        let (told, now) = (Told::default(), Instant::now());
        let names: Vec<&'static str> = (0..300).map(|number: u32| &*number.to_string().leak()).collect();
        for name in names {
            assert_eq!(told.next((name, "x"), now), Some(0));
        }
        assert_eq!(told.kinds.lock().unwrap().len(), KINDS);
    }
}
