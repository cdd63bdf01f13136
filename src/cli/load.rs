//! Reads configuration files and prints what is to be said about them.
//! Knows nothing of what is done with a configuration.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Config, Loaded, Severity};
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
    let name = if path == "-" { "standard input" } else { path };
    Ok((config::load(name, &text), text))
}

/// A configuration that can be used; what is to be said about it, down to `least`, is printed on standard error.
///
/// # Errors
/// What cannot be read, and errors in the file.
pub fn usable(path: &str, least: Severity) -> Result<Config, Failure> {
    let (loaded, text) = load(path)?;
    for diagnostic in loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level <= least) {
        say::err(diagnostic.render(&text, Paint::stderr().is_on()));
    }
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let wrong = || Failure::refused(format!("`{path}` has {}", count(errors, "error")));
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
