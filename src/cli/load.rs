//! Reads configuration files and prints what is to be said about them.
//! Knows nothing of what is done with a configuration.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Config, Diagnostic, Loaded, Severity};
use crate::policy::Policy;

use super::say::{self, Failure, Paint};

/// The largest configuration that is read.
const MAX_FILE: u64 = 4 << 20;

/// A file's text; `-` is standard input.
///
/// # Errors
/// What cannot be read or is no text.
pub fn text(path: &str) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?).map_err(|_| Failure::usage(format!("`{path}` is not UTF-8 text")))
}

/// A file's bytes, bounded; `-` is standard input.
///
/// # Errors
/// What cannot be read or is too large.
pub fn bytes(path: &str) -> Result<Vec<u8>, Failure> {
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot read `{path}`: {error}"));
    let source: Box<dyn Read> = if path == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path).map_err(cannot)?) };
    let mut bytes = Vec::new();
    source.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Failure::usage(format!("`{path}` is larger than 4 MiB")));
    }
    Ok(bytes)
}

/// A file, loaded, and its text.
///
/// # Errors
/// What cannot be read.
pub fn load(path: &str) -> Result<(Loaded, String), Failure> {
    let text = text(path)?;
    Ok((config::load(named(path), &text), text))
}

/// How messages call it.
fn named(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// A configuration that can be used; what is to be said about it, down to `least`, is printed on standard error.
///
/// # Errors
/// What cannot be read, and errors in the file.
pub fn usable(path: &str, least: Severity) -> Result<Config, Failure> {
    let text = text(path)?;
    read(path, &text, least).map_err(|unusable| unusable.failure)
}

/// A configuration to judge by: its errors are printed, and its certificates and keys need not be here.
///
/// # Errors
/// What cannot be read, and errors in the file.
pub fn to_judge(path: &str) -> Result<Config, Failure> {
    let text = text(path)?;
    checked(path, &text, Severity::Error, config::load_to_judge(named(path), &text)).map_err(|unusable| unusable.failure)
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// For people, beside what was printed.
    pub failure: Failure,
    /// How many errors there are.
    pub errors: usize,
    /// The first one, with file, line and column where it has them.
    pub first: String,
}

impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        let first = failure.message().to_owned();
        Self { failure, errors: 1, first }
    }
}

/// As [`usable`], of a text that was read before.
///
/// # Errors
/// Errors in the text.
pub fn read(path: &str, text: &str, least: Severity) -> Result<Config, Unusable> {
    checked(path, text, least, config::load(named(path), text))
}

fn checked(path: &str, text: &str, least: Severity, loaded: Loaded) -> Result<Config, Unusable> {
    for diagnostic in loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level <= least) {
        say::err(diagnostic.render(text, Paint::stderr().is_on()));
    }
    let errors: Vec<&Diagnostic> = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    let wrong = || Unusable {
        failure: Failure::refused(format!("`{path}` has {}", count(errors.len(), "error"))),
        errors: errors.len(),
        first: errors.first().map(|first| first.line()).unwrap_or_default(),
    };
    let config = loaded.config.ok_or_else(wrong)?;
    let own = (path != "-").then(|| Path::new(path).to_path_buf());
    Ok(Config { path: own, ..config })
}

/// The policy of this name.
///
/// # Errors
/// Where neither the file nor the presets have it.
pub fn policy(config: &Config, name: &str) -> Result<Arc<Policy>, Failure> {
    config.policy(name).ok_or_else(|| {
        let presets = config::presets().iter().map(|preset| preset.name);
        let mut known: Vec<&str> = config.policies.keys().map(String::as_str).chain(presets).collect();
        known.sort_unstable();
        known.dedup();
        Failure::usage(format!("there is no policy `{name}`")).hint(format!("known are: {}", known.join(", ")))
    })
}

/// `no errors`, `1 error`, `2 errors`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
