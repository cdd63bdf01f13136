//! A record as it is written: every member of one line of the trail, in order.
//! Knows nothing of where the values come from, nor of the members that the writer puts before them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::members::{Members, key, string};
use super::merkle::{Hash, digest};
use super::moment;
use super::who::Who;
use super::words::{Ended, Stage, VerdictWord};
use crate::docker::{ApiVersion, Value};
use crate::policy::Policy;
use crate::policy::rule::{Origin, Rule};

/// Text that is borrowed where nothing in it had to be changed.
pub(super) type Text<'a> = Cow<'a, str>;

/// Room for the record of a read, so that it is written without growing.
pub(super) const USUAL: usize = 1024;

/// All members but `schema`, `sequence` and `previous`. `docs/audit.schema.json` describes each.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct Line<'a> {
    pub id: String,
    pub stage: Stage,
    pub time: Time,
    pub boottime_us: u64,
    #[cfg_attr(test, serde(flatten, serialize_with = "members_of"))]
    pub who: &'a str,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub client_container: Option<&'a str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub operation: Option<&'static str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub method: Option<&'static str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub api_version: Option<Written<ApiVersion>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub query: Vec<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub names: Vec<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub image: Option<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub registry_auth: Option<RegistryAuth>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub body: Option<BodyNote>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub resource_id: Option<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub redacted: Vec<Text<'static>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub dropped: Vec<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub injected: Vec<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub warnings: Vec<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Vec::is_empty"))]
    pub checks: Vec<Text<'static>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub client: Option<Written<Origin>>,
    pub policy: &'a str,
    pub policy_digest: &'a str,
    pub mode: &'static str,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub verdict: Option<VerdictWord>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub reason: Option<&'static str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub at: Option<String>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub rule: Option<RuleText>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub line: Option<Written<Origin>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub status: Option<u16>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub duration_us: u64,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub upstream_us: Option<u64>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub ended: Option<Ended>,
    #[cfg_attr(test, serde(skip_serializing_if = "std::ops::Not::not"))]
    pub truncated: bool,
}

impl<'a> Line<'a> {
    /// A line for a request that begins now.
    pub(super) fn new(who: &'a Who<'_>, policy: &'a Policy) -> Self {
        let now = jiff::Timestamp::now();
        Self {
            id: moment::id(now),
            stage: Stage::Single,
            time: Time(now),
            boottime_us: moment::boottime_us(),
            who: who.text(),
            client_container: who.subject().container.as_deref(),
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
            client: None,
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

    /// Writes the members as they stand in an object, in their order; what is absent is left out.
    pub(super) fn write(&self, out: &mut String) {
        out.push_str("\"id\":");
        string(&self.id, out);
        let mut members = Members::after(out);
        self.when(&mut members);
        members.written(self.who);
        self.what(&mut members);
        self.verdict(&mut members);
        self.outcome(&mut members);
        out.push('}');
    }

    /// What identical denials have in common; `lasting` is the client without its process and port.
    pub(super) fn common(&self, lasting: &str) -> Hash {
        let mut out = String::with_capacity(USUAL);
        out.push_str(lasting);
        let mut members = Members::after(&mut out);
        self.what(&mut members);
        self.verdict(&mut members);
        members.some(key!("status"), self.status, Members::number);
        digest(out.as_bytes())
    }

    fn when(&self, out: &mut Members<'_>) {
        out.word(key!("stage"), self.stage.as_str());
        out.moment(key!("time"), self.time.0);
        out.number(key!("boottime_us"), self.boottime_us);
    }

    fn what(&self, out: &mut Members<'_>) {
        out.some(key!("client_container"), self.client_container, Members::text);
        out.some(key!("operation"), self.operation, Members::word);
        out.some(key!("method"), self.method, Members::word);
        out.some(key!("path"), self.path.as_deref(), Members::text);
        out.some(key!("api_version"), self.api_version.as_ref(), |out, key, version| out.shown(key, &version.0));
        out.list(key!("query"), &self.query);
        out.list(key!("names"), &self.names);
        out.some(key!("image"), self.image.as_deref(), Members::text);
        out.some(key!("registry_auth"), self.registry_auth.as_ref(), Members::value);
        out.some(key!("body"), self.body.as_ref(), Members::value);
        out.some(key!("resource_id"), self.resource_id.as_deref(), Members::text);
        out.list(key!("redacted"), &self.redacted);
        out.list(key!("dropped"), &self.dropped);
        out.list(key!("injected"), &self.injected);
        out.list(key!("warnings"), &self.warnings);
        out.list(key!("checks"), &self.checks);
    }

    fn verdict(&self, out: &mut Members<'_>) {
        out.some(key!("client"), self.client.as_ref(), |out, key, origin| out.place(key, &origin.0));
        out.text(key!("policy"), self.policy);
        out.text(key!("policy_digest"), self.policy_digest);
        out.word(key!("mode"), self.mode);
        out.some(key!("verdict"), self.verdict.map(VerdictWord::as_str), Members::word);
        out.some(key!("reason"), self.reason, Members::word);
        out.some(key!("at"), self.at.as_deref(), Members::text);
        out.some(key!("rule"), self.rule.as_ref().map(RuleText::as_str), Members::text);
        out.some(key!("line"), self.line.as_ref(), |out, key, origin| out.place(key, &origin.0));
    }

    fn outcome(&self, out: &mut Members<'_>) {
        out.some(key!("status"), self.status, Members::number);
        out.number(key!("bytes_in"), self.bytes_in);
        out.number(key!("bytes_out"), self.bytes_out);
        out.number(key!("duration_us"), self.duration_us);
        out.some(key!("upstream_us"), self.upstream_us, Members::number);
        out.some(key!("ended"), self.ended.map(Ended::as_str), Members::word);
        out.some(key!("truncated"), self.truncated.then_some(&true), Members::value);
    }

    /// Names another policy.
    pub(super) fn of_policy(&mut self, policy: &'a Policy) {
        self.policy = &policy.name;
        self.policy_digest = &policy.digest;
        self.mode = policy.mode.as_str();
    }

    /// Drops what can be long; a line has an end.
    pub(super) fn truncate(&mut self) {
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

#[cfg(test)]
fn members_of<S: Serializer>(members: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&format!("{{{}}}", members.trim_start_matches(','))).map_err(serde::ser::Error::custom)?;
    object.serialize(serializer)
}

/// That credentials for a registry came along, and for which one: never what they are.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RegistryAuth {
    pub present: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// The body, as it goes to the engine.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct BodyNote {
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Json>,
}

/// When the request began: UTC, RFC 3339, microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub jiff::Timestamp);

#[cfg(test)]
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

/// A value that stands in the record as it is displayed, without a text of its own.
#[derive(Debug, Clone)]
pub(super) struct Written<T>(pub T);

#[cfg(test)]
impl<T: std::fmt::Display> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The rule that decided, as written in the configuration.
#[derive(Debug, Clone)]
pub(super) enum RuleText {
    /// The policy's own.
    Shared(Arc<Rule>),
    /// That of a denial.
    Own(String),
}

impl RuleText {
    fn as_str(&self) -> &str {
        match self {
            Self::Shared(rule) => &rule.text,
            Self::Own(text) => text,
        }
    }
}

#[cfg(test)]
impl Serialize for RuleText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A value of our own JSON type.
#[derive(Debug, Clone)]
pub(super) struct Json(pub Value);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        value(&self.0, serializer)
    }
}

struct Borrowed<'v>(&'v Value);

impl Serialize for Borrowed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        value(self.0, serializer)
    }
}

fn value<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Value::Null => serializer.serialize_unit(),
        Value::Bool(value) => serializer.serialize_bool(*value),
        Value::Number(digits) => match (digits.parse::<i64>(), digits.parse::<u64>()) {
            (Ok(number), _) => serializer.serialize_i64(number),
            (Err(_), Ok(number)) => serializer.serialize_u64(number),
            (Err(_), Err(_)) => serializer.serialize_str(digits),
        },
        Value::Text(text) => serializer.serialize_str(text),
        Value::List(items) => {
            let mut list = serializer.serialize_seq(Some(items.len()))?;
            items.iter().try_for_each(|item| list.serialize_element(&Borrowed(item)))?;
            list.end()
        }
        Value::Object(members) => {
            let mut map = serializer.serialize_map(Some(members.len()))?;
            members.iter().try_for_each(|(name, member)| map.serialize_entry(name.as_ref(), &Borrowed(member)))?;
            map.end()
        }
    }
}
