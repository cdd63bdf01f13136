use super::super::redact;
use super::*;
use ulid::Ulid;

use super::super::line::{Json, RuleText, Time};
use super::super::words::VerdictWord;
use crate::docker::operations::TABLE;
use crate::docker::{Action, Endpoint};
use crate::policy::subject::Peer;
use crate::policy::{Create, Facts, Level, Mode, Origin, Rule, RuleTable, Subject, Verdict, judge};

fn subject() -> Subject {
    Subject {
        door: "unix:///run/dockgate/docker.sock".to_owned(),
        peer: Some(Peer { uid: 1000, gid: 1000, pid: Some(4711) }),
        ..Subject::default()
    }
}

fn head(text: &str) -> Head {
    Head::parse(text.as_bytes()).unwrap().unwrap().0
}

fn trail() -> Trail {
    Trail::to(Box::new(std::io::sink())).unwrap()
}

use crate::json_schema as schema;

/// All members of a client, in the order of their names, as the second opinion writes them.
const CLIENT: &str = concat!(
    r#","address":"127.0.0.1:1","door":"d","exe":"/bin/x","gid":1,"host":"h","pid":1,"tls_subject":"CN=x","#,
    r#""uid":1,"user_agent":"x""#
);

fn full() -> Line<'static> {
    let rule = policy().rules.allowing(&action("GET /containers/json HTTP/1.1\r\n\r\n"), &Facts::default()).unwrap().clone();
    let origin = rule.origin.clone();
    let text = || "x".to_owned();
    Line {
        id: Ulid::new().to_string(),
        stage: Stage::Single,
        time: Time(jiff::Timestamp::UNIX_EPOCH),
        boottime_us: 1,
        who: CLIENT,
        client_container: Some("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        operation: Some("ContainerList"),
        method: Some("GET"),
        path: Some(text()),
        api_version: Some(Written(crate::docker::ApiVersion::NEWEST)),
        query: vec![text()],
        names: vec![text()],
        image: Some(text()),
        registry_auth: Some(super::super::line::RegistryAuth { present: true, server: Some(text()) }),
        body: Some(BodyNote {
            bytes: 1,
            sha256: Some(redact::sha256(b"")),
            hmac: Some(redact::sha256(b"")),
            summary: Some(Json(crate::docker::Value::Object(Vec::new()))),
        }),
        resource_id: Some(text()),
        redacted: vec!["x".into()],
        dropped: vec![text()],
        injected: vec![text()],
        warnings: vec![text()],
        checks: vec!["x".into()],
        client: Some(Written(origin.clone())),
        policy: "p",
        policy_digest: "",
        mode: "enforce",
        verdict: Some(VerdictWord::WouldDeny),
        reason: Some("image"),
        at: Some(text()),
        rule: Some(RuleText::Shared(rule)),
        line: Some(Written(origin)),
        status: Some(200),
        bytes_in: 1,
        bytes_out: 1,
        duration_us: 1,
        upstream_us: Some(1),
        ended: Some(Ended::Complete),
        truncated: true,
    }
}

/// Allows every operation, and checks nothing.
fn policy() -> Policy {
    let origin = Origin { source: "test.toml".into(), line: 3 };
    let rule = Rule { text: "*".to_owned(), origin: origin.clone(), operations: TABLE.to_vec(), conditions: Vec::new() };
    let create = Create { level: Level::Unrestricted, ..Create::default() };
    let rules = RuleTable::new(vec![rule], Vec::new());
    Policy { name: "test".to_owned(), mode: Mode::Enforce, origin, rules, digest: redact::sha256(b"test").into(), create }
}

fn action(request: &str) -> Action {
    let head = head(request);
    let body = request.split_once("\r\n\r\n").unwrap().1;
    Action::build(&head, Endpoint::find(&head).unwrap(), body.as_bytes()).unwrap()
}

/// The lines of a change that is allowed, as they would be written.
fn change(request: &str) -> Vec<serde_json::Value> {
    let (trail, policy, subject, head) = (trail(), policy(), subject(), head(request));
    let Verdict::Allow(permit) = judge(&policy, &subject, action(request), &Facts::default()) else { panic!() };
    let who = Who::new(&subject, trail.redactor());
    let mut record = Record::begin(&trail, &who, &policy, Some(&head));
    record.endpoint(&permit.action().endpoint);
    record.action(permit.action());
    record.permit(&permit);
    record.line.stage = Stage::Intent;
    let intent = record.render().text;
    record.line.stage = Stage::Outcome;
    record.status(201);
    record.reply_piece(br#"{"Id":"0123","Warnings":[]}"#);
    record.finish(Ended::Complete);
    let outcome = record.render().text;
    record.closed = true;
    [intent, outcome].iter().map(|line| schema::record(&whole(line))).collect()
}

/// A record's text as the writer completes it.
fn whole(text: &str) -> String {
    format!("{{\"schema\":1,\"sequence\":1,\"previous\":\"{}\",{text}", "0".repeat(64))
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_line_is_written_as_serde_writes_it() {
    let full = full();
    let mut bare = full.clone();
    (bare.who, bare.client_container, bare.path, bare.body, bare.rule, bare.line, bare.ended) = ("", None, None, None, None, None, None);
    bare.query.clear();
    bare.truncated = false;
    let mut odd = full.clone();
    odd.path = Some("\"\\\u{1}\u{7f}\u{2028}é".into());
    odd.query = vec![String::new(), "a=\n".to_owned()];
    for line in [full, bare, odd] {
        let mut out = "{".to_owned();
        line.write(&mut out);
        assert_eq!(out, serde_json::to_string(&line).unwrap());
    }
}

#[test]
fn the_schema_has_every_member_of_a_line_and_no_other() {
    let line = serde_json::to_value(full()).unwrap();
    let own: std::collections::BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let of_the_writer = ["schema", "sequence", "previous", "event", "detail", "folded"];
    let described = schema::SCHEMA["properties"].as_object().unwrap().keys().map(String::as_str);
    assert_eq!(own, described.filter(|name| !of_the_writer.contains(name)).collect());
    let mut whole = line.clone();
    for (name, value) in [("schema", 1.into()), ("sequence", 1.into()), ("previous", "0".repeat(64).into())] {
        whole[name] = value;
    }
    assert_eq!(schema::wrong(&whole), [""; 0]);
}

#[test]
fn the_page_about_the_trail_explains_every_member() {
    let page = include_str!("../../../docs/audit.md");
    let missing: Vec<&String> =
        schema::SCHEMA["properties"].as_object().unwrap().keys().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_schema_knows_every_word_of_the_code() {
    let words = |values: Vec<serde_json::Value>, member: &str| {
        let known = schema::SCHEMA["properties"][member]["enum"].as_array().unwrap().clone();
        values.into_iter().for_each(|value| assert!(known.contains(&value), "{member}: {value}"));
    };
    use {Ended as E, Stage as S, VerdictWord as V};
    words([S::Single, S::Intent, S::Start, S::Outcome, S::End].map(|word| serde_json::to_value(word).unwrap()).to_vec(), "stage");
    words([V::Allow, V::Deny, V::WouldDeny, V::Refuse].map(|word| serde_json::to_value(word).unwrap()).to_vec(), "verdict");
    let ended = [E::Complete, E::Refused, E::ClientGone, E::UpstreamGone, E::Drained, E::Aborted];
    words(ended.map(|word| serde_json::to_value(word).unwrap()).to_vec(), "ended");
}

#[test]
fn a_create_says_what_matters_and_the_outcome_what_it_made() {
    let body = r#"{"Image":"nginx:1","User":"101","Cmd":["nginx","-g","daemon off;"],"Env":["TZ=UTC"],"HostConfig":{"Binds":["/srv:/srv:ro"],"Privileged":true}}"#;
    let lines = change(&post("/v1.47/containers/create?name=web", body));
    let (intent, outcome) = (&lines[0], &lines[1]);
    assert_eq!((&intent["image"], &intent["names"][0], &intent["query"][0]), (&"nginx:1".into(), &"web".into(), &"name=web".into()));
    let summary = &intent["body"]["summary"];
    assert_eq!((&summary["user"], &summary["mounts"][0], &summary["privileged"]), (&"101".into(), &"/srv:/srv:ro".into(), &true.into()));
    assert!(summary["env"][0].as_str().unwrap().starts_with("TZ=hmac:"), "{summary}");
    assert_eq!(intent["redacted"], serde_json::json!(["body.Env[0]"]));
    assert!(intent["body"]["hmac"].is_string() && intent["body"]["sha256"].is_null(), "a body with a secret has a keyed digest: {intent}");
    assert_eq!(outcome["resource_id"], "0123");
}

#[test]
fn a_body_without_secrets_has_the_digest_of_what_is_forwarded() {
    let lines = change(&post("/v1.47/networks/create", r#"{ "Name" : "n" }"#));
    assert_eq!(lines[0]["body"]["sha256"], redact::sha256(br#"{"Name":"n"}"#));
    assert_eq!(lines[0]["body"]["bytes"], 12);
}

#[test]
fn a_line_has_an_end_whatever_a_client_sends() {
    let word = "\u{10ffff}".repeat(400);
    let list: Vec<String> = (0..500).map(|_| format!("\"{word}\"")).collect();
    let body = format!(r#"{{"Image":"a","Cmd":[{0}],"Entrypoint":[{0}],"Labels":{{"a":"b"}}}}"#, list.join(","));
    let lines = change(&post("/containers/create", &body));
    assert_eq!(lines[0]["truncated"], true);
    assert!(lines[0].to_string().len() < 64 * 1024 && lines[0]["body"]["summary"].is_null());
}

#[test]
fn a_refused_request_shows_its_path_and_only_what_is_known_of_its_query() {
    let (trail, policy, subject) = (trail(), policy(), subject());
    for (request, path, query) in [
        ("GET /v1.47/nothing/here?a=b HTTP/1.1\r\n\r\n", "/nothing/here", "a"),
        ("GET /containers/json?all=x&limit=5&zzz=1 HTTP/1.1\r\n\r\n", "/containers/json", "all=hmac"),
    ] {
        let head = head(request);
        let who = Who::new(&subject, trail.redactor());
        let mut record = Record::begin(&trail, &who, &policy, Some(&head));
        if let Ok(endpoint) = Endpoint::find(&head) {
            record.endpoint(&endpoint);
        }
        record.refused("unknown-endpoint");
        record.finish(Ended::Refused);
        let line = schema::record(&whole(&record.render().text));
        record.closed = true;
        assert_eq!(line["path"], path);
        assert!(line["query"][0].as_str().unwrap().starts_with(query), "{line}");
        assert!(!line["query"].to_string().contains("zzz="), "{line}");
    }
}

#[test]
fn identical_denials_have_a_common_digest_and_others_another() {
    let (trail, policy) = (trail(), policy());
    let clients: Vec<Subject> = [(1000, 1), (1000, 2), (1001, 1)]
        .map(|(uid, pid)| Subject { peer: Some(Peer { uid, gid: 1, pid: Some(pid) }), ..subject() })
        .to_vec();
    let kind = |client: &Subject, request: &str, verdict| {
        let (who, head) = (Who::new(client, trail.redactor()), head(request));
        let mut record = Record::begin(&trail, &who, &policy, Some(&head));
        record.endpoint(&Endpoint::find(&head).unwrap());
        record.line.verdict = Some(verdict);
        record.finish(Ended::Refused);
        record.closed = true;
        record.render().kind
    };
    let (kill, stop) = ("POST /containers/a/kill HTTP/1.1\r\n\r\n", "POST /containers/a/stop HTTP/1.1\r\n\r\n");
    let first = kind(&clients[0], kill, VerdictWord::Deny);
    assert!(first.is_some());
    assert_eq!(kind(&clients[1], kill, VerdictWord::Deny), first, "another process of the same user");
    assert_ne!(kind(&clients[2], kill, VerdictWord::Deny), first, "another user");
    assert_ne!(kind(&clients[0], stop, VerdictWord::Deny), first, "another operation");
    assert_eq!(kind(&clients[0], kill, VerdictWord::Allow), None);
    assert_eq!(kind(&clients[0], kill, VerdictWord::Refuse), None);
}

/// A disk that holds on to the first intent until it is told.
struct Late {
    entered: tokio::sync::mpsc::UnboundedSender<()>,
    go_on: std::sync::mpsc::Receiver<()>,
    written: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl std::io::Write for Late {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.windows(8).any(|eight| eight == b"\"intent\"") {
            self.entered.send(()).unwrap();
            self.go_on.recv().unwrap();
        }
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The stages and ends of a change whose intent was being written when `and_then` was done to its record.
async fn late(and_then: impl AsyncFnOnce(Record<'_>)) -> Vec<(String, String)> {
    let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let (release, go_on) = std::sync::mpsc::channel();
    let written = std::sync::Arc::default();
    let trail = Trail::to(Box::new(Late { entered, go_on, written: std::sync::Arc::clone(&written) })).unwrap();
    let request = "POST /containers/abc/stop HTTP/1.1\r\n\r\n";
    let (policy, subject, head) = (policy(), subject(), head(request));
    let Verdict::Allow(permit) = judge(&policy, &subject, action(request), &Facts::default()) else { panic!() };
    let who = Who::new(&subject, trail.redactor());
    let mut record = Record::begin(&trail, &who, &policy, Some(&head));
    record.permit(&permit);
    {
        let mut intent = std::pin::pin!(record.intent(&permit));
        tokio::select! {
            early = &mut intent => panic!("{early:?}"),
            _ = inside.recv() => {}
        }
        tokio::time::pause(); // the two seconds are over as soon as nothing else is to be done
        assert!(tokio::time::timeout(std::time::Duration::from_secs(1), &mut intent).await.is_err());
        // dropped here: who waits either gives up, or is gone
    }
    tokio::time::resume();
    and_then(record).await;
    release.send(()).unwrap();
    trail.close().await.unwrap();
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(schema::record).filter(|line| line["stage"] != "event");
    lines.map(|line| (line["stage"].as_str().unwrap().to_owned(), line["ended"].as_str().unwrap_or_default().to_owned())).collect()
}

#[tokio::test]
async fn an_intent_that_is_written_too_late_is_ended_by_the_record_of_its_refusal() {
    let told = late(async |mut record| {
        record.refused("trail");
        record.status(503);
        record.close(Ended::Refused).await;
    });
    assert_eq!(told.await, [("intent".into(), String::new()), ("outcome".into(), "refused".into())]);
}

#[tokio::test]
async fn an_intent_is_ended_where_its_task_is_gone_before_it_is_written() {
    let told = late(async |record| drop(record));
    assert_eq!(told.await, [("intent".into(), String::new()), ("outcome".into(), "aborted".into())]);
}
