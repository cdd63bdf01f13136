//! Elastic Common Schema 8.11, one document a call.
//! Knows nothing of files. <https://www.elastic.co/guide/en/ecs/8.11>

use serde_json::{Value, json};

use super::super::record::Call;
use super::fields::{FIELDS, put};
use super::{Effect, VERSION, effect, outcome};

/// One document.
pub fn document(call: &Call) -> Value {
    let mut document = json!({
        "ecs": { "version": "8.11.0" },
        "event": {
            "kind": "event",
            "module": "dockgate",
            "dataset": "dockgate.audit",
            "provider": "dockgate",
            "category": if call.is_event() { json!(["configuration"]) } else { json!(["api"]) },
            "type": types(call),
            "outcome": match outcome(call) { Some(true) => "success", Some(false) => "failure", None => "unknown" },
        },
        "observer": { "product": "dockgate", "vendor": "dockgate", "type": "proxy", "version": VERSION },
        "message": message(call),
    });
    for field in FIELDS.iter().filter(|field| !field.ecs.is_empty()) {
        if let Some(value) = (field.get)(call) {
            put(&mut document, field.ecs, value);
        }
    }
    if let Some((name, _)) = call.event() {
        put(&mut document, "event.action", format!("trail-{name}").into());
    }
    document
}

fn types(call: &Call) -> Value {
    if call.is_event() {
        return json!(["info"]);
    }
    let what = match effect(call) {
        Effect::Create => "creation",
        Effect::Read | Effect::Unknown => "access",
        Effect::Change => "change",
        Effect::Delete => "deletion",
        Effect::Run => "start",
    };
    match call.verdict() {
        "allow" | "would-deny" => json!([what, "allowed"]),
        "deny" | "refuse" => json!([what, "denied"]),
        _ => json!([what]),
    }
}

fn message(call: &Call) -> String {
    if let Some((name, detail)) = call.event() {
        return format!("trail {name} {detail}").trim_end().to_owned();
    }
    let parts = [call.operation().unwrap_or("request"), &call.what(), call.verdict(), call.reason().unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
