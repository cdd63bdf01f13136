//! The trail: one record a call, intents before changes, chained, signed, and written in order by one thread.
//! Knows nothing of sockets and HTTP framing.

mod chain;
pub mod checkpoint;
mod credentials;
pub mod entry;
mod files;
mod fold;
#[cfg(test)]
pub(crate) mod forge;
mod line;
mod members;
pub mod merkle;
mod moment;
mod names;
mod open;
pub mod proof;
mod queue;
pub mod read;
pub mod record;
mod recover;
pub mod redact;
mod reply;
mod restore;
pub mod settings;
pub mod sink;
mod summary;
pub mod trail;
pub mod verify;
pub mod who;
pub mod words;
mod writer;

#[cfg(test)]
mod tests;

pub use queue::Entry;
pub use record::{Record, Uploaded};
pub use redact::Redactor;
pub use restore::restore;
pub use settings::{OnFailure, Place, Settings, Sync};
pub use trail::{State, Trail, TrailError};
pub use who::Who;
pub use words::{Ended, Stage, VerdictWord};
