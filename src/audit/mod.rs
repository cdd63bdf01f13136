//! The trail: one record a call, intents before changes, chained, signed, and written in order by one thread.
//! Knows nothing of sockets and HTTP framing.

mod chain;
pub mod checkpoint;
mod files;
mod fold;
pub mod merkle;
mod names;
mod open;
mod queue;
pub mod record;
mod recover;
pub mod settings;
pub mod trail;
mod writer;

#[cfg(test)]
mod tests;

pub use record::{Ended, Record, Stage, VerdictWord};
pub use settings::{OnFailure, Place, Settings, Sync};
pub use trail::{State, Trail, TrailError};
