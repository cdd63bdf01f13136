//! The Docker Engine API as data: heads, endpoints, bodies, references.
//! Knows nothing of sockets, async runtimes or policies.

pub mod action;
pub mod chunked;
pub mod class;
pub mod decode;
pub mod endpoint;
pub mod fault;
pub mod head;
pub mod json;
pub mod method;
pub mod operations;
pub mod query;
pub mod reference;
pub mod registry_auth;
pub mod schema;
pub mod tar;
pub mod target;
pub mod version;

pub use action::Action;
pub use class::{Class, Gate};
pub use endpoint::Endpoint;
pub use fault::{Fault, FaultKind};
pub use head::Head;
pub use json::Value;
pub use method::Method;
pub use operations::Operation;
pub use version::ApiVersion;
