//! What files become, and what is said about mistakes.
//! Knows nothing of the command line.

mod golden;
mod schema;
mod tls;
mod values;

use super::{Loaded, load};

/// Loads a text without its version line.
fn read(text: &str) -> Loaded {
    load("x.toml", &format!("version = 1\n{text}"))
}

/// Everything that is said about a text, as people see it.
fn said(text: &str) -> String {
    let whole = format!("version = 1\n{text}");
    load("x.toml", &whole).diagnostics.iter().map(|diagnostic| diagnostic.render(&whole, false)).collect()
}

/// The codes of everything that is said.
fn codes(text: &str) -> Vec<&'static str> {
    read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}
