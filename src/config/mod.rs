//! TOML as written → valid values, and the only wording of configuration errors.
//! Knows nothing of sockets, the audit trail or the command line.

mod approved;
mod audit;
mod binds;
mod checks;
mod cidr;
mod client;
mod door;
mod error;
mod file;
mod grants;
mod header;
mod ids;
mod inject;
mod limits;
mod lint;
mod mark;
mod paths;
mod pem;
mod places;
mod policy;
mod preset;
mod profiles;
mod root;
mod rule;
mod sink;
mod suggest;
mod tls;
mod tree;
mod url;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::policy::Policy;

pub use audit::{Audit, AuditSync, CheckpointsTo, OnFailure};
pub use cidr::Cidr;
pub use client::Client;
pub use door::{DEFAULT_MODE, Door};
pub use error::{Diagnostic, Severity};
pub use file::{load, load_to_judge};
pub use header::{Header, Part};
pub use limits::{DoorLimits, Limits};
pub use mark::{Choice, Container, Home, Mark, choose};
pub use preset::{Preset, preset, presets};
pub use root::ways_to_root;
pub use sink::SinkUrl;
pub use tls::{DoorTls, EngineTls, TlsClients};
pub use url::{Listen, UpstreamUrl, UrlError};

/// The preset that holds where no policy is named.
pub const DEFAULT_POLICY: &str = "read-only";

/// What a configuration was read for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To open its doors: every file that it names was read.
    #[default]
    Serve,
    /// To judge by its policies alone: certificates and keys were not looked at, since who tests a policy need not have them.
    /// Its doors would be without TLS, so no server takes it.
    Judge,
}

/// Everything that a configuration file says, as valid values.
#[derive(Debug, Default)]
pub struct Config {
    /// The engine; `None` where it is to be found.
    pub upstream: Option<UpstreamUrl>,
    /// What it speaks TLS with, where the file says so.
    pub engine_tls: Option<EngineTls>,
    /// The listeners; empty where the file names none.
    pub doors: Vec<Door>,
    /// The policies of the file and the presets that its doors and their clients name.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The trail.
    pub audit: Audit,
    /// Sizes, times and counts.
    pub limits: Limits,
    /// Host paths that no container may mount, beside dockgate's own.
    pub protected: Vec<String>,
    /// The file that this came from, where there is one; `load` leaves it empty.
    pub path: Option<PathBuf>,
    /// Other files that this depends on: a change of one of them is a change of the configuration.
    pub watched: Vec<PathBuf>,
    /// The digest of the text, as [`digest`] makes it; empty where there was none.
    pub digest: String,
    /// What it was read for.
    pub purpose: Purpose,
}

/// A configuration and everything that is to be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// `None` where a diagnostic is an error.
    pub config: Option<Config>,
    /// Errors and warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Config {
    /// The policy of this name: the file's, else the preset.
    pub fn policy(&self, name: &str) -> Option<Arc<Policy>> {
        self.policies.get(name).cloned().or_else(|| preset(name))
    }
}

/// The SHA-256 of a configuration's text, in hexadecimal.
pub fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// What holds with no file at all: the policy `read-only`, and no doors.
pub fn defaults() -> Config {
    let policies = preset(DEFAULT_POLICY).map(|policy| (DEFAULT_POLICY.to_owned(), policy)).into_iter().collect();
    Config { policies, ..Config::default() }
}
