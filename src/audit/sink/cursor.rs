//! Where a sink stands: the place in the trail, kept in a file of its own so that a restart goes on there.
//! Knows nothing of what is sent.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tail::Files;

/// A place in the trail and its checkpoints: everything before it was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// The number of the trail's file; 0 where it is not known yet.
    pub file: u64,
    /// The offset of the last line that was delivered.
    pub last: u64,
    /// The offset of the next line.
    pub next: u64,
    /// The last line's sequence.
    pub sequence: u64,
    /// The last line's id: a file that was cut or replaced does not have it there.
    pub id: String,
    /// The offset in the file of checkpoints; `None` where none was looked at.
    pub checkpoints: Option<u64>,
}

/// The file that keeps a place.
#[derive(Debug)]
pub struct Cursors {
    path: PathBuf,
    saved: Place,
}

impl Cursors {
    /// The cursor of a sink of this trail.
    pub fn new(files: &Files, sink: &str) -> Self {
        Self { path: files.beside(&format!("{sink}.cursor")), saved: Place::default() }
    }

    /// The place that was kept; the beginning of the current file where there is none.
    pub fn load(&mut self) -> Place {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        self.saved = serde_json::from_str(&text).unwrap_or_default();
        self.saved.clone()
    }

    /// Keeps a place: whole or not at all. It need not outlive a power cut: what is sent twice is not lost.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&mut self, place: &Place) -> io::Result<()> {
        if *place == self.saved {
            return Ok(());
        }
        let new = self.path.with_extension("cursor-new");
        std::fs::write(&new, serde_json::to_string(place)?)?;
        std::fs::rename(&new, &self.path)?;
        self.saved = place.clone();
        Ok(())
    }
}
