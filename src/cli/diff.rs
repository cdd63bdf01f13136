//! Unified diffs, as `diff -u` and git write them.
//! Knows nothing of what the texts are.

use std::fmt::Write;
use std::ops::Range;

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// Lines that stay as they are, around those that change.
const AROUND: usize = 3;

/// What must be done to one text to get the other; empty where nothing.
pub fn unified(file: &str, before: &str, after: &str) -> String {
    let (old, new) = (lines(before), lines(after));
    let mut out = String::new();
    for hunk in hunks(&old, &new) {
        if out.is_empty() {
            out = format!("--- a/{file}\n+++ b/{file}\n");
        }
        let whole = |range: fn(&DiffOp) -> Range<usize>| match (hunk.first().map(range), hunk.last().map(range)) {
            (Some(first), Some(last)) => first.start..last.end,
            (_, _) => 0..0,
        };
        let _cannot_fail = writeln!(out, "@@ -{} +{} @@", place(&whole(DiffOp::old_range)), place(&whole(DiffOp::new_range)));
        hunk.iter().for_each(|op| written(op, &old, &new, &mut out));
    }
    out
}

/// Each with its end.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The one algorithm that is needed: asking for it by name leaves the library's others out of the binary.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Vec<DiffOp>> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    match myers::diff(&mut found, old, 0..old.len(), new, 0..new.len()) {
        Ok(()) => found.into_inner().into_inner().into_grouped_ops(AROUND),
        Err(never) => match never {},
    }
}

/// The first line and how many there are; nothing stands behind the line before it.
fn place(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        many => format!("{},{many}", range.start + 1),
    }
}

fn written(op: &DiffOp, old: &[&str], new: &[&str], out: &mut String) {
    let (old, new) = (old.get(op.old_range()).unwrap_or_default(), new.get(op.new_range()).unwrap_or_default());
    match op {
        DiffOp::Equal { .. } => all(' ', old, out),
        DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
            all('-', old, out);
            all('+', new, out);
        }
    }
}

fn all(sign: char, lines: &[&str], out: &mut String) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_goes_and_what_comes_with_three_lines_around() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n14\n";
        let said = "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -11,3 +11,4 @@\n 11\n 12\n 13\n+14\n";
        assert_eq!(unified("f", before, after), said);
    }

    #[test]
    fn writes_the_ends_of_texts_as_diff_does() {
        assert_eq!(unified("f", "a\n", "a\n"), "");
        assert_eq!(unified("f", "", "a\n"), "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(unified("f", "a\nb\n", ""), "--- a/f\n+++ b/f\n@@ -1,2 +0,0 @@\n-a\n-b\n");
        assert_eq!(unified("f", "a\n", "b"), "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n");
    }
}
