//! Cases against what `explain` says about them.
//! Knows nothing of files and printing.

use crate::docker::Value;
use crate::policy::Policy;

use super::super::explain::{Explanation, Word, explanation};
use super::file::Case;

/// What came of a case.
#[derive(Debug)]
pub struct Ended {
    /// What is not as expected; empty where the test passed.
    pub wrong: Vec<String>,
    /// The rule that decided or let it in, and its place.
    pub rule: Option<(String, String)>,
}

/// Judges a case; `max_json` is the largest JSON body in bytes.
pub fn judge(policy: &Policy, case: &Case, max_json: usize) -> Ended {
    let explained = explanation(policy, &case.request, max_json);
    let mut wrong = Vec::new();
    if explained.word != case.expect || !decided(case, &explained) {
        wrong.push(format!("expected {}, got {}", expected(case), got(&explained)));
    }
    warnings(case, &explained, &mut wrong);
    forwards(case, &explained, &mut wrong);
    Ended { wrong, rule: explained.rule }
}

/// The word of a test file.
pub fn word(word: Word) -> &'static str {
    match word {
        Word::Allow => "allow",
        Word::Deny => "deny",
        Word::WouldDeny => "would-deny",
        Word::Refused => "refuse",
    }
}

fn decided(case: &Case, explained: &Explanation) -> bool {
    let first = explained.failed.first();
    let reason = case.reason.as_ref().is_none_or(|reason| first.is_some_and(|first| first.code == reason));
    reason && case.at.as_ref().is_none_or(|at| first.is_some_and(|first| first.at == *at))
}

fn expected(case: &Case) -> String {
    let reason = case.reason.as_ref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
    let at = case.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    format!("{}{reason}{at}", word(case.expect))
}

fn got(explained: &Explanation) -> String {
    let rule = explained.rule.as_ref().map(|(rule, place)| format!(" by rule `{rule}` ({place})")).unwrap_or_default();
    match explained.failed.first() {
        Some(first) if explained.word != Word::Allow => {
            let at = if first.at.is_empty() { String::new() } else { format!(" at {}", first.at) };
            format!("{} [{}]{at}: {}", word(explained.word), first.code, first.sentence)
        }
        _ => format!("{}{rule}", word(explained.word)),
    }
}

fn warnings(case: &Case, explained: &Explanation, wrong: &mut Vec<String>) {
    let Some(wanted) = &case.warnings else { return };
    let found: Vec<&str> = explained.warned.iter().map(|warned| warned.code).collect();
    let listed = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|code| !found.contains(code)).collect();
    if !missing.is_empty() {
        wrong.push(format!("expected a warning of {}, got {listed}", missing.join(", ")));
    }
    if wanted.is_empty() && !found.is_empty() {
        wrong.push(format!("expected no warnings, got {listed}"));
    }
}

fn forwards(case: &Case, explained: &Explanation, wrong: &mut Vec<String>) {
    let Some(wanted) = &case.forwards else { return };
    let forwarded = explained.forwarded.as_ref().map(|forwarded| forwarded.body.clone().unwrap_or(Value::Null));
    let Some(forwarded) = forwarded else {
        return wrong.push("expected a forwarded body, and nothing is forwarded".to_owned());
    };
    if case.from_line {
        // the docker CLI sends every field, so only what says something is compared
        differences("", &trimmed(wanted), &trimmed(&forwarded), wrong);
    } else {
        differences("", wanted, &forwarded, wrong);
    }
}

/// Without empty members; an empty list of masked paths is no default and stays.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let telling = |key: &str, member: &Value| {
                !member.is_empty() || (matches!(key, "MaskedPaths" | "ReadonlyPaths") && *member != Value::Null)
            };
            let members = members.iter().map(|(key, member)| (key.clone(), trimmed(member)));
            Value::Object(members.filter(|(key, member)| telling(key, member)).collect())
        }
        Value::List(items) => Value::List(items.iter().map(trimmed).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => value.clone(),
    }
}

/// Keys in any order, numbers by value, lists in order.
fn differences(at: &str, wanted: &Value, found: &Value, wrong: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, wanted) in left {
                let here = inside(at, key);
                match found.get(key) {
                    Some(found) => differences(&here, wanted, found, wrong),
                    None => wrong.push(format!("forwards no {here}: expected {}", wanted.encode())),
                }
            }
            for (key, found) in right.iter().filter(|(key, _)| wanted.get(key).is_none()) {
                wrong.push(format!("forwards {} unexpectedly: {}", inside(at, key), found.encode()));
            }
        }
        (Value::List(left), Value::List(right)) if left.len() == right.len() => {
            for (index, (wanted, found)) in left.iter().zip(right).enumerate() {
                differences(&format!("{at}[{index}]"), wanted, found, wrong);
            }
        }
        (Value::Number(left), Value::Number(right)) if left.parse::<f64>() == right.parse::<f64>() && wanted.as_int() == found.as_int() => {
        }
        _ if wanted == found => {}
        _ => wrong.push(format!("forwards {at}: expected {}, got {}", wanted.encode(), found.encode())),
    }
}

fn inside(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}
