//! What the tests of the real binary share: an upstream that records, a raw HTTP client, and the running gate.
//! Knows nothing of any single test.

pub mod client;
pub mod engine;
pub mod gate;
pub mod trail;

use std::io::Write as _;
use std::path::PathBuf;

/// A file or folder of the test data.
pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(path)
}

/// True where committed results are to be written anew instead of compared.
pub fn bless() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

/// Prints a line that shows whether the test passes or not: totals belong in every log.
pub fn report(line: &str) {
    let _no_terminal = writeln!(std::io::stdout(), "{line}");
}
