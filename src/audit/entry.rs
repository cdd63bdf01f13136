//! What a line of the trail says, for those who read it.
//! Knows nothing of files, and is laxer than the writer: members of other versions do not stop a reader.

use serde::Deserialize;
use serde_json::Value;

/// What stands in a line. Members that a reader of an older or newer dockgate does not know are left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The version of the schema.
    pub schema: u32,
    /// The place in the trail, from 1.
    pub sequence: u64,
    /// The digest of the line before, in hex.
    pub previous: String,
    /// The id of the request or event.
    pub id: String,
    /// `single`, `intent`, `start`, `outcome`, `end` or `event`.
    pub stage: String,
    /// When it began, RFC 3339.
    pub time: String,
    /// Microseconds since the machine booted.
    pub boottime_us: Option<u64>,
    /// The name of an event.
    pub event: Option<String>,
    /// What the event says.
    pub detail: Option<Value>,
    /// The denials that this one stands for.
    pub folded: Option<Folded>,
    /// The machine.
    pub host: Option<String>,
    /// The door's URL.
    pub door: Option<String>,
    /// The peer's user id.
    pub uid: Option<u32>,
    /// The peer's group id.
    pub gid: Option<u32>,
    /// The peer's process.
    pub pid: Option<i64>,
    /// The peer's program.
    pub exe: Option<String>,
    /// The container that the peer runs in.
    pub client_container: Option<String>,
    /// The name in the peer's certificate.
    pub tls_subject: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The operation id.
    pub operation: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The canonical path.
    pub path: Option<String>,
    /// The version in the path.
    pub api_version: Option<String>,
    /// The query, `name=value`.
    pub query: Option<Vec<String>>,
    /// Names of objects.
    pub names: Option<Vec<String>>,
    /// The image.
    pub image: Option<String>,
    /// That registry credentials came along, and for which server.
    pub registry_auth: Option<Value>,
    /// Size and digest of the body, and what matters of it.
    pub body: Option<Body>,
    /// What the engine called the object that it made.
    pub resource_id: Option<String>,
    /// Where something was left out or replaced by a keyed digest.
    pub redacted: Option<Vec<String>>,
    /// What was not forwarded.
    pub dropped: Option<Vec<String>>,
    /// What the policy set.
    pub injected: Option<Vec<String>>,
    /// What was allowed with a warning.
    pub warnings: Option<Vec<String>>,
    /// The checks that spoke, and those that the policy switches.
    pub checks: Option<Vec<String>>,
    /// Where the client entry stands that chose the policy.
    pub client: Option<String>,
    /// The policy of the client or door.
    pub policy: Option<String>,
    /// The digest of the policy.
    pub policy_digest: Option<String>,
    /// The policy's mode.
    pub mode: Option<String>,
    /// `allow`, `deny`, `would-deny` or `refuse`.
    pub verdict: Option<String>,
    /// The reason's code.
    pub reason: Option<String>,
    /// Where the reason is.
    pub at: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Where the rule stands.
    pub line: Option<String>,
    /// The status that the client got.
    pub status: Option<u16>,
    /// Bytes from the client.
    pub bytes_in: Option<u64>,
    /// Bytes to the client.
    pub bytes_out: Option<u64>,
    /// Until this record was made.
    pub duration_us: Option<u64>,
    /// Until the engine's head came.
    pub upstream_us: Option<u64>,
    /// How it ended.
    pub ended: Option<String>,
    /// True where the record was cut.
    pub truncated: Option<bool>,
}

/// What a record says of a body.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Body {
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Option<String>,
    /// Its keyed digest, where it holds a secret.
    pub hmac: Option<String>,
    /// What matters of it.
    pub summary: Option<Value>,
}

/// Identical denials in one record.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Folded {
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first: String,
    /// When the last came.
    pub last: String,
    /// Their ids.
    pub refs: Vec<String>,
}

impl Entry {
    /// The entry of a line.
    ///
    /// # Errors
    /// When the line is no JSON object, or lacks what every record begins with.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        let entry: Self = serde_json::from_slice(line)?;
        let missing = |name| Err(serde::de::Error::custom(format_args!("there is no `{name}`")));
        match &entry {
            Self { schema: 0, .. } => missing("schema"),
            Self { stage, .. } if stage.is_empty() => missing("stage"),
            Self { id, .. } if id.is_empty() => missing("id"),
            Self { .. } => Ok(entry),
        }
    }

    /// The moment of `time`.
    pub fn moment(&self) -> Option<jiff::Timestamp> {
        self.time.parse().ok()
    }

    /// True where the id is this record's or that of a denial that it stands for.
    pub fn is_about(&self, id: &str) -> bool {
        self.id == id || self.folded.as_ref().is_some_and(|folded| folded.refs.iter().any(|reference| reference == id))
    }

    /// A member of the event's detail.
    pub fn detail(&self, name: &str) -> Option<&Value> {
        self.detail.as_ref().and_then(|detail| detail.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_members_that_it_knows_and_leaves_out_others() {
        let line = br#"{"schema":1,"sequence":7,"previous":"00","id":"A","stage":"single","time":"2026-11-21T20:31:07.482913Z","uid":0,
            "status":403,"folded":{"count":3,"first":"a","last":"b","refs":["B","C"]},"new":{"x":[1]},"query":["all"],
            "boottime_us":5,"exe":"/bin/x","client_container":"0a","tls_subject":"CN=x","body":{"bytes":2,"summary":{"image":"x"}}}"#;
        let entry = Entry::parse(line).unwrap();
        assert_eq!((entry.sequence, entry.uid, entry.status, entry.moment().is_some()), (7, Some(0), Some(403), true));
        assert_eq!((entry.boottime_us, entry.exe.as_deref(), entry.client_container.as_deref()), (Some(5), Some("/bin/x"), Some("0a")));
        assert_eq!((entry.tls_subject.as_deref(), entry.body.as_ref().map(|body| body.bytes)), (Some("CN=x"), Some(2)));
        assert!(entry.is_about("A") && entry.is_about("C") && !entry.is_about("D"));
        let event = Entry::parse(br#"{"schema":1,"id":"A","stage":"event","event":"open","detail":{"file":3}}"#).unwrap();
        assert_eq!(event.detail("file").and_then(Value::as_u64), Some(3));
    }
}
