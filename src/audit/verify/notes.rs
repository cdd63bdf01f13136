//! A file of checkpoints, each followed by an empty line, taken apart.
//! Knows nothing of keys and lines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::checkpoint::{Malformed, NAME, Note};

use super::report::Place;

/// The checkpoints of a file.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// The file; none where there is no file.
    pub path: Option<PathBuf>,
    /// What was read, in order.
    pub notes: Vec<Placed>,
    /// What is no checkpoint.
    pub faults: Vec<(Place, Malformed)>,
    /// Where the last one was not written whole.
    pub torn: Option<Place>,
}

/// A checkpoint and where it begins.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The line of its origin.
    pub at: Place,
    /// The note.
    pub note: Note,
}

impl Notes {
    /// Takes the file apart. Of a copy, which may have passed through a log of other things, what is no checkpoint is left out.
    pub fn parse(path: &Path, text: &str, is_copy: bool) -> Self {
        let shared: Arc<Path> = path.into();
        let mut found = Self { path: Some(path.to_owned()), ..Self::default() };
        let mut lines = (1..).zip(text.split_inclusive('\n')).peekable();
        while let Some((line, first)) = lines.next() {
            if first == "\n" || is_copy && !first.starts_with(NAME) {
                continue;
            }
            let mut note = first.to_owned();
            let mut signed = false;
            // a line that breaks off is the last there is, and belongs to what it stands under
            let goes_on = |next: &str, signed: bool| match signed {
                true => next.starts_with('\u{2014}') || !next.ends_with('\n'),
                false => !next.starts_with(NAME),
            };
            while let Some((_, next)) = lines.next_if(|(_, next)| goes_on(next, signed)) {
                note.push_str(next);
                signed |= next == "\n";
            }
            let at = Place { path: shared.clone(), line };
            match note.parse() {
                Ok(note) => found.notes.push(Placed { at, note }),
                Err(_) if lines.peek().is_none() && !is_copy && is_begun(&note) => found.torn = Some(at),
                Err(error) => found.faults.push((at, error)),
            }
        }
        found
    }
}

/// True where a note breaks off: it has no whole signature line.
fn is_begun(note: &str) -> bool {
    !note.ends_with('\n') || !note.contains("\n\u{2014} ")
}
