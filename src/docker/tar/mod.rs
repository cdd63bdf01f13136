//! Tar archives, judged while they stream: what PutContainerArchive extracts and what ImageBuild builds from.
//! Knows nothing of sockets and of what a policy grants.

mod dockerfile;
mod entry;
mod header;
mod pax;
mod walk;

#[cfg(test)]
mod tests;

use super::{Fault, FaultKind};

pub use dockerfile::{BuildArgs, Dockerfile, Image};
pub use walk::Walker;

/// An archive that readers could read differently.
fn bad(what: &str) -> Fault {
    Fault::new(FaultKind::BadArchive, what)
}

/// An entry that is not extracted.
fn refused(name: &[u8], why: &str) -> Fault {
    Fault::new(FaultKind::ArchiveEntry, format!("{}: {why}", shown(name)))
}

/// Names in faults are short, and text.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..120).unwrap_or(name)).into_owned()
}
