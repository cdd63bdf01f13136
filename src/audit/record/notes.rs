//! What a record notes on the way of a request: endpoint, action, permit, or why there is none.
//! Knows nothing of stages and of writing.

use std::borrow::Cow;

use super::super::line::{BodyNote, Json, RuleText, Written};
use super::super::reply::Capture;
use super::super::words::VerdictWord;
use super::super::{redact, summary};
use super::{Record, listed, note, query, redactor};
use crate::docker::{Action, Endpoint, Fault};
use crate::policy::{Denial, Permit};

impl Record<'_> {
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

    pub(super) fn set_path(&mut self, path: String) {
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
        self.line.redacted.extend(redacted.places.into_iter().map(Cow::Owned));
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
        self.forwarded(permit);
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
    fn forwarded(&mut self, permit: &Permit) {
        let Some(bytes) = permit.text() else { return };
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
}

fn service_image(action: &Action) -> Option<&str> {
    let image = action.json()?.get("TaskTemplate")?.get("ContainerSpec")?.text("Image");
    Some(image).filter(|image| !image.is_empty())
}
