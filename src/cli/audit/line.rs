//! One call on one line, for people.
//! Knows nothing of files and filters.

use super::super::say::Paint;
use super::record::Call;
use super::when;

/// Widths of the columns that most calls fit into; what is longer pushes the rest along.
const WHO: usize = 32;
const OPERATION: usize = 18;
const WHAT: usize = 28;
const VERDICT: usize = 22;
/// The longest text of a column.
const LONGEST: usize = 60;

/// Time, who, operation, what, verdict with reason, status, duration, id.
pub fn line(call: &Call, paint: Paint) -> String {
    if let Some((name, detail)) = call.event() {
        return format!("{}  {} {}", when::shown(call.time()), paint.blue(&padded(&format!("trail: {name}"), WHO)), visible(&detail));
    }
    let who = padded(&format!("{} {}", call.door(), call.client()), WHO);
    let operation = padded(call.operation().unwrap_or("(no operation)"), OPERATION);
    let status = call.status().map_or_else(|| "-".to_owned(), |status| status.to_string());
    let took = call.duration_us().map_or_else(|| "-".to_owned(), when::duration);
    let text = format!(
        "{}  {who} {} {} {} {status:>3} {took:>10}  {}",
        when::shown(call.time()),
        paint.bold(&operation),
        padded(&call.what(), WHAT),
        verdict(call, paint),
        visible(call.id()),
    );
    let notes = notes(call);
    if notes.is_empty() { text } else { format!("{text}  {}", paint.yellow(&notes.join(", "))) }
}

/// The verdict in capitals and its reason, in its colour.
fn verdict(call: &Call, paint: Paint) -> String {
    let word = call.verdict().to_ascii_uppercase().replace('-', " ");
    let text = call.reason().map_or_else(|| word.clone(), |reason| format!("{word} {reason}"));
    let text = padded(&text, VERDICT);
    match call.verdict() {
        "allow" => paint.green(&text),
        "would-deny" => paint.yellow(&text),
        _ => paint.red(&text),
    }
}

/// What is not as always.
fn notes(call: &Call) -> Vec<String> {
    let mut notes = Vec::new();
    if call.weight() > 1 {
        notes.push(format!("{} times", call.weight()));
    }
    if call.is_open() {
        notes.push("no outcome".to_owned());
    }
    let ended = call.text(&["ended"]).filter(|ended| !matches!(*ended, "complete" | "refused"));
    notes.extend(ended.map(str::to_owned));
    if !call.texts(&["warnings"]).is_empty() {
        notes.push("warned".to_owned());
    }
    notes
}

/// Left-aligned, cut where it is much too long, and fit for a terminal.
pub fn padded(text: &str, width: usize) -> String {
    let mut text = visible(text);
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    format!("{text:<width$}")
}

/// Records are escaped where they are made; a file that somebody else wrote may hold anything.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that change what a terminal or a page shows of others.
pub fn hidden(c: char) -> bool {
    let bidi = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    c.is_control() || bidi
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::call;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_is_one_line() {
        let intent = json!({ "stage": "intent", "time": "2026-11-21T20:31:07.482913Z", "id": "01J", "uid": 1000, "names": ["web"],
            "door": "unix:///run/dockgate/ci/docker.sock", "operation": "ContainerCreate", "image": "nginx:1.27", "verdict": "allow" });
        let outcome = json!({ "stage": "outcome", "time": "2026-11-21T20:31:07.525913Z", "id": "01J", "status": 201,
            "duration_us": 43_210, "ended": "client-gone" });
        let open = line(&call(std::slice::from_ref(&intent)), Paint::PLAIN);
        let whole = line(&call(&[intent, outcome]), Paint::PLAIN);
        assert_eq!(
            whole,
            "2026-11-21 20:31:07.482  ci uid 1000                      ContainerCreate    web (nginx:1.27)             ALLOW                  201      43 ms  01J  client-gone"
        );
        assert!(open.ends_with("ALLOW                    -          -  01J  no outcome"), "{open}");
    }

    #[test]
    fn a_folded_denial_says_how_many_it_stands_for_and_nothing_reaches_the_terminal_unescaped() {
        let denied = json!({ "stage": "single", "time": "2026-11-21T20:31:07Z", "id": "01J", "door": "tcp://127.0.0.1:2375",
            "address": "127.0.0.1:4000", "operation": "ContainerCreate", "names": ["a\u{1b}[31mb\u{202e}"], "verdict": "deny",
            "reason": "host-path", "status": 403, "duration_us": 120, "folded": { "count": 17 } });
        let text = line(&call(&[denied]), Paint::PLAIN);
        assert!(text.contains("DENY host-path") && text.ends_with("01J  17 times"), "{text}");
        assert!(text.contains("a\u{fffd}[31mb\u{fffd}") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn an_event_of_the_trail_says_its_name_and_detail() {
        let event = json!({ "stage": "event", "event": "rotate", "time": "2026-11-21T20:31:07Z", "detail": { "file": 3, "next": "x" } });
        assert_eq!(line(&call(&[event]), Paint::PLAIN), "2026-11-21 20:31:07.000  trail: rotate                    file=3 next=x");
    }
}
