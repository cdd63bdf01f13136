//! The judge without its shell, for mutation tests: the tests beside the code, and those of `tests/it` that need no socket.
#![allow(missing_docs, dead_code, unused_imports, reason = "parts of a package")]

extern crate self as dockgate;

pub mod config;
pub mod docker;
pub mod policy;

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod go_json;
#[cfg(test)]
mod go_routing;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod readers;

/// What those tests share.
#[cfg(test)]
mod support {
    pub mod client;
    pub mod engine;

    /// Tests that start the binary are compiled with the others of their file and never run.
    pub mod gate {
        use std::collections::BTreeMap;
        use std::path::{Path, PathBuf};

        pub struct Gate;

        impl Gate {
            pub fn start(_: &Path, _: &str, _: &[PathBuf]) -> Self {
                panic!("there is no binary here")
            }

            pub fn messages(&self) -> String {
                String::new()
            }

            pub fn stop(self) -> BTreeMap<String, serde_json::Value> {
                BTreeMap::new()
            }
        }
    }

    pub fn data(path: &str) -> std::path::PathBuf {
        std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(path)
    }

    pub fn bless() -> bool {
        false
    }

    pub fn report(_: &str) {}
}
