//! dockgate: a gate in front of the Docker socket. Every Engine API request becomes a typed value, is judged
//! against an allowlist, recorded, and only then written anew for the daemon.

pub mod audit;
pub mod cli;
pub mod config;
pub mod demo;
pub mod docker;
pub mod import;
pub mod learn;
pub mod policy;
pub mod proxy;

#[cfg(test)]
#[path = "../tests/it/support/schema.rs"]
mod json_schema;

#[cfg(test)]
#[path = "../tests/it/support/pki.rs"]
mod pki;
