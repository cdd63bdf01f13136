//! Tables and small charts for terminals.
//! Knows nothing of what the numbers count.

use std::fmt::Write as _;

use super::super::say::Paint;
use super::line::padded;

/// Eighths of a letter's height, and of its width.
const UP: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ACROSS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar of at most so many letters; anything above nothing can be seen.
pub fn bar(number: u64, most: u64, letters: u64) -> String {
    let eighths = scaled(number, most, letters * 8);
    let full: String = std::iter::repeat_n('█', usize::try_from(eighths / 8).unwrap_or(0)).collect();
    let rest = usize::try_from(eighths % 8).ok().and_then(|rest| ACROSS.get(rest.checked_sub(1)?));
    full.chars().chain(rest.copied()).collect()
}

/// Columns of so many lines, the highest line first.
pub fn columns(numbers: &[u64], lines: u64) -> Vec<String> {
    let most = numbers.iter().copied().max().unwrap_or(0);
    let letter = |number: u64, below: u64| match scaled(number, most, lines * 8).saturating_sub(below * 8) {
        0 => ' ',
        eighths => usize::try_from(eighths.min(8) - 1).ok().and_then(|at| UP.get(at)).copied().unwrap_or('█'),
    };
    (0..lines).rev().map(|below| numbers.iter().map(|number| letter(*number, below)).collect()).collect()
}

fn scaled(number: u64, most: u64, steps: u64) -> u64 {
    if most == 0 { 0 } else { (u128::from(number) * u128::from(steps)).div_ceil(u128::from(most)).try_into().unwrap_or(steps) }
}

/// `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(" ")
}

/// A table: the first column to the left, all others to the right, but the last where it holds bars.
#[derive(Debug)]
pub struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(title: &'static str, head: &[&'static str]) -> Self {
        Self { title, head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As text; ends with a newline. A table without rows is nothing.
    pub fn text(&self, paint: Paint) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths: Vec<usize> = (0..self.head.len()).map(|column| self.width(column)).collect();
        let mut out = format!("\n{}\n", paint.bold(self.title));
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let _ = writeln!(out, "{}", paint.blue(&aligned(&head, &widths)));
        for row in &self.rows {
            let _ = writeln!(out, "{}", aligned(row, &widths));
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        let head = self.head.get(column).map_or(0, |head| head.chars().count());
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| padded(cell, 0).chars().count()).max().unwrap_or(0).max(head)
    }
}

fn aligned(cells: &[String], widths: &[usize]) -> String {
    let last = cells.len().saturating_sub(1);
    let cell = |(at, (cell, width)): (usize, (&String, &usize))| {
        let cell = padded(cell, 0);
        if at == 0 || at == last && cell.starts_with(['█', ' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉']) {
            format!("{cell:<width$}")
        } else {
            format!("{cell:>width$}")
        }
    };
    let cells: Vec<String> = cells.iter().zip(widths).enumerate().map(cell).collect();
    format!("  {}", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers_and_never_vanish() {
        assert_eq!((bar(0, 10, 4), bar(10, 10, 4), bar(5, 10, 4), bar(1, 1000, 4)), ("".into(), "████".into(), "██".into(), "▏".into()));
        assert_eq!(columns(&[0, 1, 8, 16], 2), ["   █", " ▁██"]);
        assert_eq!(columns(&[0, 0], 2), ["  ", "  "]);
        assert_eq!(columns(&[u64::MAX], 1), ["█"]);
    }

    #[test]
    fn tables_line_up() {
        let mut table = Table::new("By size", &["name", "calls", ""]);
        assert_eq!(table.text(Paint::PLAIN), "");
        table.row(vec!["a".into(), grouped(1_234_567), bar(2, 2, 3)]);
        table.row(vec!["longer".into(), grouped(7), bar(1, 2, 3)]);
        assert_eq!(table.text(Paint::PLAIN), "\nBy size\n  name        calls\n  a       1 234 567  ███\n  longer          7  █▌\n");
    }
}
