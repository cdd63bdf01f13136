//! One record of the trail: made when a request begins, closed once when it ends.
//! Knows nothing of where lines go.

use std::borrow::Cow;
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::docker::operations::Kind;
use crate::docker::{Action, Endpoint, Fault, Head, Operation};
use crate::policy::{Denial, Permit, Policy, Subject};

use super::line::{BodyNote, Json, Line, RuleText, Text, Time, Written};
use super::redact::{self, Redactor, Shown};
use super::reply::Capture;
use super::trail::{Trail, TrailError};
use super::{credentials, moment, summary};

/// The version of the record's schema.
pub const SCHEMA: u32 = 1;
/// What a line may take, less what the writer puts before it.
const MAX_LINE: usize = 63 * 1024;
/// Room for the record of a read, so that it is written without growing.
const USUAL_LINE: usize = 1024;
/// Elements of a list of names, keys or places.
const MAX_LIST: usize = 128;

/// A record; dropping it unclosed writes it as aborted.
#[derive(Debug)]
pub struct Record<'a> {
    trail: &'a Trail,
    policy: &'a Policy,
    head: Option<&'a Head>,
    started: Instant,
    flow: Flow,
    operation: Option<Operation>,
    line: Line<'a>,
    acted: bool,
    capture: Option<Capture>,
    closed: bool,
}

/// How many records a call leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// One.
    Single,
    /// An intent and an outcome.
    Change,
    /// An intent, a start and an end.
    Stream,
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
    /// When the reply of a stream or tunnel has begun.
    Start,
    /// After a change ended.
    Outcome,
    /// After a stream or tunnel ended.
    End,
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

/// The size and digest of a body that is relayed as it comes.
#[derive(Debug, Clone, Default)]
pub struct Uploaded {
    bytes: u64,
    digest: Sha256,
    whole: bool,
}

impl Uploaded {
    /// Counts bytes that go on.
    pub fn piece(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.digest.update(bytes);
    }

    /// The body ended well.
    pub fn end(&mut self) {
        self.whole = true;
    }
}

impl<'a> Record<'a> {
    /// A record for a request that begins now; `head` is absent where it could not be read.
    pub fn begin(trail: &'a Trail, subject: &'a Subject, policy: &'a Policy, head: Option<&'a Head>) -> Self {
        let line = Line::new(subject, policy);
        let mut record = Self {
            trail,
            policy,
            head,
            started: Instant::now(),
            flow: Flow::Single,
            operation: None,
            line,
            acted: false,
            capture: None,
            closed: false,
        };
        record.line.exe = subject.exe.as_deref().map(|text| record.shown("exe", redactor(trail).text(text)));
        record.line.tls_subject = subject.tls.as_deref().map(|text| record.shown("tls_subject", redactor(trail).text(text)));
        if let Some(head) = head {
            record.line.method = Some(head.method.as_str());
            record.line.user_agent = head.user_agent.as_deref().map(|text| record.shown("user_agent", redactor(trail).text(text)));
            record.line.registry_auth = credentials::of(head, redactor(trail));
            if record.line.registry_auth.is_some() {
                record.line.redacted.push(Cow::Borrowed("registry_auth"));
            }
        }
        record
    }

    /// The id that goes back to the client as `Dockgate-Ref`.
    pub fn id(&self) -> &str {
        &self.line.id
    }

    /// Notes the operation and its canonical path.
    pub fn endpoint(&mut self, endpoint: &Endpoint) {
        self.operation = Some(endpoint.operation);
        self.line.operation = Some(endpoint.operation.name());
        self.line.api_version = self.head.and_then(|head| head.target.version).map(Written);
        self.path(endpoint);
        self.line.names = endpoint.names.iter().map(|name| redactor(self.trail).image(name).text.into_owned()).collect();
    }

    fn path(&mut self, endpoint: &Endpoint) {
        let mut path = String::with_capacity(96);
        endpoint.write(self.head.and_then(|head| head.target.version), &mut path);
        self.set_path(path);
    }

    fn set_path(&mut self, path: String) {
        let shown = redactor(self.trail).image(&path);
        if shown.hidden {
            note(&mut self.line.redacted, Cow::Borrowed("path"));
        }
        self.line.path = Some(match shown.text {
            Cow::Owned(text) => text,
            Cow::Borrowed(_) => path,
        });
    }

    /// Notes what an action asks for, without its secrets.
    pub fn action(&mut self, action: &Action) {
        self.acted = true;
        let redactor = redactor(self.trail);
        let canonical = action.query.iter().map(|(key, value)| (key.name, redactor.query(key, value)));
        query(canonical, &mut self.line.query, &mut self.line.redacted);
        self.line.dropped = listed(action.dropped.iter().map(|name| redactor.text(name).text.into_owned()));
        self.body(action);
        let body = |key: &str| action.json().map(|json| json.text(key)).filter(|text| !text.is_empty());
        let named = [action.query("name"), body("Name"), body("Container")];
        self.line.names.extend(named.into_iter().flatten().map(|name| redactor.image(name).text.into_owned()));
        let image = body("Image").or_else(|| action.query("fromImage")).or_else(|| service_image(action));
        self.line.image = image.map(|name| redactor.image(name).text.into_owned());
    }

    /// The summary, and the places at which something was hidden.
    fn body(&mut self, action: &Action) {
        let redacted = action.json().and_then(|json| redactor(self.trail).body(action.row().body, json));
        let Some(redacted) = redacted else { return };
        let summary = Some(Json(summary::of(action, &redacted.value)));
        let bytes = self.line.bytes_in;
        self.line.redacted.retain(|place| !place.starts_with("body."));
        self.line.redacted.extend(redacted.places.into_iter().map(|place| Cow::Owned(format!("body.{place}"))));
        self.line.body = Some(BodyNote { bytes, summary, ..BodyNote::default() });
    }

    /// Notes the permit, and the body as it goes upstream.
    pub fn permit(&mut self, permit: &Permit) {
        self.line.verdict = Some(VerdictWord::Allow);
        if let Some(rule) = &permit.rule {
            self.line.rule = Some(RuleText::Shared(rule.clone()));
            self.line.line = Some(Written(rule.origin.clone()));
        }
        self.pinned(&permit.action().endpoint);
        self.checked(permit);
        if !permit.injected.is_empty() {
            self.body(permit.action());
        }
        self.forwarded(permit.action());
        if let Some(denial) = &permit.would_deny {
            self.would_deny(denial);
        }
        self.capture = Capture::of(permit.action().endpoint.operation);
    }

    /// An object that was looked up is named by its full id from here on.
    fn pinned(&mut self, endpoint: &Endpoint) {
        let same = endpoint.names.iter().zip(&self.line.names).all(|(new, old)| new == old);
        if same {
            return;
        }
        self.path(endpoint);
        let redactor = redactor(self.trail);
        for (name, old) in endpoint.names.iter().zip(&mut self.line.names) {
            *old = redactor.image(name).text.into_owned();
        }
    }

    fn checked(&mut self, permit: &Permit) {
        let redactor = redactor(self.trail);
        self.line.injected = listed(permit.injected.iter().map(|at| redactor.text(at).text.into_owned()));
        let warning = |warning: &Denial| format!("{} {}", warning.reason.code(), redactor.text(&warning.at).text);
        self.line.warnings = listed(permit.warnings.iter().map(warning));
        for warning in &permit.warnings {
            note(&mut self.line.checks, Cow::Borrowed(warning.reason.code()));
        }
        if permit.action().json().is_some() {
            for (reason, act) in &self.policy.create.checks {
                note(&mut self.line.checks, Cow::Owned(format!("{}={}", reason.code(), act.as_str())));
            }
        }
    }

    /// The digest of a body with a secret in it is keyed: who knows the rest of the body could otherwise try out what the secret is.
    fn forwarded(&mut self, action: &Action) {
        let Some(json) = action.json() else { return };
        let bytes = json.encode();
        let secret = self.line.redacted.iter().any(|place| place.starts_with("body."));
        let note = self.line.body.get_or_insert_default();
        note.bytes = bytes.len() as u64;
        if secret {
            note.hmac = Some(redactor(self.trail).whole(bytes.as_bytes()));
        } else {
            note.sha256 = Some(redact::sha256(bytes.as_bytes()));
        }
    }

    /// Notes why the policy denied it.
    pub fn denied(&mut self, denial: &Denial) {
        self.denial(denial, VerdictWord::Deny);
    }

    /// Notes what the body would have been denied for, in a mode that forwards it.
    pub fn would_deny(&mut self, denial: &Denial) {
        note(&mut self.line.checks, Cow::Borrowed(denial.reason.code()));
        self.denial(denial, VerdictWord::WouldDeny);
    }

    fn denial(&mut self, denial: &Denial, verdict: VerdictWord) {
        self.line.verdict = Some(verdict);
        self.line.reason = Some(denial.reason.code());
        self.at(&denial.at);
        if let Some((rule, origin)) = &denial.rule {
            self.line.rule = Some(RuleText::Own(rule.clone()));
            self.line.line = Some(Written(origin.clone()));
        }
    }

    /// Notes why it never became an action.
    pub fn fault(&mut self, fault: &Fault) {
        self.refused(fault.kind.code());
        self.at(&fault.at);
    }

    fn at(&mut self, at: &str) {
        let text = self.shown("at", redactor(self.trail).image(at)).into_owned();
        self.line.at = Some(text).filter(|text| !text.is_empty());
    }

    /// Notes another reason for a refusal: no engine, no trail, too many connections.
    pub fn refused(&mut self, reason: &'static str) {
        self.line.verdict.get_or_insert(VerdictWord::Refuse);
        self.line.reason.get_or_insert(reason);
    }

    /// A message about the request for the operator's log, by the rules of the trail.
    pub fn message(&self, text: &str) -> String {
        redactor(self.trail).message(text)
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

    /// Notes a body that was relayed as it came.
    pub fn uploaded(&mut self, uploaded: Uploaded) {
        self.count_in(uploaded.bytes);
        let sha256 = uploaded.whole.then(|| redact::hex(&uploaded.digest.finalize()));
        self.line.body = Some(BodyNote { bytes: uploaded.bytes, sha256, ..BodyNote::default() });
    }

    /// Counts a piece of the reply; of one that names what was created the first bytes are kept.
    pub fn reply_piece(&mut self, piece: &[u8]) {
        self.count_out(piece.len() as u64);
        if let Some(capture) = &mut self.capture {
            capture.piece(piece);
        }
    }

    /// Writes the intent of a change, stream or tunnel; nothing may go upstream before this returns.
    ///
    /// # Errors
    /// When the trail does not take it; the request is then refused.
    pub async fn intent(&mut self, permit: &Permit) -> Result<(), TrailError> {
        let flow = Flow::of(permit);
        if flow == Flow::Single {
            return Ok(());
        }
        self.line.stage = Stage::Intent;
        let line = self.render();
        let committed = self.trail.commit(line).await;
        self.line.stage = Stage::Single;
        committed?;
        self.flow = flow;
        self.line.stage = if flow == Flow::Stream { Stage::End } else { Stage::Outcome };
        if let Some(body) = &mut self.line.body {
            body.summary = None; // the intent has it
        }
        Ok(())
    }

    /// Writes that the reply of a stream or tunnel has begun; does nothing for other calls.
    pub async fn begun(&mut self) {
        if self.flow == Flow::Stream {
            self.line.stage = Stage::Start;
            self.append().await;
            self.line.stage = Stage::End;
        }
    }

    /// Closes the record.
    pub async fn close(mut self, ended: Ended) {
        self.closed = true;
        self.finish(ended);
        self.append().await;
    }

    async fn append(&mut self) {
        let line = self.render();
        if let Err(error) = self.trail.append(line).await {
            tracing::error!(%error, id = %self.line.id, "a record is not on the trail");
        }
    }

    fn finish(&mut self, ended: Ended) {
        self.line.ended = Some(ended);
        let created = self.line.status.is_some_and(|status| (200..300).contains(&status));
        let named = self.capture.take().filter(|_| created).and_then(|capture| capture.name());
        self.line.resource_id = named.map(|name| redactor(self.trail).image(&name).text.into_owned());
        if !self.acted {
            self.unread();
        }
    }

    /// A request that was refused before it was an action: its path as sent, and of its query what a rule can judge.
    fn unread(&mut self) {
        let Some(head) = self.head else { return };
        let redactor = redactor(self.trail);
        if self.line.path.is_none() {
            let segments: String = head.target.segments.iter().flat_map(|segment| ["/", segment.text.as_str()]).collect();
            self.line.api_version = head.target.version.map(Written);
            self.set_path(segments);
        }
        let operation = self.operation;
        let known = |name: &str| operation.and_then(|operation| operation.row().query.iter().find(|key| key.name == name));
        let pairs = head.target.query.iter().map(|(name, value)| match known(name) {
            Some(key) => (name.as_str(), redactor.query(key, value)),
            None => (name.as_str(), Shown { text: Cow::Borrowed(""), hidden: !value.is_empty() }),
        });
        let named = pairs.map(|(name, value)| (redactor.text(name).text, value));
        query(named, &mut self.line.query, &mut self.line.redacted);
    }

    /// The JSON object of the record as it now is, without the members that the writer puts first.
    fn object(&mut self) -> String {
        self.line.duration_us = micros(self.started);
        let mut out = written(&self.line);
        if out.len() > MAX_LINE {
            self.line.truncate();
            out = written(&self.line);
        }
        out
    }

    fn render(&mut self) -> String {
        let object = self.object();
        let sequence = self.trail.next_sequence();
        let previous = "0".repeat(64);
        let members = object.strip_prefix('{').unwrap_or_default();
        format!("{{\"schema\":{SCHEMA},\"sequence\":{sequence},\"previous\":\"{previous}\",{members}\n")
    }

    fn shown<'t>(&mut self, place: &'static str, shown: Shown<'t>) -> Text<'t> {
        if shown.hidden {
            note(&mut self.line.redacted, Cow::Borrowed(place));
        }
        shown.text
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.finish(Ended::Aborted);
            let line = self.render();
            self.trail.append_now(line);
        }
    }
}

impl Flow {
    fn of(permit: &Permit) -> Self {
        match permit.action().row().kind {
            Kind::Read | Kind::SensitiveRead => Self::Single,
            Kind::Stream => Self::Stream,
            Kind::Tunnel if permit.opens_tunnel() => Self::Stream,
            Kind::Tunnel | Kind::Change => Self::Change,
        }
    }
}

impl<'a> Line<'a> {
    fn new(subject: &'a Subject, policy: &'a Policy) -> Self {
        Self {
            id: Ulid::new().to_string(),
            stage: Stage::Single,
            time: Time(jiff::Timestamp::now()),
            boottime_us: moment::boottime_us(),
            host: moment::host(),
            door: &subject.door,
            uid: subject.peer.map(|peer| peer.uid),
            gid: subject.peer.map(|peer| peer.gid),
            pid: subject.peer.and_then(|peer| peer.pid),
            exe: None,
            client_container: subject.container.as_deref(),
            tls_subject: None,
            address: subject.address.map(Written),
            user_agent: None,
            operation: None,
            method: None,
            path: None,
            api_version: None,
            query: Vec::new(),
            names: Vec::new(),
            image: None,
            registry_auth: None,
            body: None,
            resource_id: None,
            redacted: Vec::new(),
            dropped: Vec::new(),
            injected: Vec::new(),
            warnings: Vec::new(),
            checks: Vec::new(),
            policy: &policy.name,
            policy_digest: &policy.digest,
            mode: policy.mode.as_str(),
            verdict: None,
            reason: None,
            at: None,
            rule: None,
            line: None,
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            duration_us: 0,
            upstream_us: None,
            ended: None,
            truncated: false,
        }
    }

    /// Drops what can be long; a line has an end.
    fn truncate(&mut self) {
        self.truncated = true;
        if let Some(body) = &mut self.body {
            body.summary = None;
        }
        for list in [&mut self.query, &mut self.dropped, &mut self.injected, &mut self.warnings] {
            list.clear();
        }
        self.names.truncate(4);
        self.redacted.truncate(4);
    }
}

fn redactor(trail: &Trail) -> &Redactor {
    trail.redactor()
}

fn written(line: &Line<'_>) -> String {
    let mut out = Vec::with_capacity(USUAL_LINE);
    match serde_json::to_writer(&mut out, line) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// `name=value`, and the names of the keys in which something was hidden.
fn query<'t, N: AsRef<str>>(pairs: impl Iterator<Item = (N, Shown<'t>)>, out: &mut Vec<String>, redacted: &mut Vec<Text<'static>>) {
    out.clear();
    for (name, value) in pairs.take(MAX_LIST) {
        let name = name.as_ref();
        if value.hidden {
            note(redacted, Cow::Owned(format!("?{name}")));
        }
        let mut pair = String::with_capacity(name.len() + 1 + value.text.len());
        pair.push_str(name);
        if !(value.hidden && value.text.is_empty()) {
            pair.push('=');
            pair.push_str(&value.text);
        }
        out.push(pair);
    }
}

fn note(list: &mut Vec<Text<'static>>, entry: Text<'static>) {
    if !list.contains(&entry) && list.len() < MAX_LIST {
        list.push(entry);
    }
}

fn listed(entries: impl Iterator<Item = String>) -> Vec<String> {
    entries.take(MAX_LIST).collect()
}

fn service_image(action: &Action) -> Option<&str> {
    let image = action.json()?.get("TaskTemplate")?.get("ContainerSpec")?.text("Image");
    Some(image).filter(|image| !image.is_empty())
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
