//! One record of the trail: made when a request begins, closed once when it ends.
//! Knows nothing of where lines go.

use std::borrow::Cow;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::docker::operations::Kind;
use crate::docker::{Head, Operation};
use crate::policy::{Origin, Permit, Policy};

use super::credentials;
use super::line::{BodyNote, Line, Text, USUAL, Written};
use super::merkle;
use super::queue::Entry;
use super::redact::{Redactor, Shown};
use super::reply::Capture;
use super::trail::{Trail, TrailError};
use super::who::Who;
use super::words::{Ended, Stage, VerdictWord};

mod notes;

/// The version of the record's schema.
pub const SCHEMA: u32 = 1;
/// What a line may take, less what the writer puts before it.
const MAX_LINE: usize = 63 * 1024;
/// Elements of a list of names, keys or places.
const MAX_LIST: usize = 128;

/// A record; dropping it unclosed writes it as aborted.
#[derive(Debug)]
pub struct Record<'a> {
    trail: &'a Trail,
    who: &'a Who<'a>,
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

    /// True where it did.
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

impl<'a> Record<'a> {
    /// A record for a request that begins now; `head` is absent where it could not be read.
    pub fn begin(trail: &'a Trail, who: &'a Who<'a>, policy: &'a Policy, head: Option<&'a Head>) -> Self {
        let line = Line::new(who, policy);
        let mut record = Self {
            trail,
            who,
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
        record.line.redacted.extend(who.hidden().map(Cow::Borrowed));
        if let Some(head) = head {
            record.line.method = Some(head.method.as_str());
            record.line.registry_auth = credentials::of(head, redactor(trail));
            if record.line.registry_auth.is_some() {
                record.line.redacted.push(Cow::Borrowed("registry_auth"));
            }
        }
        record
    }

    /// Notes the policy that the request is held against from now on, the place of the client entry that chose it, and the container
    /// that the client was found to run in.
    pub fn standing(&mut self, policy: &'a Policy, client: Option<&Origin>, container: Option<&'a str>) -> &'a Policy {
        self.policy = policy;
        self.line.of_policy(policy);
        self.line.client = client.map(|origin| Written(origin.clone()));
        self.line.client_container = container.or(self.line.client_container);
        policy
    }

    /// The id that goes back to the client as `Dockgate-Ref`.
    pub fn id(&self) -> &str {
        &self.line.id
    }

    /// The operation that was asked for, once that is known.
    pub fn operation(&self) -> Option<&'static str> {
        self.line.operation
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
        let sha256 = uploaded.whole.then(|| merkle::hex(&uploaded.digest.finalize()));
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
            return if self.trail.admits_reads() { Ok(()) } else { Err(TrailError::Broken) };
        }
        self.line.stage = Stage::Intent;
        let line = self.render();
        // from here on an intent may be on the trail, be it too late for who waits: whatever is written next ends it
        self.line.stage = if flow == Flow::Stream { Stage::End } else { Stage::Outcome };
        let committed = self.trail.commit(line).await;
        if committed == Err(TrailError::Broken) {
            self.line.stage = Stage::Single; // nothing of it was written
        }
        committed?;
        self.flow = flow;
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

    /// The record as it now is, from the id on: what comes before it is the writer's.
    fn render(&mut self) -> Entry {
        self.line.duration_us = micros(self.started);
        let mut text = self.trail.text();
        text.reserve(USUAL);
        self.line.write(&mut text);
        if text.len() > MAX_LINE {
            self.line.truncate();
            text.clear();
            self.line.write(&mut text);
        }
        let foldable = self.line.verdict == Some(VerdictWord::Deny) && self.line.stage == Stage::Single;
        Entry { text, kind: foldable.then(|| self.line.common(self.who.lasting())) }
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

fn redactor(trail: &Trail) -> &Redactor {
    trail.redactor()
}

/// `name=value`, and the names of the keys in which something was hidden.
fn query<'t, N: AsRef<str>>(pairs: impl Iterator<Item = (N, Shown<'t>)>, out: &mut Vec<String>, redacted: &mut Vec<Text<'static>>) {
    *out = listed(pairs.map(|(name, value)| {
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
        pair
    }));
}

fn note(list: &mut Vec<Text<'static>>, entry: Text<'static>) {
    if !list.contains(&entry) && list.len() < MAX_LIST {
        list.push(entry);
    }
}

/// A list of what a client may have made long; what is left out is counted.
fn listed(mut entries: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<String> = entries.by_ref().take(MAX_LIST).collect();
    let more = entries.count();
    if more > 0 {
        out.push(format!("…(+{more})"));
    }
    out
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
