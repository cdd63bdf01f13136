//! Other proxies' settings → explicit policies as TOML, with a comment on every trap.
//! Knows nothing of files, the process's environment and printing.

mod cetusguard;
mod compose;
mod draft;
mod patterns;
mod sections;
#[cfg(test)]
mod tests;
mod usual;
mod wollomatic;
mod words;

use std::collections::BTreeMap;

pub use cetusguard::{cetusguard, rule_files};
pub use compose::{Service, labels, service};
pub use sections::{Image, sections};
pub use wollomatic::{label_prefix, wollomatic};
pub use words::{env_file, pair};

/// Variables and their values.
pub type Environment = BTreeMap<String, String>;

/// How much of what the settings open is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Exactly what they open.
    Equal,
    /// What such settings are usually wanted for; the rest stands in comments.
    Least,
}

/// A configuration that was made from another proxy's settings.
#[derive(Debug)]
pub struct Imported {
    /// The configuration.
    pub toml: String,
    /// The name of its one policy.
    pub policy: &'static str,
    /// Everything that somebody should know who uses it.
    pub warnings: Vec<String>,
    /// What is to be known of its doors, where others than this host reach them.
    pub exposed: Vec<String>,
    /// The level of the operator's log that was asked for.
    pub log: Option<&'static str>,
}

/// Why settings cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ImportError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl ImportError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl From<crate::config::UrlError> for ImportError {
    fn from(error: crate::config::UrlError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}
