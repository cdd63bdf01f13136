//! The table from which all three formats are written: what of a call goes where. `docs/audit-formats.md` shows it.
//! Knows nothing of what every event of a format holds anyhow.

use serde_json::Value;

use super::super::record::Call;
use super::super::{line, tally};

/// One row: what it is, how it is taken from a call, and its places; empty where a format has none.
pub struct Field {
    /// Members of the record, for the page.
    pub member: &'static str,
    /// The value.
    pub get: fn(&Call) -> Option<Value>,
    /// The path in OCSF.
    pub ocsf: &'static str,
    /// The path in ECS.
    pub ecs: &'static str,
    /// The key of CEF's extension.
    pub cef: &'static str,
}

/// Keys of CEF that have no meaning of their own, and what they hold here.
pub const CEF_LABELS: [(&str, &str); 9] = [
    ("cs1", "rule"),
    ("cs2", "policy"),
    ("cs3", "door"),
    ("cs4", "objects"),
    ("cs5", "image"),
    ("cs6", "how it ended"),
    ("cn1", "status"),
    ("cn2", "calls folded"),
    ("cn3", "duration in microseconds"),
];

macro_rules! fields {
    ($($member:literal $get:expr => $ocsf:literal, $ecs:literal, $cef:literal;)*) => {
        &[$(Field { member: $member, get: $get, ocsf: $ocsf, ecs: $ecs, cef: $cef },)*]
    };
}

/// Every row.
pub const FIELDS: &[Field] = fields! {
    "`id`" |call| text(call, "id") => "metadata.uid", "event.id", "externalId";
    "`id`" |call| text(call, "id") => "api.request.uid", "http.request.id", "";
    "`time` of the first record" time => "metadata.original_time", "@timestamp", "";
    "`time`, ms since 1970" millis => "time", "", "rt";
    "`time`, ms since 1970" millis => "start_time", "", "start";
    "`time` of the first record" time => "", "event.start", "";
    "`time` + `duration_us`, ms" end_millis => "end_time", "", "end";
    "`time` + `duration_us`" end => "", "event.end", "";
    "`duration_us`, ms" |call| scaled(call, 1, 1000) => "duration", "", "";
    "`duration_us`, ns" |call| scaled(call, 1000, 1) => "", "event.duration", "";
    "`duration_us`" |call| scaled(call, 1, 1) => "", "", "cn3";
    "`sequence` of the last record" |call| member(call, "sequence") => "metadata.sequence", "event.sequence", "";
    "`host`" |call| text(call, "host") => "device.hostname", "host.name", "dvchost";
    "`door`" |call| text(call, "door") => "dst_endpoint.name", "dockgate.door", "cs3";
    "`uid`" uid => "actor.user.uid", "user.id", "suid";
    "`gid`" |call| number_text(call, "gid") => "actor.user.groups.0.uid", "user.group.id", "";
    "`tls_subject`" |call| text(call, "tls_subject") => "actor.user.name", "tls.client.subject", "suser";
    "`pid`" |call| member(call, "pid") => "actor.process.pid", "process.pid", "spid";
    "`exe`" |call| text(call, "exe") => "actor.process.file.path", "process.executable", "sproc";
    "`exe`, its name" executable => "actor.process.file.name", "process.name", "";
    "`client_container`" |call| text(call, "client_container") => "actor.process.container.uid", "container.id", "";
    "door and client in words" |call| Some(tally::client(call).into()) => "src_endpoint.name", "dockgate.client", "";
    "`address`, its IP" ip => "src_endpoint.ip", "source.ip", "src";
    "`address`, its port" port => "src_endpoint.port", "source.port", "spt";
    "`user_agent`" |call| text(call, "user_agent") => "http_request.user_agent", "user_agent.original", "requestClientApplication";
    "`method`" |call| text(call, "method") => "http_request.http_method", "http.request.method", "requestMethod";
    "`path`" |call| text(call, "path") => "http_request.url.path", "url.path", "request";
    "`operation`" |call| text(call, "operation") => "api.operation", "event.action", "";
    "`names`" |call| member(call, "names") => "", "dockgate.names", "cs4";
    "`image`" |call| text(call, "image") => "", "dockgate.image", "cs5";
    "`query`" |call| member(call, "query") => "unmapped.query", "dockgate.query", "";
    "`api_version`" |call| text(call, "api_version") => "api.version", "dockgate.api_version", "";
    "`body`" |call| member(call, "body") => "unmapped.body", "dockgate.body", "";
    "`registry_auth`" |call| member(call, "registry_auth") => "unmapped.registry_auth", "dockgate.registry_auth", "";
    "`dropped`" |call| member(call, "dropped") => "unmapped.dropped", "dockgate.dropped", "";
    "`injected`" |call| member(call, "injected") => "unmapped.injected", "dockgate.injected", "";
    "`warnings`" |call| member(call, "warnings") => "unmapped.warnings", "dockgate.warnings", "";
    "`redacted`" |call| member(call, "redacted") => "unmapped.redacted", "dockgate.redacted", "";
    "`client`" |call| text(call, "client") => "unmapped.client_entry", "dockgate.client_entry", "";
    "`policy`" |call| text(call, "policy") => "policy.name", "rule.ruleset", "cs2";
    "`policy_digest`" |call| text(call, "policy_digest") => "policy.uid", "dockgate.policy_digest", "";
    "`mode`" |call| text(call, "mode") => "unmapped.mode", "dockgate.mode", "";
    "`rule`" |call| text(call, "rule") => "firewall_rule.name", "rule.name", "cs1";
    "`line`" |call| text(call, "line") => "firewall_rule.uid", "rule.id", "";
    "`verdict`" |call| text(call, "verdict") => "unmapped.verdict", "dockgate.verdict", "act";
    "`reason`" |call| text(call, "reason") => "status_code", "event.reason", "reason";
    "`reason` and `at`" reason => "status_detail", "error.message", "msg";
    "`status`" |call| member(call, "status") => "http_response.code", "http.response.status_code", "cn1";
    "`status`" |call| member(call, "status") => "api.response.code", "", "";
    "`error`" |call| text(call, "error") => "api.response.message", "dockgate.engine_error", "";
    "`resource_id`" |call| text(call, "resource_id") => "", "dockgate.resource_id", "";
    "`checks`" |call| member(call, "checks") => "unmapped.checks", "dockgate.checks", "";
    "`boottime_us` of the last record" |call| member(call, "boottime_us") => "unmapped.boottime_us", "dockgate.boottime_us", "";
    "`bytes_in`" |call| member(call, "bytes_in") => "http_request.length", "http.request.body.bytes", "in";
    "`bytes_out`" |call| member(call, "bytes_out") => "http_response.length", "http.response.body.bytes", "out";
    "`ended`" |call| text(call, "ended") => "unmapped.ended", "dockgate.ended", "cs6";
    "`folded.count`" folded => "count", "dockgate.folded", "cn2";
    "`event`" |call| text(call, "event") => "unmapped.event", "dockgate.event", "";
    "`detail`" |call| member(call, "detail") => "unmapped.detail", "dockgate.detail", "";
};

fn text(call: &Call, name: &str) -> Option<Value> {
    call.text(&[name]).map(Value::from)
}

fn member(call: &Call, name: &str) -> Option<Value> {
    call.get(&[name]).cloned()
}

fn number_text(call: &Call, name: &str) -> Option<Value> {
    call.number(&[name]).map(|number| number.to_string().into())
}

fn uid(call: &Call) -> Option<Value> {
    number_text(call, "uid")
}

fn executable(call: &Call) -> Option<Value> {
    call.text(&["exe"])?.rsplit('/').next().map(Value::from)
}

fn time(call: &Call) -> Option<Value> {
    call.time().map(|time| time.to_string().into())
}

fn millis(call: &Call) -> Option<Value> {
    call.time().map(|time| time.as_millisecond().into())
}

fn ended(call: &Call) -> Option<jiff::Timestamp> {
    let took = i64::try_from(call.duration_us()?).ok()?;
    call.time()?.checked_add(jiff::SignedDuration::from_micros(took)).ok()
}

fn end(call: &Call) -> Option<Value> {
    ended(call).map(|time| time.to_string().into())
}

fn end_millis(call: &Call) -> Option<Value> {
    ended(call).map(|time| time.as_millisecond().into())
}

fn scaled(call: &Call, times: u64, by: u64) -> Option<Value> {
    call.duration_us().and_then(|us| us.checked_mul(times)).map(|number| (number / by).into())
}

fn ip(call: &Call) -> Option<Value> {
    let address = call.text(&["address"])?;
    let ip = address.parse::<std::net::SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse());
    ip.ok().map(|ip| ip.to_string().into())
}

fn port(call: &Call) -> Option<Value> {
    call.text(&["address"])?.parse::<std::net::SocketAddr>().ok().map(|address| address.port().into())
}

fn reason(call: &Call) -> Option<Value> {
    let parts = [call.reason(), call.text(&["at"])];
    let text = parts.into_iter().flatten().map(line::visible).collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| text.into())
}

fn folded(call: &Call) -> Option<Value> {
    call.number(&["folded.count"]).map(Value::from)
}

/// Puts a value at a dotted path; a part that is a number means a place in a list.
pub fn put(target: &mut Value, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        return slot(target, path, |slot| *slot = value);
    };
    slot(target, first, |slot| put(slot, rest, value));
}

fn slot(target: &mut Value, name: &str, fill: impl FnOnce(&mut Value)) {
    if let Ok(at) = name.parse::<usize>() {
        if !target.is_array() {
            *target = Value::Array(Vec::new());
        }
        let Some(list) = target.as_array_mut() else { return };
        while list.len() <= at {
            list.push(Value::Null);
        }
        list.get_mut(at).into_iter().for_each(fill_once(fill));
        return;
    }
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Some(members) = target.as_object_mut() {
        fill(members.entry(name).or_insert(Value::Null));
    }
}

fn fill_once<'v>(fill: impl FnOnce(&mut Value) + 'v) -> impl FnMut(&mut Value) + 'v {
    let mut fill = Some(fill);
    move |value| {
        if let Some(fill) = fill.take() {
            fill(value);
        }
    }
}
