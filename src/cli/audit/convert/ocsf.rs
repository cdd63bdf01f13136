//! OCSF 1.6.0: API Activity (6003) for calls, Application Lifecycle (6002) for the trail's own events.
//! Knows nothing of files. <https://schema.ocsf.io/1.6.0/classes/api_activity>

use serde_json::{Value, json};

use super::super::record::Call;
use super::fields::{FIELDS, put};
use super::{Effect, VERSION, effect};

/// One event.
pub fn event(call: &Call) -> Value {
    let mut event = if call.is_event() { lifecycle(call) } else { activity(call) };
    for field in FIELDS.iter().filter(|field| !field.ocsf.is_empty()) {
        if let Some(value) = (field.get)(call) {
            put(&mut event, field.ocsf, value);
        }
    }
    event
}

fn metadata(profiles: &[&str]) -> Value {
    json!({
        "version": "1.6.0",
        "profiles": profiles,
        "log_name": "dockgate audit",
        "product": { "name": "dockgate", "vendor_name": "dockgate", "version": VERSION },
    })
}

fn activity(call: &Call) -> Value {
    let (number, name) = match effect(call) {
        Effect::Create => (1, "Create"),
        Effect::Read => (2, "Read"),
        Effect::Change => (3, "Update"),
        Effect::Delete => (4, "Delete"),
        Effect::Run => (99, "Run"),
        Effect::Unknown => (0, "Unknown"),
    };
    let (action, disposition, severity) = match call.verdict() {
        "allow" => ((1, "Allowed"), (1, "Allowed"), (1, "Informational")),
        "would-deny" => ((1, "Allowed"), (17, "Logged"), (2, "Low")),
        "deny" => ((2, "Denied"), (2, "Blocked"), (3, "Medium")),
        "refuse" => ((2, "Denied"), (2, "Blocked"), (2, "Low")),
        _ => ((0, "Unknown"), (0, "Unknown"), (1, "Informational")),
    };
    let status = match super::outcome(call) {
        Some(true) => (1, "Success"),
        Some(false) => (2, "Failure"),
        None => (0, "Unknown"),
    };
    let mut event = json!({
        "category_uid": 6, "category_name": "Application Activity",
        "class_uid": 6003, "class_name": "API Activity",
        "activity_id": number, "activity_name": name,
        "type_uid": 600_300 + number, "type_name": format!("API Activity: {name}"),
        "severity_id": severity.0, "severity": severity.1,
        "status_id": status.0, "status": status.1,
        "action_id": action.0, "action": action.1,
        "disposition_id": disposition.0, "disposition": disposition.1,
        "metadata": metadata(&["host", "security_control"]),
        "api": { "service": { "name": "Docker Engine API" } },
        "dst_endpoint": { "svc_name": "dockgate" },
        "device": { "type_id": 1, "type": "Server" },
        "resources": resources(call),
    });
    let app = call.text(&["user_agent"]).map_or_else(|| call.client(), str::to_owned);
    put(&mut event, "actor.app_name", app.into());
    event
}

/// The objects that the call names, and its image.
fn resources(call: &Call) -> Value {
    let kind = call.known_operation().map(|operation| object(operation.row().path)).unwrap_or_default();
    let named = call.texts(&["names"]).into_iter().map(|name| json!({ "type": kind, "name": name }));
    let image = call.text(&["image"]).map(|image| json!({ "type": "image", "name": image }));
    let made = call.text(&["resource_id"]).map(|id| json!({ "type": kind, "uid": id }));
    named.chain(image).chain(made).collect()
}

/// `/containers/{id}/json` is about a container.
fn object(path: &str) -> &str {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first.strip_suffix('s').unwrap_or(first)
}

fn lifecycle(call: &Call) -> Value {
    let (number, name) = match call.text(&["event"]) {
        Some("open") => (3, "Start"),
        Some("close") => (4, "Stop"),
        Some("policy-loaded" | "policy-reloaded") => (8, "Update"),
        Some(_) | None => (99, "Other"),
    };
    let bad = matches!(call.text(&["event"]), Some("gap" | "sink-down" | "unseen-change" | "policy-rejected" | "recovered"));
    let severity = if bad { (3, "Medium") } else { (1, "Informational") };
    json!({
        "category_uid": 6, "category_name": "Application Activity",
        "class_uid": 6002, "class_name": "Application Lifecycle",
        "activity_id": number, "activity_name": name,
        "type_uid": 600_200 + number, "type_name": format!("Application Lifecycle: {name}"),
        "severity_id": severity.0, "severity": severity.1,
        "metadata": metadata(&["host"]),
        "app": { "name": "dockgate", "vendor_name": "dockgate", "version": VERSION },
    })
}
