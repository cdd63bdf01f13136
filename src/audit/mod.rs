//! The trail: one record a call, intents before changes, written in order by one thread.
//! Knows nothing of sockets and HTTP framing.

pub mod checkpoint;
pub mod entry;
#[cfg(test)]
pub(crate) mod forge;
pub mod merkle;
pub mod proof;
pub mod read;
pub mod record;
pub mod trail;
pub mod verify;

pub use record::{Ended, Record, Stage, VerdictWord};
pub use trail::{Trail, TrailError};
