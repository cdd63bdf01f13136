//! An explanation as text for people and as one JSON object.
//! Knows nothing of how it came about.

use std::fmt::Write as _;

use crate::docker::Value;
use crate::docker::json::Object;

use super::Paint;
use super::advise::Advice;
use super::build::{Explanation, Failed, Word};

/// For people. Ends with a newline.
pub fn text(explained: &Explanation, advice: &Advice, paint: Paint) -> String {
    let mut out = String::new();
    let verdict = match explained.word {
        Word::Allow => paint.green("ALLOW"),
        Word::Deny => paint.red("DENY"),
        Word::WouldDeny => paint.yellow("WOULD DENY"),
        Word::Refused => paint.red("REFUSED"),
    };
    let _ = writeln!(out, "{verdict} {}", paint.bold(&visible(&explained.request)));
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "  {} {text}", paint.blue(&format!("{label:<9}")));
    };
    line("policy", &format!("`{}`, mode {}", explained.policy, explained.mode));
    if let Some(row) = explained.row {
        line("operation", &format!("{}: {}", row.operation.name(), row.risk));
    }
    if explained.word == Word::WouldDeny {
        line("forwarded", &format!("because mode `{}` forwards what would be denied", explained.mode));
    }
    match &explained.rule {
        Some((rule, place)) => line("rule", &format!("`{rule}` ({place})")),
        None if explained.word == Word::Refused => line("rule", "none applies: the request is refused before it is judged"),
        None if explained.row.is_some() => line("rule", "none allows this operation"),
        None => {}
    }
    if let Some((status, message)) = &explained.refusal {
        line("client", &format!("{status} {message}"));
    }
    checks(explained, paint, &mut out);
    names("dropped", &explained.dropped, paint, &mut out);
    names("injected", &explained.injected, paint, &mut out);
    names("depends", &explained.depends, paint, &mut out);
    forwarded(explained, paint, &mut out);
    advised(advice, paint, &mut out);
    out
}

fn checks(explained: &Explanation, paint: Paint, out: &mut String) {
    let marked =
        explained.failed.iter().map(|one| (paint.red("✗"), one)).chain(explained.warned.iter().map(|one| (paint.yellow("⚠"), one)));
    for (mark, Failed { code, act, cis, at, sentence, advice }) in marked {
        let place = if at.is_empty() { String::new() } else { format!(" {}:", visible(at)) };
        let guide = cis.map(|cis| format!(" (CIS {cis})")).unwrap_or_default();
        let _ = writeln!(out, "  {mark} {act:<6} {code}{place} {sentence}{guide}");
        if !advice.is_empty() {
            let _ = writeln!(out, "           {advice}");
        }
    }
    for (check, at) in &explained.passed {
        let _ = writeln!(out, "{}", format!("  {} ok     {check} {}", paint.green("✓"), visible(at)).trim_end());
    }
    if !explained.off.is_empty() {
        let _ = writeln!(out, "  · off    {}", explained.off.join(", "));
    }
}

fn names(label: &str, names: &[String], paint: Paint, out: &mut String) {
    for name in names {
        let _ = writeln!(out, "  {} {}", paint.blue(&format!("{label:<9}")), visible(name));
    }
}

fn forwarded(explained: &Explanation, paint: Paint, out: &mut String) {
    let Some(forwarded) = &explained.forwarded else { return };
    let _ = writeln!(out, "  {} {}", paint.blue("forwards "), forwarded.line);
    if forwarded.opaque {
        let _ = writeln!(out, "    the body is relayed unread");
    }
    for line in forwarded.body.iter().flat_map(|body| pretty(body).lines().map(str::to_owned).collect::<Vec<_>>()) {
        let _ = writeln!(out, "    {line}");
    }
}

fn advised(advice: &Advice, paint: Paint, out: &mut String) {
    if !advice.lines.is_empty() {
        let _ = writeln!(out, "  {}", paint.blue("to allow it, the configuration needs"));
    }
    for line in &advice.lines {
        let _ = writeln!(out, "    {line}");
    }
    if !advice.hindrances.is_empty() {
        let heading =
            if advice.lines.is_empty() { "no addition to the configuration allows it" } else { "and even then it would be refused" };
        let _ = writeln!(out, "  {}", paint.blue(heading));
    }
    for hindrance in &advice.hindrances {
        let _ = writeln!(out, "    {hindrance}");
    }
}

/// Control characters of a request have no business on a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// As one JSON object. Numbers keep every digit, so it is written by the writer of requests.
pub fn json(explained: &Explanation, advice: &Advice) -> String {
    let text = |text: &str| Value::Text(text.to_owned());
    let list = |texts: &[String]| Value::List(texts.iter().map(|one| Value::Text(one.clone())).collect());
    let optional = |value: Option<Value>| value.unwrap_or(Value::Null);
    let word = match explained.word {
        Word::Allow => "allow",
        Word::Deny => "deny",
        Word::WouldDeny => "would-deny",
        Word::Refused => "refuse",
    };
    let mut members: Object = vec![("verdict".into(), text(word)), ("request".into(), text(&explained.request))];
    members.push(("policy".into(), text(&explained.policy)));
    members.push(("mode".into(), text(explained.mode)));
    members.push(("operation".into(), optional(explained.row.map(|row| text(row.operation.name())))));
    members.push(("risk".into(), optional(explained.row.map(|row| text(row.risk)))));
    members.push(("rule".into(), optional(explained.rule.as_ref().map(|(rule, _)| text(rule)))));
    members.push(("line".into(), optional(explained.rule.as_ref().map(|(_, place)| text(place)))));
    members.push(("status".into(), optional(explained.refusal.as_ref().map(|(status, _)| Value::Number(status.to_string())))));
    members.push(("message".into(), optional(explained.refusal.as_ref().map(|(_, message)| text(message)))));
    members.push(("failed".into(), Value::List(explained.failed.iter().map(failed).collect())));
    members.push(("warnings".into(), Value::List(explained.warned.iter().map(failed).collect())));
    members.push((
        "passed".into(),
        Value::List(
            explained
                .passed
                .iter()
                .map(|(check, at)| Value::Object(vec![("check".into(), text(check)), ("at".into(), text(at))]))
                .collect(),
        ),
    ));
    members.push(("off".into(), Value::List(explained.off.iter().map(|check| text(check)).collect())));
    members.push(("dropped".into(), list(&explained.dropped)));
    members.push(("injected".into(), list(&explained.injected)));
    members.push(("depends-on".into(), list(&explained.depends)));
    let forwards = explained.forwarded.as_ref().map(|forwarded| {
        let body = forwarded.body.clone().unwrap_or(Value::Null);
        Value::Object(vec![
            ("request".into(), text(&forwarded.line)),
            ("body".into(), body),
            ("unread-body".into(), Value::Bool(forwarded.opaque)),
        ])
    });
    members.push(("forwards".into(), optional(forwards)));
    members.push(("to-allow".into(), list(&advice.lines)));
    members.push(("hindrances".into(), list(&advice.hindrances)));
    pretty(&Value::Object(members))
}

fn failed(failed: &Failed) -> Value {
    let Failed { code, act, cis, at, sentence, advice } = failed;
    let cis = cis.map_or(Value::Null, |cis| Value::Text(cis.to_owned()));
    let texts = [("reason", *code), ("act", act), ("at", at), ("message", sentence), ("advice", advice)];
    let texts = texts.into_iter().map(|(key, text)| (key.into(), Value::Text(text.to_owned())));
    Value::Object(texts.chain([("cis".into(), cis)]).collect())
}

/// Two blanks a level; what is empty stays on its line.
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let (open, close, parts): (char, char, Vec<(Option<&str>, &Value)>) = match value {
        Value::List(items) => ('[', ']', items.iter().map(|item| (None, item)).collect()),
        Value::Object(members) => ('{', '}', members.iter().map(|(key, member)| (Some(key.as_ref()), member)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => (' ', ' ', Vec::new()),
    };
    if parts.is_empty() {
        return out.push_str(&value.encode());
    }
    out.push(open);
    for (at, (key, part)) in parts.into_iter().enumerate() {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        if let Some(key) = key {
            out.push_str(&Value::Text(key.to_owned()).encode());
            out.push_str(": ");
        }
        write(part, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}
