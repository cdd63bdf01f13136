//! What bounds a door: its connections, requests, changes, bodies and times.
//! Knows nothing of what a request is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::config::{DoorLimits, Limits};

use super::input::Deadlines;
use super::refuse::Limit;

/// How long a door remembers that requests were few: as many as a second's may come at once.
const BURST: Duration = Duration::from_secs(1);

/// The bounds of a door.
#[derive(Debug)]
pub struct Bounds {
    /// Deadlines of its connections.
    pub deadlines: Deadlines,
    /// The largest JSON body.
    pub max_json: usize,
    /// The largest body that is relayed as it comes.
    pub max_upload: u64,
    places: Semaphore,
    changes: Semaphore,
    rate: Option<Mutex<Rate>>,
}

impl Bounds {
    /// Those of the configuration's `[limits]`, and those of a door over them.
    pub fn new(limits: &Limits, door: &DoorLimits) -> Self {
        let deadlines = Deadlines {
            head: door.head_timeout.unwrap_or(limits.head_timeout),
            body: door.body_timeout.unwrap_or(limits.body_timeout),
            idle: limits.idle_timeout,
        };
        let many = |count: Option<usize>| Semaphore::new(count.unwrap_or(Semaphore::MAX_PERMITS));
        Self {
            deadlines,
            max_json: door.max_json_body.unwrap_or(limits.max_json_body),
            max_upload: door.max_upload.unwrap_or(u64::MAX),
            places: many(door.connections),
            changes: many(door.changes),
            rate: door.requests_per_second.map(|count| Mutex::new(Rate::new(count))),
        }
    }

    /// A place for a connection, until it is dropped.
    ///
    /// # Errors
    /// Where all are taken.
    pub fn place(&self) -> Result<SemaphorePermit<'_>, Limit> {
        self.places.try_acquire().map_err(|_| Limit::Connections)
    }

    /// Counts a request.
    ///
    /// # Errors
    /// Where there were too many just now.
    pub fn request(&self) -> Result<(), Limit> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let admitted = rate.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now());
        if admitted { Ok(()) } else { Err(Limit::Requests) }
    }

    /// A place for a change, until it is dropped.
    ///
    /// # Errors
    /// Where all are taken.
    pub fn change(&self) -> Result<SemaphorePermit<'_>, Limit> {
        self.changes.try_acquire().map_err(|_| Limit::Changes)
    }
}

/// A bucket that holds a second's requests and fills evenly, kept as the moment at which it will be full.
#[derive(Debug)]
struct Rate {
    each: Duration,
    full: Option<Instant>,
}

impl Rate {
    fn new(count: u32) -> Self {
        Self { each: BURST / count.max(1), full: None }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let next = self.full.map_or(now, |full| full.max(now)) + self.each;
        let admitted = next <= now + BURST;
        if admitted {
            self.full = Some(next);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(limits: DoorLimits) -> Bounds {
        Bounds::new(&Limits::default(), &limits)
    }

    fn admitted(bounds: &Bounds, tries: usize) -> usize {
        (0..tries).filter(|_| bounds.request().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_of_requests_may_come_at_once_and_then_one_for_each_part_of_a_second() {
        let bounds = bounds(DoorLimits { requests_per_second: Some(50), ..DoorLimits::default() });
        assert_eq!(admitted(&bounds, 200), 50);
        tokio::time::advance(Duration::from_millis(19)).await;
        assert_eq!(admitted(&bounds, 5), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(admitted(&bounds, 5), 1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(admitted(&bounds, 200), 50, "an idle hour saves no more than a second's");
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_long_time_no_more_than_the_rate_is_served() {
        for count in [1, 3, 7, 1000] {
            let bounds = bounds(DoorLimits { requests_per_second: Some(count), ..DoorLimits::default() });
            let mut served = 0;
            for _ in 0..1000 {
                served += admitted(&bounds, 3);
                tokio::time::advance(Duration::from_millis(10)).await;
            }
            let most = usize::try_from(count).unwrap() * 11;
            assert!(served <= most && served + 1 >= most.min(3000) * 10 / 11, "{count} a second: {served} in 10 s");
        }
    }

    #[test]
    fn a_refused_request_takes_nothing_from_the_next_one() {
        let start = Instant::now();
        let mut rate = Rate::new(1);
        assert!(rate.admits(start));
        assert!((1..1000).all(|at| !rate.admits(start + Duration::from_millis(at))));
        assert!(rate.admits(start + Duration::from_secs(1)));
    }

    #[test]
    fn places_are_given_back_and_what_is_not_bounded_is_always_there() {
        let bounded = bounds(DoorLimits { connections: Some(1), changes: Some(2), ..DoorLimits::default() });
        let place = bounded.place().unwrap();
        assert_eq!(bounded.place().map(drop), Err(Limit::Connections));
        drop(place);
        assert!(bounded.place().is_ok());
        let changes = (bounded.change().unwrap(), bounded.change().unwrap());
        assert_eq!(bounded.change().map(drop), Err(Limit::Changes));
        drop(changes);
        assert!(bounded.change().is_ok());
        let unbounded = bounds(DoorLimits::default());
        let many: Vec<_> = (0..100_000).map(|_| (unbounded.place(), unbounded.change(), unbounded.request())).collect();
        assert!(many.iter().all(|(place, change, request)| place.is_ok() && change.is_ok() && request.is_ok()));
    }

    #[test]
    fn the_bounds_of_a_door_win_over_the_global_ones() {
        let limits = DoorLimits {
            max_json_body: Some(2048),
            max_upload: Some(4096),
            head_timeout: Some(Duration::from_secs(1)),
            body_timeout: Some(Duration::from_secs(2)),
            ..DoorLimits::default()
        };
        let (own, global) = (bounds(limits), bounds(DoorLimits::default()));
        assert_eq!(
            (own.max_json, own.max_upload, own.deadlines.head, own.deadlines.body),
            (2048, 4096, Duration::from_secs(1), Duration::from_secs(2))
        );
        let default = Limits::default();
        assert_eq!((global.max_json, global.max_upload), (default.max_json_body, u64::MAX));
        assert_eq!(
            (global.deadlines.head, global.deadlines.body, own.deadlines.idle),
            (default.head_timeout, default.body_timeout, default.idle_timeout)
        );
    }
}
