//! The trail: one record a call, intents before changes, written in order by one thread.
//! Knows nothing of sockets and HTTP framing.

pub mod checkpoint;
#[cfg(test)]
pub(crate) mod forge;
pub mod merkle;
pub mod proof;
pub mod read;
mod credentials;
mod line;
mod moment;
pub mod record;
pub mod redact;
mod reply;
mod summary;
pub mod trail;
pub mod verify;
pub mod words;

pub use record::{Record, Uploaded};
pub use redact::Redactor;
pub use trail::{Trail, TrailError};
pub use words::{Ended, Stage, VerdictWord};
