//! Rules that name query values and objects, where somebody asked for them.
//! Knows nothing of grants.

use std::collections::{BTreeMap, BTreeSet};

use crate::docker::Operation;

use super::grant::quoted;
use super::{Draft, Settings};

/// More values than this are taken for any value.
const MOST: usize = 16;
/// Longer values are no choice of few.
const LONGEST: usize = 64;

/// Queries and names of every operation.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<Operation, Calls>);

#[derive(Debug, Default)]
struct Calls {
    count: usize,
    keys: BTreeMap<String, Values>,
    names: BTreeSet<String>,
    nameless: bool,
}

#[derive(Debug, Default)]
struct Values {
    count: usize,
    values: BTreeSet<String>,
}

impl Seen {
    pub(super) fn add(&mut self, call: &super::Seen) {
        let calls = self.0.entry(call.operation).or_default();
        calls.count += 1;
        for (name, value) in call.query.iter().filter_map(|pair| pair.split_once('=')) {
            let values = calls.keys.entry(name.to_owned()).or_default();
            values.count += 1;
            if values.values.len() <= MOST {
                values.values.insert(value.to_owned());
            }
        }
        let name = call.names.first().filter(|name| !is_id(name));
        calls.nameless |= name.is_none();
        if calls.names.len() <= MOST {
            calls.names.extend(name.cloned());
        }
    }
}

/// Ids are of one object and live as long as it does.
fn is_id(name: &str) -> bool {
    name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Puts narrower rules in the place of operations.
pub(super) fn narrow(draft: &mut Draft, seen: &Seen, settings: &Settings) {
    if !settings.query && !settings.ids {
        return;
    }
    let operations: Vec<Operation> = draft.operations.keys().copied().collect();
    for operation in operations {
        let Some(calls) = seen.0.get(&operation) else { continue };
        let (mut parts, mut notes) = (Vec::new(), Vec::new());
        if settings.ids {
            id(operation, calls, &mut parts, &mut notes);
        }
        if settings.query {
            query(calls, &mut parts, &mut notes);
        }
        let name = quoted(operation.name());
        let rule = if parts.is_empty() { name } else { format!("{{ operation = {name}, {} }}", parts.join(", ")) };
        let mut narrower = draft.clone();
        narrower.rules.insert(operation, (rule, notes.join("; ")));
        if narrower.load().is_ok() {
            *draft = narrower;
        }
    }
}

fn id(operation: Operation, calls: &Calls, parts: &mut Vec<String>, notes: &mut Vec<String>) {
    if !operation.row().path.contains('{') || operation.row().path.starts_with("/exec/") {
        return;
    }
    if calls.nameless || calls.names.is_empty() {
        notes.push("called by ids, which differ from run to run, so any object".to_owned());
    } else if calls.names.len() > MOST {
        notes.push(format!("more than {MOST} names, so any object"));
    } else {
        parts.push(format!("id = {}", quoted(&pattern(&calls.names))));
    }
}

/// A key helps only where every call had it: a rule cannot ask for its absence.
fn query(calls: &Calls, parts: &mut Vec<String>, notes: &mut Vec<String>) {
    let short = |values: &Values| {
        values.values.iter().all(|value| value.chars().count() <= LONGEST && !value.contains("hmac:") && !value.contains("…(+"))
    };
    let fixed: Vec<String> = calls
        .keys
        .iter()
        .filter(|(_, values)| values.count == calls.count && values.values.len() <= MOST && short(values))
        .map(|(name, values)| format!("{} = {}", quoted(name), quoted(&pattern(&values.values))))
        .collect();
    if !fixed.is_empty() {
        parts.push(format!("query = {{ {} }}", fixed.join(", ")));
    } else if !calls.keys.is_empty() {
        notes.push("some calls had no query, or values differ, so any query".to_owned());
    }
}

fn pattern(texts: &BTreeSet<String>) -> String {
    texts.iter().map(|text| regex::escape(text).replace(r"\-", "-")).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{call, learned_with};
    use super::*;

    fn rule(calls: Vec<super::super::Seen>) -> String {
        let learned = learned_with(calls, &Settings { name: "x".to_owned(), query: true, ids: true });
        learned
            .draft
            .allow()
            .into_iter()
            .map(|(rule, said)| format!("{rule} # {}", said.split_once("; ").map_or("", |(_, why)| why)))
            .collect()
    }

    fn list(query: &[&str]) -> super::super::Seen {
        super::super::Seen {
            query: query.iter().map(|pair| (*pair).to_owned()).collect(),
            ..call(Operation::ContainerList, "GET", "/containers/json")
        }
    }

    #[test]
    fn names_the_values_of_keys_that_every_call_had() {
        let rule = rule(vec![list(&["all=1", "limit=5"]), list(&["all=1"])]);
        assert_eq!(rule, r#"{ operation = "ContainerList", query = { "all" = "1" } } # "#);
    }

    #[test]
    fn says_why_a_query_is_left_open() {
        let rule = rule(vec![list(&["all=1"]), list(&[])]);
        assert_eq!(rule, r#""ContainerList" # some calls had no query, or values differ, so any query"#);
    }

    #[test]
    fn names_objects_by_name_and_never_by_id() {
        let inspect = |name: &str| super::super::Seen {
            names: vec![name.to_owned()],
            ..call(Operation::ContainerInspect, "GET", &format!("/containers/{name}/json"))
        };
        assert_eq!(rule(vec![inspect("web-1"), inspect("a.b")]), r#"{ operation = "ContainerInspect", id = "a\\.b|web-1" } # "#);
        let ids = rule(vec![inspect("web"), inspect(&"ab".repeat(32))]);
        assert_eq!(ids, r#""ContainerInspect" # called by ids, which differ from run to run, so any object"#);
    }
}
