//! The integration tests, as one binary: each module is one subject.
//! Knows nothing of how the gate works inside, except where a module says so.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and helpers of tests"
)]

mod archives;
mod arrows;
mod bodies;
mod client_runs;
mod corpus;
mod doors;
mod drift;
mod endure;
mod examples;
mod go_json;
mod go_routing;
mod imports;
mod learn;
mod peers;
mod presets;
mod properties;
mod readers;
mod recorded;
mod reload;
mod report;
mod rewrite;
mod secrets;
mod steps;
mod streams;
mod support;
mod tls;
mod torture;
mod trail;
mod trails;
