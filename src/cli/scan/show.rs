//! A scan as a table for people and as one JSON object.
//! Knows nothing of how it came about.

use std::fmt::Write as _;

use crate::docker::Value;
use crate::policy::{Act, Level};

use super::super::explain::pretty;
use super::super::say::Paint;
use super::{Row, Scan};

const HEADS: [&str; 5] = ["container", "check", "cis", "act", "place"];

/// A line for each finding, then one that sums up.
pub fn table(scan: &Scan, level: Level, paint: Paint) -> String {
    let rows: Vec<[String; 5]> = scan.rows.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str).chain(HEADS.get(column).copied());
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut out = String::new();
    if !rows.is_empty() {
        let _ = writeln!(out, "{}", paint.bold(&line(&HEADS)));
    }
    for (row, Row { act, .. }) in rows.iter().zip(&scan.rows) {
        let shown = line(&row.each_ref().map(String::as_str));
        let _ = writeln!(out, "{}", if *act == Act::Deny { paint.red(&shown) } else { shown });
    }
    let (denied, warned) = counts(scan);
    let containers = if scan.containers == 1 { "1 container".to_owned() } else { format!("{} containers", scan.containers) };
    let _ = writeln!(out, "{containers} at level {}: {denied} denied, {warned} warned", level.as_str());
    out
}

fn cells(row: &Row) -> [String; 5] {
    let check = row.finding.reason.check();
    let texts = [&row.container, check.id, check.cis.unwrap_or("-"), row.act.as_str(), &row.finding.at];
    texts.map(|text| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
}

fn counts(scan: &Scan) -> (usize, usize) {
    let denied = scan.rows.iter().filter(|row| row.act == Act::Deny).count();
    (denied, scan.rows.len() - denied)
}

/// As one JSON object.
pub fn json(scan: &Scan, level: Level) -> String {
    let text = |text: &str| Value::Text(text.to_owned());
    let number = |number: usize| Value::Number(number.to_string());
    let row = |row: &Row| {
        let check = row.finding.reason.check();
        Value::Object(vec![
            ("container".into(), text(&row.container)),
            ("check".into(), text(check.id)),
            ("cis".into(), check.cis.map_or(Value::Null, text)),
            ("act".into(), text(row.act.as_str())),
            ("at".into(), text(&row.finding.at)),
            ("message".into(), text(check.sentence)),
        ])
    };
    let (denied, warned) = counts(scan);
    pretty(&Value::Object(vec![
        ("level".into(), text(level.as_str())),
        ("containers".into(), number(scan.containers)),
        ("denied".into(), number(denied)),
        ("warned".into(), number(warned)),
        ("findings".into(), Value::List(scan.rows.iter().map(row).collect())),
    ]))
}
