//! End-to-end: the real binary between real clients and real engines of two versions.
//! Uses only engines that `DOCKGATE_TEST_ENGINE` and `DOCKGATE_TEST_ENGINE_OLD` name (`unix://…`), or that it starts itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod bed;
mod engine;
mod gate;
#[path = "../it/support/pki.rs"]
mod pki;
mod process;
mod raw;

mod bodies;
mod build;
mod clients;
mod crash;
mod doors;
mod exec;
mod files;
mod full;
mod ids;
mod judged;
mod missing;
mod mission;
mod modes;
mod presets;
mod reads;
mod rebind;
mod reconcile;
mod refused;
mod restart;
mod rewrite;
mod runs;
mod steps;
mod streams;
mod targets;
mod tls;
mod torture;
mod who;
