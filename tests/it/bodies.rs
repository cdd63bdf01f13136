//! Bodies and queries with what a policy makes of them, run two ways: by the judge alone, and through the real binary.
//! `corpus/bodies.json` holds the cases. Knows the tables and the judge's values, nothing of single checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dockgate::config::{Severity, load};
use dockgate::docker::json::read;
use dockgate::docker::operations::{BodyPlan, Key, KeyType, Row, TABLE};
use dockgate::docker::schema::{Field, Schema, Type};
use dockgate::docker::{Action, Class, Endpoint, Head, Value};
use dockgate::policy::{Facts, Need, Own, Policy, Reason, Subject, Verdict, judge, next_need};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::support::client::{Client, Reply};
use crate::support::engine::{FULL_ID, Recorder, position};
use crate::support::gate::Gate;
use crate::support::{data, report};

/// How many cases the file holds, and how many of them are denied.
const CASES: usize = 538;
const DENIED: usize = 392;

/// Fewer than this were not the whole of the tables: gated and refused fields, then query keys.
const LEAST_FIELDS: usize = 200;
const LEAST_KEYS: usize = 28;

/// What each generated value meets: no grants, and everything refused that can be refused by name.
const STRICT: &str =
    "images = ['example.com/granted']\nrequire-digest = true\nusers = ['granted']\nenv = { deny = ['**'] }\nlabels = { deny = ['**'] }";

/// A text that is no path, name, address, mode or user that any check lets pass.
const ODD: &str = "/../odd";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "why")]
    _why: String,
    /// Method and target.
    op: String,
    /// The text of `[policy.X.create]`.
    #[serde(default)]
    create: String,
    /// As text where its spelling matters.
    body: Option<Json>,
    expect: Expect,
    /// The check that denies, or that an allowed case only seems to meet.
    reason: String,
    /// Where; unsaid where several places are right.
    at: Option<String>,
    /// The body that goes upstream, byte for byte.
    forwards: Option<String>,
}

/// What became of a case: the body that goes upstream, or why and where it was refused.
#[derive(Debug, PartialEq)]
enum Outcome {
    Forwarded(String),
    Refused(String, String),
}

impl Case {
    fn body(&self) -> String {
        match &self.body {
            None => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let body = self.body();
        let json = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        format!("{} HTTP/1.1\r\nHost: docker\r\n{json}Content-Length: {}\r\n\r\n{body}", self.op, body.len()).into_bytes()
    }

    /// What is wrong with an outcome, in words.
    fn fault(&self, outcome: &Outcome) -> Option<String> {
        let right = match (self.expect, outcome) {
            (Expect::Allow, Outcome::Forwarded(body)) => self.forwards.as_ref().is_none_or(|wanted| wanted == body),
            (Expect::Deny, Outcome::Refused(reason, at)) => *reason == self.reason && self.at.as_ref().is_none_or(|wanted| wanted == at),
            (Expect::Allow, Outcome::Refused(..)) | (Expect::Deny, Outcome::Forwarded(_)) => false,
        };
        (!right).then(|| format!("{}: {:?} [{}] {:?} {:?}, not {outcome:?}", self.id, self.expect, self.reason, self.at, self.forwards))
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&std::fs::read(data("bodies.json")).unwrap()).unwrap()
}

fn endpoint(head: &Head) -> Endpoint {
    Endpoint::find(head).unwrap_or_else(|fault| panic!("{:?}: {fault:?}", head.target))
}

fn head(bytes: &[u8]) -> (Head, usize) {
    Head::parse(bytes).unwrap().unwrap()
}

/// A configuration with one policy and one door for each distinct text, which allows what its cases ask for.
pub struct Config {
    text: String,
    /// The texts, in the order of their policies.
    creates: Vec<String>,
}

impl Config {
    pub fn new<'a>(folder: &Path, asked: impl Iterator<Item = (&'a str, &'static str)>) -> Self {
        let mut policies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (create, operation) in asked {
            policies.entry(create).or_default().insert(operation);
        }
        let engine = folder.join("engine");
        let mut text = format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n", engine.display());
        for (at, (create, operations)) in policies.iter().enumerate() {
            let door = folder.join(format!("d{at}/s"));
            writeln!(text, "[[door]]\nlisten = \"unix://{}\"\npolicy = \"p{at}\"", door.display()).unwrap();
            writeln!(text, "[policy.p{at}]\nallow = {:?}", operations.iter().collect::<Vec<_>>()).unwrap();
            // tables of a case are tables of its policy
            let create = create.replace("[inject]", &format!("[policy.p{at}.create.inject]"));
            writeln!(text, "[policy.p{at}.create]\n{create}").unwrap();
        }
        Self { text, creates: policies.into_keys().map(str::to_owned).collect() }
    }

    fn at(&self, create: &str) -> usize {
        self.creates.iter().position(|known| known == create).unwrap()
    }

    /// The policies by their texts.
    pub fn load(&self) -> BTreeMap<&str, Arc<Policy>> {
        let loaded = load("bodies.toml", &self.text);
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let config = loaded.config.unwrap();
        let policy = |at: usize| config.policy(&format!("p{at}")).unwrap();
        self.creates.iter().enumerate().map(|(at, create)| (create.as_str(), policy(at))).collect()
    }
}

fn config_of(folder: &Path, cases: &[Case]) -> Config {
    let operation = |case: &Case| endpoint(&head(&case.bytes()).0).operation.name();
    Config::new(folder, cases.iter().map(|case| (case.create.as_str(), operation(case))))
}

/// What an engine says that knows one plain container.
pub fn facts(policy: &Policy, action: &Action) -> Facts {
    facts_of(policy, action, Own::default())
}

/// The same, for a dockgate that knows this of itself.
pub fn facts_of(policy: &Policy, action: &Action, own: Own) -> Facts {
    let mut facts = Facts::new(own);
    while let Some(need) = next_need(policy, action, &facts) {
        let text = match &need {
            Need::Container(_) => {
                let config = r#"{"User":"1000:1000","Image":"alpine:3.20"}"#;
                format!(r#"{{"Id":"{FULL_ID}","Name":"/web","Config":{config},"HostConfig":{{"NetworkMode":"bridge"}},"Mounts":[]}}"#)
            }
            Need::Exec(_) => {
                format!(r#"{{"ID":"abc","ContainerID":"{FULL_ID}","ProcessConfig":{{"privileged":false,"entrypoint":"id"}}}}"#)
            }
            Need::Network(name) | Need::Volume(name) | Need::Image(name) => format!(r#"{{"Name":"{name}","Driver":"local"}}"#),
            Need::HostPath(_) => "null".to_owned(),
            Need::Info => r#"{"CgroupVersion":"2"}"#.to_owned(),
        };
        facts.insert(need, read(text.as_bytes()).unwrap());
    }
    facts
}

fn decide(policy: &Policy, bytes: &[u8]) -> Outcome {
    let (head, length) = head(bytes);
    let action = match Action::build(&head, endpoint(&head), &bytes[length..]) {
        Ok(action) => action,
        Err(fault) => return Outcome::Refused(fault.kind.code().to_owned(), fault.at),
    };
    let facts = facts(policy, &action);
    match judge(policy, &Subject::default(), action, &facts) {
        Verdict::Allow(permit) => Outcome::Forwarded(permit.action().json().map(Value::encode).unwrap_or_default()),
        Verdict::Deny(denial) => Outcome::Refused(denial.reason.code().to_owned(), denial.at),
    }
}

/// Counts, ids that stand once, and every check with a case that it denies and one that it lets pass.
fn complete(cases: &[Case]) -> Vec<String> {
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    let denied = cases.iter().filter(|case| case.expect == Expect::Deny).count();
    assert_eq!((cases.len(), ids.len(), denied), (CASES, CASES, DENIED));
    let has = |reason: Reason, expect| cases.iter().any(|case| case.reason == reason.code() && case.expect == expect);
    let checks = Reason::ALL.iter().copied().filter(|reason| reason.is_check());
    checks
        .flat_map(|reason| [Expect::Deny, Expect::Allow].map(|expect| (reason, expect)))
        .filter(|(reason, expect)| !has(*reason, *expect))
        .map(|(reason, expect)| format!("[{}] has no case that is to be {expect:?}", reason.code()))
        .collect()
}

#[test]
fn the_judge_alone_decides_every_body_as_it_must() {
    let cases = cases();
    let config = config_of(Path::new("/nowhere"), &cases);
    let policies = config.load();
    let outcome = |case: &Case| decide(&policies[case.create.as_str()], &case.bytes());
    let mut faults = complete(&cases);
    faults.extend(cases.iter().filter_map(|case| case.fault(&outcome(case))));
    report(&format!("bodies: {CASES} judged alone / {DENIED} denied / {} policies", policies.len()));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_real_binary_decides_every_body_as_the_judge_does() {
    let cases = cases();
    let folder = tempfile::tempdir().unwrap();
    let config = config_of(folder.path(), &cases);
    let doors: Vec<_> = (0..config.creates.len()).map(|at| folder.path().join(format!("d{at}/s"))).collect();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let gate = Gate::start(folder.path(), &config.text, &doors);
    upstream.take();
    // one after the other: whatever reaches the upstream belongs to the case that runs
    let outcomes: Vec<(Vec<Vec<u8>>, Reply)> = cases.iter().map(|case| run(case, &doors[config.at(&case.create)], &upstream)).collect();
    let records = gate.stop();
    let mut faults = complete(&cases);
    let mut denied = 0;
    for (case, (requests, reply)) in cases.iter().zip(&outcomes) {
        let record = reply.header("dockgate-ref").and_then(|id| records.get(id)).unwrap_or_else(|| panic!("{} has no record", case.id));
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let outcome = match requests.as_slice() {
            [] => Outcome::Refused(text("reason"), text("at")),
            [request] => Outcome::Forwarded(body_of(request)),
            more => panic!("{}: {} requests reached the upstream", case.id, more.len()),
        };
        denied += usize::from(requests.is_empty());
        let status = if requests.is_empty() { 400..500 } else { 200..300 };
        faults.extend((!status.contains(&reply.status)).then(|| format!("{}: status {}", case.id, reply.status)));
        faults.extend(case.fault(&outcome));
    }
    report(&format!("bodies: {CASES} through the binary / {denied} denied / {} doors", doors.len()));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
    assert_eq!(denied, DENIED);
}

/// Sends a case; the gate's own look-ups, which ask for no version, do not count as forwarded.
fn run(case: &Case, door: &Path, upstream: &Recorder) -> (Vec<Vec<u8>>, Reply) {
    let mut client = Client::unix(door);
    client.send(&case.bytes());
    let reply = client.reply(false).unwrap_or_else(|| panic!("{}: no reply", case.id));
    let mut requests = upstream.take();
    requests.retain(|request| !request.starts_with(b"GET /") || request.starts_with(b"GET /v1."));
    (requests, reply)
}

fn body_of(request: &[u8]) -> String {
    let start = position(request, b"\r\n\r\n").map_or(request.len(), |end| end + 4);
    String::from_utf8(request[start..].to_vec()).unwrap()
}

/// A gated or refused field with a value: its name, where it stands, and a body that has it.
struct Generated {
    at: String,
    body: String,
}

/// Every gated or refused field below a schema. `wrap` puts a text into the place of the object.
fn fields(schema: &'static Schema, at: &str, wrap: &dyn Fn(String) -> String, out: &mut Vec<Generated>) {
    for field in schema.fields {
        let here = if at.is_empty() { field.name.to_owned() } else { format!("{at}.{}", field.name) };
        let inside = |value: String| wrap(format!(r#"{{"{}":{value}}}"#, field.name));
        if decides(field.class) {
            out.push(Generated { at: here.clone(), body: inside(value(&field.ty)) });
        }
        below(&field.ty, &here, &inside, out);
    }
}

fn below(ty: &'static Type, at: &str, wrap: &dyn Fn(String) -> String, out: &mut Vec<Generated>) {
    match ty {
        Type::Object(schema) => fields(schema, at, wrap, out),
        Type::List(of) => below(of, &format!("{at}[0]"), &|value| wrap(format!("[{value}]")), out),
        Type::Map(of) => below(of, &format!("{at}.key"), &|value| wrap(format!(r#"{{"key":{value}}}"#)), out),
        Type::Array(..) | Type::Bool | Type::Int(..) | Type::Float | Type::Str | Type::StrSlice => {}
    }
}

fn decides(class: Class) -> bool {
    matches!(class, Class::Gated(_) | Class::Refused)
}

/// A value that is not empty: the least number, an odd text, every part of an object, an empty element of a list.
fn value(ty: &'static Type) -> String {
    match ty {
        Type::Bool => "true".to_owned(),
        Type::Int(low, _) => if *low < 0 { "-1" } else { "1" }.to_owned(),
        Type::Float => "0.5".to_owned(),
        Type::Str => format!("{ODD:?}"),
        Type::StrSlice => format!("[{ODD:?}]"),
        Type::List(Type::Object(_)) => "[{}]".to_owned(),
        Type::List(of) => format!("[{}]", value(of)),
        Type::Array(of, length) => format!("[{}]", vec![value(of); *length].join(",")),
        Type::Map(of) => format!("{{{ODD:?}:{}}}", value(of)),
        Type::Object(schema) => {
            let members: Vec<String> = schema.fields.iter().map(|Field { name, ty, .. }| format!("{name:?}:{}", value(ty))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn generated(row: &Row) -> Vec<Generated> {
    let mut out = Vec::new();
    match row.body {
        BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => fields(schema, "", &|value| value, &mut out),
        BodyPlan::JsonList(field) => {
            assert!(decides(field.class), "{}", row.path);
            out.push(Generated { at: String::new(), body: value(&field.ty) });
            below(&field.ty, "", &|value| value, &mut out);
        }
        BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => {}
    }
    out
}

/// A request of a row, with what follows its path.
pub fn request(row: &Row, query: &str, body: &str) -> Vec<u8> {
    let named = |segment: &'static str| if segment.starts_with('{') { "web" } else { segment };
    let path = row.path.split('/').map(named).collect::<Vec<_>>().join("/");
    let json = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!("{} {path}{query} HTTP/1.1\r\nHost: docker\r\n{json}Content-Length: {}\r\n\r\n", row.method.as_str(), body.len());
    format!("{head}{body}").into_bytes()
}

#[test]
fn every_gated_or_refused_field_is_denied_without_a_grant() {
    let config = Config::new(Path::new("/nowhere"), TABLE.iter().map(|operation| (STRICT, operation.name())));
    let policy = Arc::clone(&config.load()[STRICT]);
    let (mut faults, mut count) = (Vec::new(), 0);
    for row in TABLE.iter().map(|operation| operation.row()) {
        for Generated { at, body } in generated(row) {
            count += 1;
            // a network that is joined is judged by its name too; its own words come first
            match decide(&policy, &request(row, "", &body)) {
                Outcome::Refused(_, place) if place.starts_with(&at) => {}
                other => faults.push(format!("{} {at}: {body} was {other:?}", row.path)),
            }
        }
    }
    report(&format!("bodies: {count} gated or refused fields denied without a grant"));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
    assert!(count >= LEAST_FIELDS, "{count}");
}

/// A value of a query key that is not empty, percent-encoded.
fn query_value(key: &Key) -> &'static str {
    match key.ty {
        KeyType::Bool | KeyType::ClassicBuilder | KeyType::Int => "1",
        KeyType::Text => "/../odd",
        KeyType::Filters => "%7B%22a%22:%5B%22b%22%5D%7D",
        KeyType::StringMap => "%7B%22BUILDKIT_SYNTAX%22:%22b%22%7D",
        KeyType::StringList => "%5B%22a%22%5D",
        KeyType::Json => "%7B%22a%22:1%7D",
    }
}

#[test]
fn every_gated_or_refused_query_key_is_denied_without_a_grant() {
    let config = Config::new(Path::new("/nowhere"), TABLE.iter().map(|operation| (STRICT, operation.name())));
    let policy = Arc::clone(&config.load()[STRICT]);
    let (mut faults, mut count) = (Vec::new(), 0);
    for row in TABLE.iter().map(|operation| operation.row()) {
        for key in row.query.iter().filter(|key| decides(key.class)) {
            count += 1;
            let body = if matches!(row.body, BodyPlan::Json(_)) { "{}" } else { "" };
            let outcome = decide(&policy, &request(row, &format!("?{}={}", key.name, query_value(key)), body));
            let denied = matches!(&outcome, Outcome::Refused(_, at) if *at == format!("?{}", key.name));
            faults.extend((!denied).then(|| format!("{} ?{} was {outcome:?}", row.path, key.name)));
        }
    }
    report(&format!("bodies: {count} gated or refused query keys denied without a grant"));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
    assert!(count >= LEAST_KEYS, "{count}");
}
