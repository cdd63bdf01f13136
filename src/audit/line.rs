//! A record as it is written: every member of one line of the trail, in order.
//! Knows nothing of where the values come from, nor of the members that the writer puts before them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use ulid::Ulid;

use super::members::Members;
use super::moment;
use super::words::{Ended, Stage, VerdictWord};
use crate::docker::{ApiVersion, Value};
use crate::policy::rule::{Origin, Rule};
use crate::policy::{Policy, Subject};

/// Text that is borrowed where nothing in it had to be changed.
pub(super) type Text<'a> = Cow<'a, str>;

/// All members but `schema`, `sequence` and `previous`. `docs/audit.schema.json` describes each.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct Line<'a> {
    pub id: String,
    pub stage: Stage,
    pub time: Time,
    pub boottime_us: u64,
    pub host: &'a str,
    pub door: &'a str,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub uid: Option<u32>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub gid: Option<u32>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub pid: Option<i32>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub exe: Option<Text<'a>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub client_container: Option<&'a str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub tls_subject: Option<Text<'a>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub address: Option<Written<std::net::SocketAddr>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub user_agent: Option<Text<'a>>,
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
    pub(super) fn new(subject: &'a Subject, policy: &'a Policy) -> Self {
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

    /// Writes the members as one JSON object, in their order; what is absent is left out.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut out = Members::begin(out);
        self.who(&mut out);
        self.what(&mut out);
        self.verdict(&mut out);
        self.outcome(&mut out);
        out.end();
    }

    fn who(&self, out: &mut Members<'_>) {
        out.text("id", &self.id);
        out.text("stage", self.stage.as_str());
        out.shown("time", &format_args!("{:.6}", self.time.0));
        out.number("boottime_us", self.boottime_us);
        out.text("host", self.host);
        out.text("door", self.door);
        out.some("uid", self.uid.map(u64::from), Members::number);
        out.some("gid", self.gid.map(u64::from), Members::number);
        out.some("pid", self.pid, |out, name, pid| out.value(name, &pid));
        out.some("exe", self.exe.as_deref(), Members::text);
        out.some("client_container", self.client_container, Members::text);
        out.some("tls_subject", self.tls_subject.as_deref(), Members::text);
        out.some("address", self.address.as_ref(), |out, name, address| out.shown(name, &address.0));
        out.some("user_agent", self.user_agent.as_deref(), Members::text);
    }

    fn what(&self, out: &mut Members<'_>) {
        out.some("operation", self.operation, Members::text);
        out.some("method", self.method, Members::text);
        out.some("path", self.path.as_deref(), Members::text);
        out.some("api_version", self.api_version.as_ref(), |out, name, version| out.shown(name, &version.0));
        out.list("query", &self.query);
        out.list("names", &self.names);
        out.some("image", self.image.as_deref(), Members::text);
        out.some("registry_auth", self.registry_auth.as_ref(), Members::value);
        out.some("body", self.body.as_ref(), Members::value);
        out.some("resource_id", self.resource_id.as_deref(), Members::text);
        out.list("redacted", &self.redacted);
        out.list("dropped", &self.dropped);
        out.list("injected", &self.injected);
        out.list("warnings", &self.warnings);
        out.list("checks", &self.checks);
    }

    fn verdict(&self, out: &mut Members<'_>) {
        out.some("client", self.client.as_ref(), |out, name, origin| out.shown(name, &origin.0));
        out.text("policy", self.policy);
        out.text("policy_digest", self.policy_digest);
        out.text("mode", self.mode);
        out.some("verdict", self.verdict.map(VerdictWord::as_str), Members::text);
        out.some("reason", self.reason, Members::text);
        out.some("at", self.at.as_deref(), Members::text);
        out.some("rule", self.rule.as_ref().map(RuleText::as_str), Members::text);
        out.some("line", self.line.as_ref(), |out, name, origin| out.shown(name, &origin.0));
    }

    fn outcome(&self, out: &mut Members<'_>) {
        out.some("status", self.status.map(u64::from), Members::number);
        out.number("bytes_in", self.bytes_in);
        out.number("bytes_out", self.bytes_out);
        out.number("duration_us", self.duration_us);
        out.some("upstream_us", self.upstream_us, Members::number);
        out.some("ended", self.ended.map(Ended::as_str), Members::text);
        out.some("truncated", self.truncated.then_some(&true), Members::value);
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
