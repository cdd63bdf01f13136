//! The trail's JSON Schema, held against records: the keywords that it uses and no others.
//! Knows nothing of what a record means.

use std::sync::LazyLock;

use serde_json::Value;

/// The schema as it is published.
pub static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/audit.schema.json")).expect("docs/audit.schema.json is JSON"));

/// Keywords that only describe.
const WORDS: [&str; 5] = ["$schema", "$id", "title", "description", "$comment"];

/// A line of the trail as a value, which the schema describes.
pub fn record(line: &str) -> Value {
    let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let wrong = wrong(&value);
    assert!(wrong.is_empty(), "{wrong:?}\n{line}");
    value
}

/// Everything in which a record is not as the schema says.
pub fn wrong(record: &Value) -> Vec<String> {
    unlike(&SCHEMA, record)
}

/// Everything in which a value is not as another schema says.
pub fn unlike(schema: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    hold(schema, value, "", &mut out);
    out
}

fn hold(schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            out.push(format!("{at}: may not be there"));
        }
        return;
    };
    for (keyword, rule) in rules {
        let fits = match keyword.as_str() {
            "type" => of_type(rule, value),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "pattern" => value.as_str().is_none_or(|text| regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "required" => {
                let has = |name: &&Value| value.as_object().is_none_or(|members| members.contains_key(name.as_str().unwrap()));
                rule.as_array().unwrap().iter().all(|name| has(&name))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                items.for_each(|(n, item)| hold(rule, item, &format!("{at}[{n}]"), out));
                true
            }
            "properties" | "additionalProperties" => {
                members(rules, keyword, value, at, out);
                true
            }
            "if" => {
                let mut unlike = Vec::new();
                hold(rule, value, at, &mut unlike);
                let branch = rules.get(if unlike.is_empty() { "then" } else { "else" });
                branch.into_iter().for_each(|branch| hold(branch, value, at, out));
                true
            }
            "then" | "else" => true,
            other => {
                assert!(WORDS.contains(&other), "the schema has the keyword `{other}`, which is not looked at");
                true
            }
        };
        if !fits {
            out.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

fn members(rules: &serde_json::Map<String, Value>, keyword: &str, value: &Value, at: &str, out: &mut Vec<String>) {
    let known = rules.get("properties").and_then(Value::as_object);
    for (name, member) in value.as_object().into_iter().flatten() {
        let here = format!("{at}.{name}");
        match (known.and_then(|known| known.get(name)), keyword) {
            (Some(schema), "properties") => hold(schema, member, &here, out),
            (None, "additionalProperties") => hold(&rules["additionalProperties"], member, &here, out),
            _ => {}
        }
    }
}

fn of_type(rule: &Value, value: &Value) -> bool {
    let one = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("no type `{other}`"),
    };
    rule.as_str().map_or_else(|| rule.as_array().unwrap().iter().any(|name| one(name.as_str().unwrap())), one)
}

#[test]
fn a_record_with_an_unknown_member_or_a_wrong_value_does_not_fit() {
    let fits = |text: &str| wrong(&serde_json::from_str(text).unwrap());
    let event = r#"{"schema":1,"sequence":7,"previous":"PREVIOUS","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","stage":"event","time":"2026-01-02T03:04:05.000006Z","event":"open","detail":{"log":"x"}}"#
        .replace("PREVIOUS", &"0".repeat(64));
    assert_eq!(fits(&event), [""; 0]);
    for (from, to) in [
        ("\"sequence\":7", "\"sequence\":0"),
        ("\"detail\":", "\"extra\":"),
        ("\"open\"", "\"opened\""),
        ("\"schema\":1", "\"schema\":2"),
        ("0006Z", "Z"),
    ] {
        assert!(!fits(&event.replace(from, to)).is_empty(), "{from} → {to}");
    }
    assert!(fits(&event.replace("\"event\",\"time\"", "\"single\",\"time\"")).len() > 2, "a call needs more members");
}
