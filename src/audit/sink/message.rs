//! A message for a sink: a line of the trail or a checkpoint, and the few fields that sinks index.
//! Knows nothing of how it is sent.

use serde::Deserialize;

/// What a sink sends.
#[derive(Debug)]
pub struct Message {
    /// One line of JSON, without its end.
    pub text: String,
    /// What stands in it.
    pub fields: Fields,
}

/// The fields that sinks show on their own; whatever else a line holds stays in its text.
#[derive(Debug, Default, Deserialize)]
pub struct Fields {
    /// The record's id.
    pub id: Option<String>,
    /// The record's number.
    pub sequence: Option<u64>,
    /// `single`, `intent`, `start`, `outcome`, `end`, `event`, or `checkpoint`.
    pub stage: Option<String>,
    /// RFC 3339, UTC, microseconds.
    pub time: Option<String>,
    /// `allow`, `would-deny`, `deny` or `refuse`.
    pub verdict: Option<String>,
    /// The operation's id.
    pub operation: Option<String>,
    /// Why it was denied.
    pub reason: Option<String>,
    /// The door.
    pub door: Option<String>,
    /// The name of one of the trail's own events.
    pub event: Option<String>,
    /// The reply's status.
    pub status: Option<u16>,
}

/// Severities of RFC 5424 table 2, which are the journal's priorities too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// 3
    Error = 3,
    /// 4
    Warning = 4,
    /// 5
    Notice = 5,
    /// 6
    Info = 6,
}

impl Message {
    /// A line of the trail. One that is no record is passed on as it is.
    pub fn record(line: &str) -> Self {
        Self { text: line.to_owned(), fields: serde_json::from_str(line).unwrap_or_default() }
    }

    /// A signed checkpoint: the note as a JSON string, so that its exact bytes can be had back from one line.
    pub fn checkpoint(note: &str) -> Self {
        let text = serde_json::json!({"schema": 1, "stage": "checkpoint", "note": note}).to_string();
        Self { text, fields: Fields { stage: Some("checkpoint".to_owned()), ..Fields::default() } }
    }

    /// How much it matters to somebody who watches.
    pub fn severity(&self) -> Severity {
        match (self.fields.verdict.as_deref(), self.fields.event.as_deref()) {
            (Some("deny" | "refuse"), _) | (_, Some("recovered" | "policy-rejected" | "unseen-change" | "sink-down")) => Severity::Warning,
            (_, Some("gap")) => Severity::Error,
            (Some("would-deny"), _) | (_, Some(_)) => Severity::Notice,
            (Some(_) | None, None) => Severity::Info,
        }
    }

    /// The stage, for where a message must have a kind.
    pub fn kind(&self) -> &str {
        self.fields.stage.as_deref().unwrap_or("record")
    }
}

/// Text cut to so many bytes, at a character's end.
pub fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}
