//! The proxy without its command line, for mutation tests of what reads bytes from clients and from the engine.
#![allow(missing_docs, dead_code, reason = "parts of a package")]

pub mod audit;
pub mod config;
pub mod docker;
pub mod policy;
pub mod proxy;

#[cfg(test)]
#[path = "../tests/it/support/schema.rs"]
mod json_schema;

#[cfg(test)]
#[path = "../tests/it/support/pki.rs"]
mod pki;
