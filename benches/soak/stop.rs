//! The word that ends the work, and the waits that it cuts short.
//! Knows nothing of the work.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Stop {
    set: Mutex<bool>,
    told: Condvar,
}

impl Stop {
    pub fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until it is set.
    pub fn wait(&self, long: Duration) {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let _either = self.told.wait_timeout_while(set, long, |set| !*set);
    }
}
