//! The long tables of the page: denials, changes, open intents, events.
//! Knows nothing of records.

use std::collections::HashMap;

use super::super::bars::grouped;
use super::super::tally::VERDICTS;
use super::chart;
use super::data::{Data, LISTED, List, Row};
use super::html::escaped;

/// Rows in the table of denials.
const DENIALS: usize = 100;

/// The reasons as bars, then every kind of denial as a row.
pub fn denials(data: &Data) -> String {
    let all = data.denials();
    if all.is_empty() {
        return "<section><h2>Denials</h2><p>Nothing was denied or refused.</p></section>".to_owned();
    }
    let mut reasons: HashMap<String, [u64; 4]> = HashMap::new();
    for ((verdict, reason), count) in &data.tally.verdicts {
        let kind = VERDICTS.iter().position(|word| word == verdict).unwrap_or_default();
        if let Some(sum) = (kind > 0).then(|| reasons.entry(reason.clone()).or_default()).and_then(|counts| counts.get_mut(kind)) {
            *sum += count;
        }
    }
    let mut reasons: Vec<(u64, String, [u64; 4])> =
        reasons.into_iter().map(|(reason, counts)| (counts.iter().sum(), reason, counts)).collect();
    reasons.sort_by(|(count, reason, _), (other, others, _)| other.cmp(count).then(reason.cmp(others)));
    let most = reasons.first().map_or(0, |(count, _, _)| *count);
    let bars: String = reasons
        .iter()
        .map(|(count, reason, counts)| {
            format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\">{}</td><td class=\"b\">{}</td></tr>",
                escaped(reason),
                grouped(*count),
                chart::bar(*counts, most)
            )
        })
        .collect();
    let lines: String = all
        .iter()
        .take(DENIALS)
        .map(|([verdict, reason, at, operation, who], denied)| {
            let v = escaped(verdict);
            format!(
                "<tr><td class=\"v {v}\">{v}</td><td class=\"n\" data-label=\"times\">{}</td><td class=\"full\"><code>{}</code> {}</td><td class=\"full\">{}</td>\
                 <td class=\"who full\" data-label=\"by\">{}</td><td class=\"time full\" data-label=\"last\">{}</td><td class=\"mono full\">{}</td></tr>",
                grouped(denied.count),
                escaped(reason),
                escaped(at),
                escaped(operation),
                escaped(who),
                escaped(&denied.last),
                escaped(&denied.id)
            )
        })
        .collect();
    let more = if all.len() > DENIALS {
        format!("<p class=\"note\">The {DENIALS} most frequent kinds; there are more.</p>")
    } else {
        String::new()
    };
    format!(
        "<section><h2>Denials</h2><p class=\"note\">By reason, with what mode <code>warn</code> or <code>observe</code> let pass. <code>dockgate explain ID</code> says more about each.</p>\
         <table id=\"by-reason\"><thead><tr><th scope=\"col\">reason</th><th scope=\"col\" class=\"n\">calls</th><th class=\"b\"></th></tr></thead><tbody>{bars}</tbody></table></section>\
         <section><h2>Denials in detail</h2>{more}{}<table class=\"rows\" id=\"denials\"><thead><tr><th>verdict</th><th class=\"n\">times</th><th>reason and place</th><th>operation</th>\
         <th>who</th><th>last, UTC</th><th>id of the last</th></tr></thead><tbody>{lines}</tbody></table></section>",
        tools("denials", "Filter denials")
    )
}

/// What went to the engine.
pub fn changes(data: &Data) -> String {
    if data.changes.all == 0 {
        return "<section><h2>Changes</h2><p>Nothing was changed.</p></section>".to_owned();
    }
    rows("changes-table", "Changes", "Every change, exec and attach that went to the engine, the newest first.", &data.changes)
}

fn tools(id: &str, label: &str) -> String {
    format!(
        "<div class=\"tools\"><input type=\"search\" data-filter=\"{id}\" aria-label=\"{label}\" placeholder=\"{label}\"><output id=\"{id}-count\"></output></div>"
    )
}

/// A list as a table, or nothing where it is empty.
pub fn rows(id: &str, title: &str, note: &str, list: &List) -> String {
    if list.all == 0 {
        return String::new();
    }
    let more = if list.all > LISTED as u64 {
        format!(" The last {LISTED} of {}; <code>dockgate audit show</code> shows all.", grouped(list.all))
    } else {
        String::new()
    };
    let lines: String = list.rows.iter().rev().map(row).collect();
    format!(
        "<section><h2>{title}</h2><p class=\"note\">{note}{more}</p>{}<table class=\"rows\" id=\"{id}\"><thead><tr><th>time, UTC</th><th>what was said</th><th>who</th>\
         <th>operation</th><th>what</th><th class=\"n\">status</th><th class=\"n\">took</th><th>id</th></tr></thead><tbody>{lines}</tbody></table></section>",
        tools(id, &format!("Filter: {}", title.to_lowercase()))
    )
}

fn row(row: &Row) -> String {
    let Row { time, who, operation, what, verdict, status, took, id } = row;
    let [time, who, operation, what, verdict, status, took, id] =
        [time, who, operation, what, verdict, status, took, id].map(|text| escaped(text));
    format!(
        "<tr><td class=\"time\">{time}</td><td class=\"v {verdict}\">{verdict}</td><td class=\"who full\" data-label=\"by\">{who}</td><td>{operation}</td>\
         <td class=\"what full\">{what}</td><td class=\"n\" data-label=\"status\">{status}</td><td class=\"n\" data-label=\"took\">{took}</td><td class=\"mono full\">{id}</td></tr>"
    )
}
