//! The page: sections of HTML around the data, all of it inline.
//! Knows nothing of records.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::super::bars::grouped;
use super::super::series::Slots;
use super::super::tally::{Group, VERDICTS, ranked};
use super::super::when;
use super::chart::{self, CLASSES};
use super::data::Data;
use super::html::{escaped, island, source};
use super::lists::{changes, denials, rows};
use super::{Integrity, IntegritySummary};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Columns of the chart over time, rows of the bar tables, and both sides of the table of who calls what.
const COLUMNS: usize = 60;
const TOP: usize = 12;
const CLIENTS: usize = 10;
const OPERATIONS: usize = 6;

/// What every page begins with.
pub const BEGIN: &str = "<!DOCTYPE html>";

/// What the page says about itself.
#[derive(Debug)]
pub struct About {
    /// The heading.
    pub title: String,
    /// The trails as they were named.
    pub files: Vec<String>,
    /// True where filters left something out.
    pub filtered: bool,
    /// When the page was made.
    pub made: Timestamp,
    /// What the verifier found.
    pub integrity: Option<IntegritySummary>,
}

/// The whole page.
pub fn page(data: &Data, about: &About) -> String {
    let slots = data.tally.series.slots(COLUMNS);
    let mut value = data.json();
    if let Some(members) = value.as_object_mut() {
        let counts: Vec<Vec<u64>> = slots.counts.iter().map(|counts| counts.to_vec()).collect();
        members.insert("over_time".into(), json!({ "start": slots.start, "width": slots.width, "verdicts": VERDICTS, "counts": counts }));
        members.insert("integrity".into(), json!(about.integrity.as_ref().map(|found| class(found.state))));
    }
    let title = escaped(&about.title);
    let body = [
        header(data, about),
        "<main>".to_owned(),
        tiles(data),
        seal(about.integrity.as_ref()),
        over_time(&slots),
        format!(
            "<div class=\"pair\">{}{}</div>",
            bars("Calls by client", "Door and client", &data.tally.clients),
            bars("Calls by operation", "Operation", &data.tally.operations)
        ),
        pairs(data),
        denials(data),
        changes(data),
        rows(
            "open",
            "Without an outcome",
            "Intents that stand alone: the call was sent, or was about to be, and what came of it is not in these files.",
            &data.open,
        ),
        rows("events", "Events of the trail", "What the trail says about itself: starts, stops, policies, gaps, recoveries.", &data.events),
        "</main>".to_owned(),
    ]
    .concat();
    format!(
        "{BEGIN}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n\
         <footer>Made by dockgate {} on {} UTC. This page loads nothing from anywhere.</footer>\n\
         <script type=\"application/json\" id=\"data\">{}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        source(STYLE),
        source(SCRIPT),
        env!("CARGO_PKG_VERSION"),
        when::shown(Some(about.made)),
        island(&value),
    )
}

fn header(data: &Data, about: &About) -> String {
    let span = data.tally.span.map_or_else(
        || "no calls".to_owned(),
        |(first, last)| format!("<time>{}</time> to <time>{}</time> UTC", when::shown(Some(first)), when::shown(Some(last))),
    );
    let files: Vec<String> = about.files.iter().map(|file| format!("<code>{}</code>", escaped(file))).collect();
    let filtered = if about.filtered { " Filtered: not every call of these files is shown." } else { "" };
    format!("<header><h1>{}</h1><p class=\"soft\">{span}, from {}.{filtered}</p></header>", escaped(&about.title), files.join(", "))
}

fn tiles(data: &Data) -> String {
    let tally = &data.tally;
    let tile = |id: &str, number: u64, what: &str, bad: bool| {
        format!("<li{}><strong id=\"{id}\">{}</strong>{what}</li>", if bad { " class=\"bad\"" } else { "" }, grouped(number))
    };
    let tiles = [
        tile("calls", tally.calls, "calls", false),
        tile("changes", data.changes.all, "changes and tunnels", false),
        tile("denied", tally.all.denied(), "denied or refused", false),
        tile("clients", tally.clients.len() as u64, "clients", false),
        tile("without-outcome", tally.open, "without an outcome", tally.open > 0),
    ];
    format!("<ul class=\"tiles\">{}</ul>", tiles.concat())
}

fn class(state: Integrity) -> &'static str {
    match state {
        Integrity::Whole => "whole",
        Integrity::Incomplete => "incomplete",
        Integrity::Tampered => "tampered",
    }
}

fn seal(found: Option<&IntegritySummary>) -> String {
    let Some(found) = found else {
        return "<section class=\"seal\" id=\"integrity\"><h2>Integrity</h2><p><strong>not verified</strong></p>\
                <p class=\"note\"><code>dockgate audit verify</code> says whether these files were changed since they were written.</p></section>"
            .to_owned();
    };
    let facts: String = found.facts.iter().map(|(name, fact)| format!("<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(fact))).collect();
    let findings: String = found.findings.iter().map(|finding| format!("<li>{}</li>", escaped(finding))).collect();
    let findings = if findings.is_empty() { findings } else { format!("<ul>{findings}</ul>") };
    format!(
        "<section class=\"seal {}\" id=\"integrity\"><h2>Integrity</h2><p><strong>{}</strong></p><dl>{facts}</dl>{findings}</section>",
        class(found.state),
        escaped(&found.headline)
    )
}

fn over_time(slots: &Slots<4>) -> String {
    if slots.counts.is_empty() {
        return String::new();
    }
    let begin = |at: usize| Timestamp::from_second(slots.start.saturating_add(slots.width.saturating_mul(at as i64))).ok();
    let label = |at: usize| {
        let counts = slots.counts.get(at).copied().unwrap_or_default();
        let parts: Vec<String> = counts
            .iter()
            .zip(VERDICTS)
            .filter(|(count, _)| **count > 0)
            .map(|(count, word)| format!("{} {word}", grouped(*count)))
            .collect();
        format!("{}: {}", clock(begin(at)), if parts.is_empty() { "no calls".to_owned() } else { parts.join(", ") })
    };
    let most = slots.counts.iter().map(|counts| counts.iter().sum::<u64>()).max().unwrap_or(0);
    let width = when::duration(slots.width.unsigned_abs().saturating_mul(1_000_000));
    let describe =
        format!("Columns of calls over time, {width} each, at most {} calls. The numbers stand in the table below.", grouped(most));
    let marks = [0, 1, 2, 3, 4].map(|part| clock(begin(slots.counts.len() * part / 4)));
    let marks: String = marks.iter().map(|mark| format!("<span>{mark}</span>")).collect();
    let numbers: String =
        (0..slots.counts.len()).map(|at| format!("<tr><td>{}</td></tr>", escaped(&label(at)).replacen(": ", "</td><td>", 1))).collect();
    let legend: String = CLASSES
        .iter()
        .zip(["allowed", "would be denied", "denied", "refused"])
        .map(|(class, word)| format!("<li class=\"{class}\">{word}</li>"))
        .collect();
    format!(
        "<section><h2>Calls over time</h2><p class=\"note\">{width} a column, UTC</p><ul class=\"legend\">{legend}</ul>\
         <figure><div class=\"plot\"><span class=\"top\">{}</span>{}</div><div class=\"axis\">{marks}</div>\
         <figcaption><output id=\"readout\"></output></figcaption></figure>\
         <details><summary>The numbers of this chart</summary><table id=\"time-table\"><thead><tr><th>Begin</th><th>Calls</th></tr></thead><tbody>{numbers}</tbody></table></details></section>",
        grouped(most),
        chart::columns(slots, &describe, label),
    )
}

/// `11-21 20:31`.
fn clock(time: Option<Timestamp>) -> String {
    when::shown(time).get(5..16).unwrap_or_default().to_owned()
}

fn bars(title: &str, what: &str, groups: &HashMap<String, Group>) -> String {
    let ranked = ranked(groups);
    let most = ranked.first().map_or(0, |(_, group)| group.calls());
    let line = |name: &str, group: &Group| {
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"b\">{}</td></tr>",
            escaped(name),
            grouped(group.calls()),
            grouped(group.denied()),
            chart::bar(group.verdicts, most)
        )
    };
    let mut lines: String = ranked.iter().take(TOP).map(|(name, group)| line(name, group)).collect();
    if ranked.len() > TOP {
        let (calls, denied) =
            ranked.iter().skip(TOP).fold((0, 0), |(calls, denied), (_, one)| (calls + one.calls(), denied + one.denied()));
        let _ = write!(
            lines,
            "<tr class=\"soft\"><td>{} more</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"b\"></td></tr>",
            ranked.len() - TOP,
            grouped(calls),
            grouped(denied)
        );
    }
    let id = what.rsplit(' ').next().unwrap_or(what).to_lowercase();
    format!(
        "<section><h2>{title}</h2><table id=\"by-{id}\"><thead><tr><th scope=\"col\">{what}</th><th scope=\"col\" class=\"n\">calls</th>\
         <th scope=\"col\" class=\"n\">denied</th><th class=\"b\"></th></tr></thead><tbody>{lines}</tbody></table></section>"
    )
}

/// Clients down, operations across.
fn pairs(data: &Data) -> String {
    let clients: Vec<&str> = ranked(&data.tally.clients).into_iter().map(|(name, _)| name).take(CLIENTS).collect();
    let operations: Vec<&str> = ranked(&data.tally.operations).into_iter().map(|(name, _)| name).take(OPERATIONS).collect();
    let count = |client: &str, operation: &str| data.pairs.get(&(client.to_owned(), operation.to_owned())).copied().unwrap_or(0);
    let most = data.pairs.values().copied().max().unwrap_or(0);
    if clients.is_empty() {
        return String::new();
    }
    let head: String = operations.iter().map(|operation| format!("<th scope=\"col\">{}</th>", escaped(operation))).collect();
    let cell =
        |number: u64| format!("<td class=\"h{}\">{}</td>", heat(number, most), if number == 0 { "·".to_owned() } else { grouped(number) });
    let line = |client: &&str| {
        let cells: String = operations.iter().map(|operation| cell(count(client, operation))).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>", escaped(client))
    };
    let lines: String = clients.iter().map(line).collect();
    format!(
        "<section><h2>Who calls what</h2><p class=\"note\">Calls of the busiest clients and operations; stronger is more.</p><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Who calls what\">\
         <table class=\"heat\"><thead><tr><td></td>{head}</tr></thead><tbody>{lines}</tbody></table></div></section>"
    )
}

/// From 0 to 4, by orders of magnitude: a few calls of a quiet client are seen beside many of a busy one.
fn heat(number: u64, most: u64) -> u32 {
    if number == 0 { 0 } else { (number.ilog2() * 4 / (most.ilog2() + 1)).min(3) + 1 }
}
