//! The async shell: doors and their reader, the pipeline, the upstream, relays and tunnels.
//! Knows nothing of configuration syntax; it decides nothing that the judge decides.

mod access;
mod bounds;
mod caller;
mod cgroup;
pub mod descriptors;
pub mod door;
mod engine;
mod facts;
mod filter;
pub mod handshake;
mod input;
mod inspect;
mod intake;
mod kept;
mod output;
mod own;
mod patience;
mod peer;
mod pipeline;
mod recent;
pub mod reconcile;
pub mod refuse;
mod relay;
pub mod reload;
pub mod serve;
mod spare;
mod stream;
mod tls;
mod told;
mod tunnel;
pub mod upstream;

pub use access::{Access, NoPolicy};
pub use door::{Bound, DoorState};
pub use pipeline::Gate;
pub use upstream::Upstream;
