//! One record of the trail, schema version 1: made when a request begins, closed once when it ends.
//! Knows nothing of where lines go. No value of a header, an environment variable or a body enters it.

use std::time::Instant;

use serde::Serialize;
use ulid::Ulid;

use crate::docker::operations::Kind;
use crate::docker::{Action, Endpoint, Fault, Head};
use crate::policy::{Denial, Mode, Permit, Subject};

use super::trail::{Trail, TrailError};

/// The version of the record's schema.
pub const SCHEMA: u32 = 1;
/// The longest text of a field; what is longer is cut and marked.
const MAX_TEXT: usize = 512;

/// A record; dropping it unclosed writes it as aborted.
#[derive(Debug)]
pub struct Record {
    trail: Trail,
    started: Instant,
    line: Line,
    closed: bool,
}

/// The stages of a call's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The only record of a read or of a refused request.
    #[default]
    Single,
    /// Before the first byte of a change, stream or tunnel goes upstream.
    Intent,
    /// After it ended.
    Outcome,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWord {
    /// A rule allowed it.
    Allow,
    /// The policy denied it.
    Deny,
    /// The policy would have denied it, but its mode forwards.
    WouldDeny,
    /// It never became a value that can be judged.
    Refuse,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The reply was relayed whole.
    Complete,
    /// dockgate answered itself.
    Refused,
    /// The client went away.
    ClientGone,
    /// The engine went away, or its reply broke off.
    UpstreamGone,
    /// dockgate was stopped.
    Drained,
    /// The task ended without an answer.
    Aborted,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Line {
    id: String,
    stage: Stage,
    time: String,
    door: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    injected: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    policy: String,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

impl Record {
    /// A record for a request that begins now.
    pub fn begin(trail: &Trail, subject: &Subject, policy: &str, mode: Mode) -> Self {
        let line = Line {
            id: Ulid::new().to_string(),
            time: jiff::Timestamp::now().to_string(),
            door: subject.door.clone(),
            uid: subject.peer.map(|peer| peer.uid),
            gid: subject.peer.map(|peer| peer.gid),
            pid: subject.peer.and_then(|peer| peer.pid),
            address: subject.address.map(|address| address.to_string()),
            policy: policy.to_owned(),
            mode: mode.as_str(),
            ..Line::default()
        };
        Self { trail: trail.clone(), started: Instant::now(), line, closed: false }
    }

    /// The id that goes back to the client as `Dockgate-Ref`.
    pub fn id(&self) -> &str {
        &self.line.id
    }

    /// Notes the head.
    pub fn head(&mut self, head: &Head) {
        self.line.method = Some(head.method.as_str());
        self.line.user_agent = head.user_agent.as_deref().map(shown);
        self.line.query = head.target.query.iter().map(|(name, _)| shown(name)).collect();
        let segments: String = head.target.segments.iter().flat_map(|segment| ["/", segment.text.as_str()]).collect();
        self.line.path = Some(shown(&segments));
    }

    /// Notes the operation and its canonical path.
    pub fn endpoint(&mut self, endpoint: &Endpoint, head: &Head) {
        let mut path = String::new();
        endpoint.write(head.target.version, &mut path);
        self.line.operation = Some(endpoint.operation.name());
        self.line.path = Some(shown(&path));
        self.line.names.extend(endpoint.names.iter().map(|name| shown(name)));
    }

    /// Notes what an action names: objects and images, never contents.
    pub fn action(&mut self, action: &Action) {
        self.line.query = action.query.iter().map(|(key, _)| key.name.to_owned()).collect();
        self.line.dropped = action.dropped.iter().map(|name| shown(name)).collect();
        let body = |key: &str| action.json().map(|json| json.text(key)).filter(|text| !text.is_empty());
        let named = [action.query("name"), body("Name"), body("Container")];
        self.line.names.extend(named.into_iter().flatten().map(shown));
        self.line.image = body("Image").or_else(|| action.query("fromImage")).map(shown);
    }

    /// Notes the permit.
    pub fn permit(&mut self, permit: &Permit) {
        self.line.verdict = Some(VerdictWord::Allow);
        if let Some(rule) = &permit.rule {
            self.line.rule = Some(shown(&rule.text));
            self.line.line = Some(rule.origin.to_string());
        }
        self.line.injected = permit.injected.iter().map(|at| shown(at)).collect();
        self.line.warnings = permit.warnings.iter().map(|warning| shown(&format!("{} {}", warning.reason.code(), warning.at))).collect();
        if let Some(denial) = &permit.would_deny {
            self.would_deny(denial);
        }
        self.line.names = permit
            .action()
            .endpoint
            .names
            .iter()
            .map(|name| shown(name))
            .chain(self.line.names.drain(..).skip(permit.action().endpoint.names.len()))
            .collect();
    }

    /// Notes why the policy denied it.
    pub fn denied(&mut self, denial: &Denial) {
        self.denial(denial, VerdictWord::Deny);
    }

    /// Notes what the body would have been denied for, in a mode that forwards it.
    pub fn would_deny(&mut self, denial: &Denial) {
        self.denial(denial, VerdictWord::WouldDeny);
    }

    fn denial(&mut self, denial: &Denial, verdict: VerdictWord) {
        self.line.verdict = Some(verdict);
        self.line.reason = Some(denial.reason.code());
        self.line.at = Some(shown(&denial.at));
        if let Some((rule, origin)) = &denial.rule {
            self.line.rule = Some(shown(rule));
            self.line.line = Some(origin.to_string());
        }
    }

    /// Notes why it never became an action.
    pub fn fault(&mut self, fault: &Fault) {
        self.refused(fault.kind.code());
        self.line.at = Some(shown(&fault.at)).filter(|at| !at.is_empty());
    }

    /// Notes another reason for a refusal: no engine, no trail, too many connections.
    pub fn refused(&mut self, reason: &'static str) {
        self.line.verdict.get_or_insert(VerdictWord::Refuse);
        self.line.reason.get_or_insert(reason);
    }

    /// Notes the status that the client gets.
    pub fn status(&mut self, status: u16) {
        self.line.status = Some(status);
    }

    /// Notes when the engine's head came, counted from now back to `since`.
    pub fn upstream(&mut self, since: Instant) {
        self.line.upstream_us = Some(micros(since));
    }

    /// Counts body bytes from the client.
    pub fn count_in(&mut self, bytes: u64) {
        self.line.bytes_in += bytes;
    }

    /// Counts body bytes to the client.
    pub fn count_out(&mut self, bytes: u64) {
        self.line.bytes_out += bytes;
    }

    /// Writes the intent of a change, stream or tunnel; nothing may go upstream before this returns.
    ///
    /// # Errors
    /// When the trail does not take it; the request is then refused.
    pub async fn intent(&mut self, kind: Kind) -> Result<(), TrailError> {
        if matches!(kind, Kind::Read | Kind::SensitiveRead) {
            return if self.trail.admits_reads() { Ok(()) } else { Err(TrailError::Broken) };
        }
        self.line.stage = Stage::Intent;
        let line = self.render();
        let committed = self.trail.commit(line).await;
        self.line.stage = if committed.is_ok() { Stage::Outcome } else { Stage::Single };
        committed
    }

    /// Closes the record.
    pub async fn close(mut self, ended: Ended) {
        self.closed = true;
        self.line.ended = Some(ended);
        let line = self.render();
        if let Err(error) = self.trail.append(line).await {
            tracing::error!(%error, id = %self.line.id, "a record is not on the trail");
        }
    }

    /// The text from the id on: what comes before it is the writer's.
    fn render(&mut self) -> String {
        self.line.duration_us = micros(self.started);
        let line = serde_json::to_string(&self.line).unwrap_or_default();
        line.strip_prefix('{').unwrap_or_default().to_owned()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.closed {
            self.line.ended = Some(Ended::Aborted);
            let line = self.render();
            self.trail.append_now(line);
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Text of a client as it may stand in a log that is shown on terminals: cut, and without control or bidirectional characters.
fn shown(text: &str) -> String {
    let unsafe_char =
        |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let mut out: String = text.chars().take(MAX_TEXT).map(|c| if unsafe_char(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_client_text_without_control_characters_and_cut() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(shown(&"x".repeat(600)).chars().count(), MAX_TEXT + 1);
    }
}
