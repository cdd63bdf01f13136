//! What the operator chose for the trail: where it goes, when it is on disk, and what happens when it cannot be written.
//! Knows nothing of how that is written in a configuration.

use std::path::PathBuf;
use std::time::Duration;

/// When lines are put on disk, not only handed to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before a change, stream or tunnel goes upstream.
    #[default]
    Changes,
    /// After every write.
    All,
    /// When the system does it; a power cut may take the last seconds.
    None,
}

/// What happens while the trail cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Changes, streams and tunnels are refused; reads go on and are counted.
    #[default]
    DenyChanges,
    /// Everything is refused.
    DenyAll,
    /// Everything goes on and is counted.
    ContinueUnaudited,
}

/// A second place for checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

/// Everything that the trail's writer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The current file; `None` for standard output.
    pub file: Option<PathBuf>,
    /// When lines are put on disk.
    pub sync: Sync,
    /// What happens while nothing can be written.
    pub on_failure: OnFailure,
    /// The key that signs checkpoints; beside the file where left out.
    pub key: Option<PathBuf>,
    /// A checkpoint after so many lines.
    pub checkpoint_records: u64,
    /// A checkpoint after this time, if there are new lines.
    pub checkpoint_interval: Duration,
    /// Where checkpoints go too.
    pub checkpoints_to: Option<Place>,
    /// A new file from this size on, in bytes.
    pub rotate_size: Option<u64>,
    /// A new file after this time.
    pub rotate_interval: Option<Duration>,
    /// How many rotated files are kept; all where left out.
    pub keep_files: Option<usize>,
    /// Identical denials in one second that are written one by one; more fold into one line. Zero: all are written.
    pub fold_above: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: None,
            sync: Sync::default(),
            on_failure: OnFailure::default(),
            key: None,
            checkpoint_records: 1000,
            checkpoint_interval: Duration::from_secs(60),
            checkpoints_to: None,
            rotate_size: Some(64 << 20),
            rotate_interval: None,
            keep_files: None,
            fold_above: 10,
        }
    }
}

impl Settings {
    /// The usual settings with this file.
    pub fn of(file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }
}
