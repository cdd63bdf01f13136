//! Changes of a text by their places, made all at once.
//! Knows nothing of what the text says.

use std::ops::Range;

use super::Problem;

/// What is to be changed in a text.
#[derive(Debug)]
pub(super) struct Edits<'t> {
    text: &'t str,
    /// Ranges and what stands there then, in any order; of two at one place the earlier goes first.
    changes: Vec<(Range<usize>, String)>,
}

impl<'t> Edits<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, changes: Vec::new() }
    }

    /// The text between two places.
    pub(super) fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.changes.push((range, text.into()));
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// Adds whole lines below the line of this place.
    pub(super) fn below(&mut self, at: usize, lines: &str) {
        let end = self.slice(at..self.text.len()).find('\n').map_or(self.text.len(), |newline| at + newline + 1);
        self.insert(end, lines);
    }

    /// Adds lines to the file.
    pub(super) fn at_end(&mut self, lines: &str) {
        self.insert(self.text.len(), lines);
    }

    /// The place at which the line of this place begins.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.slice(0..at).rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The changed text; its new lines end as the others do.
    ///
    /// # Errors
    /// Changes that lie in each other.
    pub(super) fn apply(mut self) -> Result<String, Problem> {
        let windows = self.text.contains("\r\n");
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        let (mut out, mut at) = (String::with_capacity(self.text.len() * 2), 0);
        for (range, text) in &self.changes {
            if range.start < at {
                let line = self.slice(0..range.start).matches('\n').count() + 1;
                return Err(Problem::new(line, "this line would have to be changed twice", "write each setting on a line of its own"));
            }
            out.push_str(self.slice(at..range.start));
            out.push_str(&if windows { text.replace('\n', "\r\n") } else { text.clone() });
            at = range.end;
        }
        out.push_str(self.slice(at..self.text.len()));
        Ok(out)
    }
}
