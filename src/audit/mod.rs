//! The trail: one record a call, intents before changes, written in order by one thread.
//! Knows nothing of sockets and HTTP framing.

pub mod record;
pub mod sink;
pub mod trail;

pub use record::{Ended, Record, Stage, VerdictWord};
pub use trail::{Trail, TrailError};
