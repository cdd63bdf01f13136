//! `dockgate explain AUDIT-ID`: what happened to a call that is on the trail, and why.
//! Knows nothing of the configuration of today, and judges nothing anew.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::docker::{Fault, FaultKind};
use crate::policy::{Act, Denial, Reason};
use crate::proxy::handshake::HandshakeFault;

use super::super::audit::{Call, Step, find, plain, short, shown_duration, visible};
use super::super::say::{self, Failure, Paint};
use super::super::{Outcome, load};
use super::build::{Failed, failed, failed_fault};

/// Where the trail is looked for when nobody says where it is.
const PLACES: [&str; 2] = ["audit.jsonl", "/var/log/dockgate/audit.jsonl"];
/// Letters of a ULID.
const ID: usize = 26;

/// True for what can only be an id of the trail.
pub fn is_id(word: &str) -> bool {
    word.len() == ID && word.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Explains a call of the trail.
pub fn run(id: &str, audit: Option<&str>, configuration: Option<&str>, as_json: bool) -> Outcome {
    let file = trail(audit, configuration)?;
    let (call, skipped) = find(&file, id)?;
    let Some(call) = call else {
        return Err(Failure::refused(format!("there is no record `{}` in `{file}` and its rotated files", visible(id)))
            .hint("name another trail with --audit FILE"));
    };
    let past = Past::of(&call);
    if as_json {
        say::out(serde_json::to_string_pretty(&past.json(&call)).unwrap_or_default());
    } else {
        say::out(past.text(&call, id, Paint::stdout()).trim_end());
    }
    let _warned = skipped.code();
    Ok(if past.failed.iter().any(|failed| failed.act != "would-deny") { say::REFUSED } else { 0 })
}

/// The flag, else the file that the configuration names, else where it usually is.
fn trail(audit: Option<&str>, configuration: Option<&str>) -> Result<String, Failure> {
    if let Some(file) = audit {
        return Ok(file.to_owned());
    }
    if let Some(file) = configuration {
        let config = load::to_judge(file)?;
        let nowhere = || Failure::usage(format!("`{file}` names no file for the trail")).hint("name it with --audit FILE");
        return config.audit.file.map(|path| path.display().to_string()).ok_or_else(nowhere);
    }
    let found = PLACES.into_iter().find(|place| std::path::Path::new(place).is_file());
    let nowhere =
        || Failure::usage(format!("there is no trail at {}", PLACES.join(" or "))).hint("name it with --audit FILE or --config FILE");
    found.map(str::to_owned).ok_or_else(nowhere)
}

/// What a record comes to.
struct Past {
    failed: Vec<Failed>,
    warned: Vec<Failed>,
}

impl Past {
    fn of(call: &Call) -> Self {
        let (code, at) = (call.reason().unwrap_or_default(), call.text(&["at"]).unwrap_or_default());
        let mut failed: Vec<Failed> = (call.verdict() != "allow").then(|| reason(call, code, at)).flatten().into_iter().collect();
        if call.verdict() == "would-deny" {
            failed.iter_mut().for_each(|failed| failed.act = "would-deny");
        }
        let warned = call.texts(&["warnings"]).into_iter().filter_map(|warning| {
            let (code, at) = warning.split_once(' ').unwrap_or((warning, ""));
            Some(super::build::failed(&denial(call, Reason::of_check(code)?, at), Act::Warn))
        });
        Self { failed, warned: warned.collect() }
    }

    fn text(&self, call: &Call, id: &str, paint: Paint) -> String {
        let mut out = String::new();
        if let Some((name, detail)) = call.event() {
            let _ = writeln!(out, "{} {}", paint.blue("EVENT"), paint.bold(&visible(name)));
            lines(&[("time", time(call)), ("detail", detail), ("record", places(call))], paint, &mut out);
            return out;
        }
        let request = visible(&call.request());
        let _ = writeln!(out, "{} {}", verdict(call, paint), paint.bold(if request.is_empty() { "(no request)" } else { &request }));
        lines(&who(call, id), paint, &mut out);
        lines(&what(call), paint, &mut out);
        for (mark, failed) in self.marked(paint) {
            check(&mark, failed, &mut out);
        }
        for label in ["dropped", "injected", "redacted"] {
            lines(&[(label, call.texts(&[label]).join(", "))], paint, &mut out);
        }
        lines(&ending(call), paint, &mut out);
        out
    }

    fn marked(&self, paint: Paint) -> impl Iterator<Item = (String, &Failed)> {
        let failed = self.failed.iter().map(move |one| (paint.red("✗"), one));
        failed.chain(self.warned.iter().map(move |one| (paint.yellow("⚠"), one)))
    }

    fn json(&self, call: &Call) -> Value {
        let failed = |failed: &Failed| json!({ "reason": failed.code, "act": failed.act, "cis": failed.cis, "at": failed.at, "message": failed.sentence, "advice": failed.advice });
        let record = |raw: &str| serde_json::from_str::<Value>(raw).unwrap_or_default();
        json!({
            "verdict": call.verdict(),
            "request": call.request(),
            "failed": self.failed.iter().map(failed).collect::<Vec<_>>(),
            "warnings": self.warned.iter().map(failed).collect::<Vec<_>>(),
            "records": call.records.iter().map(|one| json!({ "file": *one.file, "line": one.line, "record": record(&one.raw) })).collect::<Vec<_>>(),
        })
    }
}

/// The check or fault behind a reason code; a code of another dockgate has no advice here.
fn reason(call: &Call, code: &str, at: &str) -> Option<Failed> {
    if let Some(reason) = Reason::ALL.iter().copied().find(|reason| reason.code() == code) {
        return Some(failed(&denial(call, reason, at), Act::Deny));
    }
    if let Some(kind) = FaultKind::ALL.iter().copied().find(|kind| kind.code() == code) {
        return Some(failed_fault(&Fault::new(kind, at)));
    }
    if let Some(fault) = HandshakeFault::ALL.iter().find(|fault| fault.code() == code) {
        let (sentence, advice) = fault.said();
        return Some(Failed {
            code: fault.code(),
            act: "refuse",
            cis: None,
            at: at.to_owned(),
            sentence: sentence.to_owned(),
            advice: advice.to_owned(),
        });
    }
    let (_, code, sentence, advice) = OTHERS.into_iter().map(|other| (other.0 == code, other.0, other.1, other.2)).find(|other| other.0)?;
    Some(Failed { code, act: "refuse", cis: None, at: at.to_owned(), sentence: sentence.to_owned(), advice: advice.to_owned() })
}

/// Reasons that are neither the policy's nor the request's.
const OTHERS: [(&str, &str, &str); 8] = [
    ("no-upstream", "the engine could not be reached", "see whether the engine runs, and whether `[upstream] url` is right"),
    (
        "trail",
        "the trail could not be written, so nothing was changed",
        "see the events `failing` and `gap` of the trail: the disk may be full",
    ),
    ("overload", "there were too many connections", "raise the limits of connections in `[limits]`, or find the client that opens so many"),
    (
        "door-connections",
        "there were too many connections on this door",
        "raise `connections` in the door's `[door.limits]`, or find the client that opens so many",
    ),
    (
        "request-rate",
        "there were too many requests a second on this door",
        "raise `requests-per-second` in the door's `[door.limits]`, or find the client that asks so often",
    ),
    (
        "concurrent-changes",
        "too many changes were under way at once on this door",
        "raise `changes` in the door's `[door.limits]`, or have clients wait for one another",
    ),
    ("client-gone", "the client closed the connection", ""),
    ("engine-answer", "the engine itself answered the look-up of the object, and that was relayed", ""),
];

fn denial(call: &Call, reason: Reason, at: &str) -> Denial {
    Denial { reason, at: at.to_owned(), policy: call.text(&["policy"]).unwrap_or_default().to_owned(), rule: None, absolute: false }
}

fn verdict(call: &Call, paint: Paint) -> String {
    match call.verdict() {
        "allow" => paint.green("ALLOWED"),
        "would-deny" => paint.yellow("WOULD HAVE DENIED"),
        "deny" => paint.red("DENIED"),
        _ => paint.red("REFUSED"),
    }
}

fn time(call: &Call) -> String {
    call.text(&["time"]).unwrap_or_default().to_owned()
}

/// Who asked, when and where.
fn who(call: &Call, id: &str) -> Vec<(&'static str, String)> {
    let numbers = [("uid", "uid"), ("gid", "gid"), ("pid", "pid")];
    let numbers = numbers.into_iter().filter_map(|(label, name)| Some(format!("{label} {}", call.number(&[name])?)));
    let texts = [("exe", ""), ("client_container", "container "), ("tls_subject", "certificate "), ("address", "")];
    let texts = texts.into_iter().filter_map(|(name, label)| Some(format!("{label}{}", short(call.text(&[name])?))));
    let client: Vec<String> = numbers.chain(texts).collect();
    let folded = (call.weight() > 1).then(|| {
        let text = |name: &'static str| call.text(&[name]).unwrap_or("?").to_owned();
        let one = if call.id().eq_ignore_ascii_case(id) { "this and others like it" } else { "one of several that are alike" };
        format!("{one}: {} times from {} to {}, record {}", call.weight(), text("folded.first"), text("folded.last"), call.id())
    });
    vec![
        ("id", id.to_owned()),
        ("time", time(call)),
        ("folded", folded.unwrap_or_default()),
        ("door", call.text(&["door"]).unwrap_or_default().to_owned()),
        ("client", if client.is_empty() { "unknown".to_owned() } else { client.join(", ") }),
        ("agent", call.text(&["user_agent"]).unwrap_or_default().to_owned()),
    ]
}

/// What was asked, and by which rule it was decided.
fn what(call: &Call) -> Vec<(&'static str, String)> {
    let entry = call.text(&["client"]).map(|entry| format!(", by the client entry at {entry}")).unwrap_or_default();
    let policy = call.text(&["policy"]).map(|policy| format!("`{policy}`, mode {}{entry}", call.text(&["mode"]).unwrap_or("?")));
    let operation = call.known_operation().map(|operation| format!("{}: {}", operation.name(), operation.row().risk));
    let operation = operation.or_else(|| call.operation().map(str::to_owned));
    let place = call.text(&["line"]).map(|line| format!(" ({line})")).unwrap_or_default();
    let rule = match (call.text(&["rule"]), call.reason()) {
        (Some(rule), _) => format!("`{rule}`{place}"),
        (None, Some("not-allowed")) => "none allows this operation".to_owned(),
        (None, _) => String::new(),
    };
    let summary = call.get(&["body.summary"]).and_then(Value::as_object);
    let summary = summary.map(|parts| parts.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" "));
    vec![
        ("policy", policy.unwrap_or_default()),
        ("operation", operation.unwrap_or_default()),
        ("rule", rule),
        ("objects", call.texts(&["names"]).into_iter().map(short).collect::<Vec<_>>().join(", ")),
        ("image", call.text(&["image"]).unwrap_or_default().to_owned()),
        ("body", summary.unwrap_or_default()),
    ]
}

/// What came of it, and where the records stand.
fn ending(call: &Call) -> Vec<(&'static str, String)> {
    let took = call.duration_us().map(|us| format!(" after {}", shown_duration(us))).unwrap_or_default();
    let status = call.status().map(|status| format!("status {status}"));
    let ended = call.text(&["ended"]).map(|ended| format!("{ended}{took}"));
    let reply: Vec<String> = [status, ended].into_iter().flatten().collect();
    let reply =
        if call.is_open() { "there is no outcome: it still runs, or dockgate stopped before its end".to_owned() } else { reply.join(", ") };
    vec![
        ("engine", call.text(&["error"]).unwrap_or_default().to_owned()),
        ("made", call.text(&["resource_id"]).unwrap_or_default().to_owned()),
        ("ended", reply),
        ("records", places(call)),
    ]
}

fn places(call: &Call) -> String {
    let step = |step: Step| match step {
        Step::Single => "whole",
        Step::Intent => "intent",
        Step::Start => "start",
        Step::Last => "end",
        Step::Event => "event",
    };
    call.records.iter().map(|record| format!("{} {}:{}", step(record.step()), record.file, record.line)).collect::<Vec<_>>().join(", ")
}

/// Lines with a label; what is empty is left out.
fn lines(lines: &[(&str, String)], paint: Paint, out: &mut String) {
    for (label, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
        let _ = writeln!(out, "  {} {}", paint.blue(&format!("{label:<9}")), visible(text));
    }
}

fn check(mark: &str, Failed { code, act, cis, at, sentence, advice }: &Failed, out: &mut String) {
    let place = if at.is_empty() { String::new() } else { format!(" {}:", visible(at)) };
    let guide = cis.map(|cis| format!(" (CIS {cis})")).unwrap_or_default();
    let _ = writeln!(out, "  {mark} {act:<6} {code}{place} {sentence}{guide}");
    if !advice.is_empty() {
        let _ = writeln!(out, "           {}", visible(advice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(lines: &[Value], id: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let (call, _) = find(file.to_str().unwrap(), id).unwrap();
        let call = call.unwrap();
        let past = Past::of(&call);
        assert_eq!(past.json(&call)["records"].as_array().unwrap().len(), call.records.len());
        past.text(&call, id, Paint::PLAIN).replace(folder.path().to_str().unwrap(), "")
    }

    fn denied() -> Value {
        json!({ "stage": "single", "time": "2026-11-21T20:31:07.482913Z", "id": "01J", "door": "unix:///run/ci.sock", "uid": 1000, "pid": 42,
            "exe": "/usr/bin/docker", "operation": "ContainerCreate", "method": "POST", "path": "/v1.52/containers/create", "names": ["web"],
            "image": "nginx", "policy": "ci", "mode": "enforce", "verdict": "deny", "reason": "privileged", "at": "HostConfig.Privileged", "status": 403,
            "duration_us": 420, "ended": "refused", "warnings": ["memory-limit HostConfig.Memory"],
            "folded": { "count": 3, "first": "2026-11-21T20:31:07Z", "last": "2026-11-21T20:31:08Z", "refs": ["01K", "01L"] } })
    }

    #[test]
    fn explains_a_denial_by_any_id_that_is_folded_into_its_record() {
        let text = explained(&[denied()], "01k");
        for part in [
            "DENIED POST /v1.52/containers/create\n  id        01k\n  time      2026-11-21T20:31:07.482913Z\n",
            "  folded    one of several that are alike: 3 times from 2026-11-21T20:31:07Z to 2026-11-21T20:31:08Z, record 01J\n",
            "  client    uid 1000, pid 42, /usr/bin/docker\n  policy    `ci`, mode enforce\n",
            "  objects   web\n  image     nginx\n  ✗ deny   privileged HostConfig.Privileged: ",
            "  ⚠ warn   memory-limit HostConfig.Memory: ",
            "  ended     status 403, refused after 0.4 ms\n  records   whole /audit.jsonl:1\n",
        ] {
            assert!(text.contains(part), "{part}\n--- is not in\n{text}");
        }
        assert!(explained(&[denied()], "01J").contains("folded    this and others like it: 3 times"));
    }

    #[test]
    fn explains_a_change_with_its_outcome_and_one_without() {
        let begun = json!({ "stage": "intent", "time": "2026-11-21T20:31:07Z", "id": "01J", "operation": "ContainerStart", "method": "POST",
            "path": "/containers/web/start", "verdict": "allow", "rule": "@lifecycle", "line": "dockgate.toml:9" });
        let ended = json!({ "stage": "outcome", "time": "2026-11-21T20:31:08Z", "id": "01J", "status": 204, "duration_us": 43000, "ended": "complete" });
        let text = explained(&[begun.clone(), ended], "01J");
        assert!(
            text.starts_with("ALLOWED POST /containers/web/start\n") && text.contains("rule      `@lifecycle` (dockgate.toml:9)\n"),
            "{text}"
        );
        assert!(
            text.contains("ended     status 204, complete after 43 ms\n  records   intent /audit.jsonl:1, end /audit.jsonl:2\n"),
            "{text}"
        );
        assert!(explained(&[begun], "01J").contains("ended     there is no outcome"));
    }

    #[test]
    fn explains_faults_and_what_is_neither_the_clients_nor_the_policys() {
        let refused = |reason: &str| {
            explained(
                &[
                    json!({ "stage": "single", "time": "2026-11-21T20:31:07Z", "id": "01J", "verdict": "refuse", "reason": reason, "at": "x" }),
                ],
                "01J",
            )
        };
        assert!(refused("duplicate-key").contains("✗ refuse duplicate-key x: "), "{}", refused("duplicate-key"));
        assert!(refused("no-upstream").contains("✗ refuse no-upstream x: the engine could not be reached\n"));
        assert!(
            refused("tls-expired").contains("✗ refuse tls-expired x: the client's certificate has expired\n"),
            "{}",
            refused("tls-expired")
        );
        assert!(refused("of-another-version").starts_with("REFUSED (no request)\n"));
    }

    #[test]
    fn ids_are_told_from_methods() {
        assert!(is_id("01KAGZ00000000000000000001") && !is_id("GET") && !is_id("/containers/json/a/b/c/d/ef"));
    }
}
