//! The window in which is counted, shared by all clients of a generator.
//! Knows nothing of what is counted.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// A handle; cheap to clone.
#[derive(Clone)]
pub struct Window {
    state: Rc<State>,
}

struct State {
    open: Cell<bool>,
    counts: RefCell<Counts>,
    fault: RefCell<Option<io::Error>>,
}

/// What happened while the window was open.
#[derive(Default)]
pub struct Counts {
    pub requests: u64,
    pub bytes: u64,
    /// The time of each request, in nanoseconds, in order after the window was closed.
    nanos: Vec<u32>,
}

impl Counts {
    pub fn quantile_us(&self, share: f64) -> f64 {
        let last = self.nanos.len().saturating_sub(1);
        // Far below 2^52 entries.
        let place = (last as f64 * share).round() as usize;
        self.nanos.get(place).map_or(0.0, |nanos| f64::from(*nanos) / 1e3)
    }
}

impl Window {
    pub fn new() -> Self {
        let counts = RefCell::new(Counts { nanos: Vec::with_capacity(1 << 20), ..Counts::default() });
        Self { state: Rc::new(State { open: Cell::new(false), counts, fault: RefCell::new(None) }) }
    }

    pub fn open(&self) {
        self.state.open.set(true);
    }

    /// What was counted.
    ///
    /// # Errors
    /// The first fault of any client: a measurement with faults is none.
    pub fn close(&self) -> io::Result<Counts> {
        self.state.open.set(false);
        if let Some(fault) = self.state.fault.take() {
            return Err(fault);
        }
        let mut counts = self.state.counts.take();
        counts.nanos.sort_unstable();
        if counts.requests == 0 && counts.bytes == 0 { Err(io::Error::other("nothing came through")) } else { Ok(counts) }
    }

    pub fn request(&self, nanos: u64) {
        if self.state.open.get() {
            let mut counts = self.state.counts.borrow_mut();
            counts.requests += 1;
            counts.nanos.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
    }

    pub fn bytes(&self, count: usize) {
        if self.state.open.get() {
            self.state.counts.borrow_mut().bytes += count as u64;
        }
    }

    pub fn fault(&self, error: io::Error) {
        self.state.fault.borrow_mut().get_or_insert(error);
    }
}
