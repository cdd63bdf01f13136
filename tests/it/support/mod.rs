//! What the tests of the real binary share: an upstream that records, a raw HTTP client, and the running gate.
//! Knows nothing of any single test.

pub mod client;
pub mod engine;
pub mod gate;
pub mod pki;
pub mod schema;
pub mod trail;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use dockgate::audit::{Settings, Sync, Trail};

/// A file or folder of the test data.
pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(path)
}

/// True where committed results are to be written anew instead of compared.
pub fn bless() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

/// A folder in memory where there is one: how busy the disk of a machine is must not decide a test.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A trail that waits for no disk and has a line for every denial.
pub fn trail(file: &Path) -> Trail {
    Trail::open(&Settings { sync: Sync::None, fold_above: 0, ..Settings::of(file) }).unwrap()
}

/// Prints a line that shows whether the test passes or not: totals belong in every log.
pub fn report(line: &str) {
    let _no_terminal = writeln!(std::io::stdout(), "{line}");
}
