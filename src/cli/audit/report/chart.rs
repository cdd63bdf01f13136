//! Charts as SVG that stretches to any width; their words stand beside them in HTML, so that they keep their size.
//! Knows nothing of what is counted.

use std::fmt::Write as _;

use super::super::bars::grouped;
use super::super::series::Slots;
use super::html::escaped;

/// The classes of the four verdicts.
pub const CLASSES: [&str; 4] = ["allow", "would", "deny", "refuse"];
/// The chart's own units.
const WIDE: u64 = 1000;
const HIGH: u64 = 100;

/// Stacked columns over time. `label` names a column by its number.
pub fn columns(slots: &Slots<4>, describe: &str, label: impl Fn(usize) -> String) -> String {
    let most = slots.counts.iter().map(|counts| counts.iter().sum::<u64>()).max().unwrap_or(0).max(1);
    let number = slots.counts.len().max(1) as u64;
    let mut out = format!(
        "<svg class=\"columns\" viewBox=\"0 0 {WIDE} {HIGH}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        escaped(describe)
    );
    for line in [25, 50, 75] {
        let _ = write!(out, "<line class=\"grid\" x1=\"0\" x2=\"{WIDE}\" y1=\"{line}\" y2=\"{line}\"/>");
    }
    for (at, counts) in slots.counts.iter().enumerate() {
        let (left, right) = (WIDE * at as u64 / number, WIDE * (at as u64 + 1) / number);
        let gap = if right - left > 6 { 2 } else { 0 };
        let _ = write!(out, "<g data-slot=\"{at}\"><title>{}</title>", escaped(&label(at)));
        let _ = write!(out, "<rect class=\"hit\" x=\"{left}\" y=\"0\" width=\"{}\" height=\"{HIGH}\"/>", right - left);
        let mut below = 0;
        for (count, class) in counts.iter().zip(CLASSES).filter(|(count, _)| **count > 0) {
            let (top, bottom) = (share(below + count, most), share(below, most));
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{left}\" y=\"{:.2}\" width=\"{}\" height=\"{:.2}\"/>",
                HIGH as f64 - top,
                (right - left - gap).max(1),
                (top - bottom).max(0.6)
            );
            below += count;
        }
        out.push_str("</g>");
    }
    out.push_str("</svg>");
    out
}

fn share(part: u64, most: u64) -> f64 {
    part as f64 * HIGH as f64 / most as f64
}

/// A stacked bar, as long as its share of `most`.
pub fn bar(counts: [u64; 4], most: u64) -> String {
    let all: u64 = counts.iter().sum();
    let mut out =
        format!("<svg class=\"bar\" viewBox=\"0 0 {HIGH} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">", grouped(all));
    let mut before = 0;
    for (count, class) in counts.into_iter().zip(CLASSES).filter(|(count, _)| *count > 0) {
        let (left, right) = (share(before, most.max(1)), share(before + count, most.max(1)));
        let _ = write!(out, "<rect class=\"{class}\" x=\"{left:.2}\" y=\"0\" width=\"{:.2}\" height=\"10\"/>", (right - left).max(0.4));
        before += count;
    }
    out.push_str("</svg>");
    out
}
