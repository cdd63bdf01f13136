//! `KEY=VALUE` as people and files write it.
//! Knows nothing of what the keys mean.

use super::{Environment, ImportError};

/// One `KEY=VALUE`.
///
/// # Errors
/// What has no `=` or no name before it.
pub fn pair(text: &str) -> Result<(String, String), ImportError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ImportError::new(
            format!("`{}` is no variable", text.escape_debug()),
            "write it as `KEY=VALUE`, for example `CONTAINERS=1`",
        )),
    }
}

/// A file of them, one a line, with `#` comments, as `env_file` of compose has it: quotes around a value are taken off.
///
/// # Errors
/// A line that is none, with its number.
pub fn env_file(text: &str) -> Result<Environment, ImportError> {
    let mut found = Environment::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let wrong = |error: ImportError| ImportError { message: format!("line {number}: {}", error.message), ..error };
        let (name, value) = pair(line).map_err(wrong)?;
        found.insert(name, unquoted(value.trim()).to_owned());
    }
    Ok(found)
}

/// The text between a pair of quotes.
pub(super) fn unquoted(text: &str) -> &str {
    let between = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    between('"').or_else(|| between('\'')).unwrap_or(text)
}
