//! CEF version 0 (ArcSight's Common Event Format), one line a call.
//! Knows nothing of files and of syslog's head.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::record::{Call, plain};
use super::fields::{CEF_LABELS, FIELDS};
use super::{VERSION, outcome};

/// One line, without its newline.
pub fn line(call: &Call) -> String {
    let (id, name) = match call.event() {
        Some((event, _)) => (format!("trail-{event}"), format!("trail {event}")),
        None => {
            let operation = call.operation().unwrap_or("request");
            (call.reason().unwrap_or(operation).to_owned(), format!("{operation} {}", call.verdict()))
        }
    };
    let mut out =
        format!("CEF:0|dockgate|dockgate|{VERSION}|{}|{}|{}|app=Docker Engine API", header(&id), header(name.trim_end()), severity(call));
    for field in FIELDS.iter().filter(|field| !field.cef.is_empty()) {
        let Some(value) = (field.get)(call).map(|value| flat(&value)).filter(|value| !value.is_empty()) else { continue };
        // CEF has keys of its own for addresses of version 6
        let six = field.cef == "src" && value.contains(':');
        let key = if six { "c6a2" } else { field.cef };
        let label = if six { Some("source address") } else { CEF_LABELS.iter().find(|(label, _)| *label == key).map(|(_, label)| *label) };
        let _ = write!(out, " {key}={}", extension(&value));
        if let Some(label) = label {
            let _ = write!(out, " {key}Label={label}");
        }
    }
    if let Some((_, detail)) = call.event() {
        let _ = write!(out, " msg={}", extension(&detail));
    } else if let Some(good) = outcome(call) {
        out.push_str(if good { " outcome=success" } else { " outcome=failure" });
    }
    out
}

/// From 0 to 10.
fn severity(call: &Call) -> u8 {
    let change = call.records.len() > 1 || call.is_open();
    match call.verdict() {
        "allow" if change => 3,
        "allow" => 1,
        "would-deny" | "refuse" => 5,
        "deny" => 7,
        _ => 2,
    }
}

fn flat(value: &Value) -> String {
    value.as_array().map_or_else(|| plain(value), |items| items.iter().map(plain).collect::<Vec<_>>().join(" "))
}

/// In the header a bar and a backslash are escaped, and there are no line ends.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// In the extension an equals sign and a backslash are escaped, and line ends are written as `\n` and `\r`.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}
