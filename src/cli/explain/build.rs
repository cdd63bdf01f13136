//! From a request and a policy to an explanation, through the same parser and judge as `serve`.
//! Knows nothing of printing.

use crate::docker::action::{Body, Reading};
use crate::docker::operations::Row;
use crate::docker::{Action, Endpoint, Fault, FaultKind, Head, Operation, Value};
use crate::policy::{
    Act, CommandPattern, Create, Denial, Facts, Level, Need, Policy, Reason, Subject, Verdict, admits, inject, judge, next_need,
};
use crate::proxy::refuse::Refusal;

/// A request as somebody writes it down.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target with its query.
    pub path: String,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is forwarded.
    Allow,
    /// The policy denies it.
    Deny,
    /// The policy denies it and its mode forwards it all the same.
    WouldDeny,
    /// It is no request that can be judged.
    Refused,
}

/// A check that did not pass, or warns.
#[derive(Debug)]
pub struct Failed {
    /// The reason code.
    pub code: &'static str,
    /// What it does here: `deny`, `warn`, or `refuse` for what cannot be judged.
    pub act: &'static str,
    /// The rules of the CIS benchmark behind it.
    pub cis: Option<&'static str>,
    /// Where.
    pub at: String,
    /// What the client is told.
    pub sentence: String,
    /// What the operator can do.
    pub advice: String,
}

/// What would go upstream.
#[derive(Debug)]
pub struct Forwarded {
    /// Method and canonical target.
    pub line: String,
    /// The JSON body, encoded anew.
    pub body: Option<Value>,
    /// True where the body is relayed unread.
    pub opaque: bool,
}

/// Everything that there is to say about a request.
#[derive(Debug)]
pub struct Explanation {
    /// Method and path as given.
    pub request: String,
    /// What happens.
    pub word: Word,
    /// The policy's name.
    pub policy: String,
    /// The policy's mode.
    pub mode: &'static str,
    /// What the client gets instead of the engine's reply: status and message.
    pub refusal: Option<(u16, String)>,
    /// The operation's row.
    pub row: Option<&'static Row>,
    /// The rule that let it in or kept it out, and its place.
    pub rule: Option<(String, String)>,
    /// The checks that did not pass; the first is the one that decides.
    pub failed: Vec<Failed>,
    /// The denials behind them.
    pub denials: Vec<Denial>,
    /// The checks that warn.
    pub warned: Vec<Failed>,
    /// The checks that passed, and where they looked.
    pub passed: Vec<(String, String)>,
    /// The demands on containers and services that the policy does not make.
    pub off: Vec<&'static str>,
    /// JSON paths of what the policy sets.
    pub injected: Vec<String>,
    /// Names of keys that are dropped.
    pub dropped: Vec<String>,
    /// What the engine would be asked first.
    pub depends: Vec<String>,
    /// What would go upstream.
    pub forwarded: Option<Forwarded>,
    /// The judged body.
    pub body: Option<Value>,
    /// The judged query.
    pub query: Vec<(&'static str, String)>,
}

impl Explanation {
    /// True where the request reaches the engine.
    pub fn forwarded(&self) -> bool {
        matches!(self.word, Word::Allow | Word::WouldDeny)
    }

    fn new(policy: &Policy, request: &Request) -> Self {
        Self {
            request: format!("{} {}", request.method, request.path),
            word: Word::Refused,
            policy: policy.name.clone(),
            mode: policy.mode.as_str(),
            refusal: None,
            row: None,
            rule: None,
            failed: Vec::new(),
            denials: Vec::new(),
            warned: Vec::new(),
            passed: Vec::new(),
            off: Vec::new(),
            injected: Vec::new(),
            dropped: Vec::new(),
            depends: Vec::new(),
            forwarded: None,
            body: None,
            query: Vec::new(),
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some((refusal.status().as_u16(), message(refusal)));
    }

    fn deny(&mut self, denial: Denial) {
        self.word = Word::Deny;
        if let Some((rule, origin)) = &denial.rule {
            self.rule = Some((rule.clone(), origin.to_string()));
        }
        self.refuse(&Refusal::Denied(denial.clone()));
        // the deciding one comes first, however the others were found
        self.denials.retain(|other| *other != denial);
        self.denials.insert(0, denial);
    }
}

/// Explains a request; `max_json` is the largest JSON body in bytes.
pub fn explanation(policy: &Policy, request: &Request, max_json: usize) -> Explanation {
    let mut out = Explanation::new(policy, request);
    if let Err(fault) = walk(policy, request, max_json, &mut out) {
        // a denial that needs no body comes before every fault of the body
        if out.word != Word::Deny {
            out.refuse(&Refusal::Fault(fault.clone()));
        }
        out.failed.push(failed_fault(&fault));
    }
    let failed: Vec<Failed> = out.denials.iter().map(|denial| failed(denial, Act::Deny)).collect();
    out.failed.splice(0..0, failed);
    out
}

/// What a denial says, with what can be done about it.
pub fn failed(denial: &Denial, act: Act) -> Failed {
    let check = denial.reason.check();
    Failed {
        code: check.id,
        act: act.as_str(),
        cis: check.cis,
        at: denial.at.clone(),
        sentence: check.sentence.to_owned(),
        advice: denial.advice(),
    }
}

/// The stages of the pipeline, without its sockets.
fn walk(policy: &Policy, request: &Request, max_json: usize, out: &mut Explanation) -> Result<(), Fault> {
    let head = head(request)?;
    let endpoint = Endpoint::find(&head)?;
    let row = endpoint.operation.row();
    out.row = Some(row);
    if let Err(denial) = admits(policy, &endpoint) {
        out.deny(denial);
    }
    let body = request.body.as_deref().unwrap_or_default();
    if matches!(Action::reading(row, &head, max_json)?, Reading::Whole(limit) if body.len() > limit) {
        return Err(Fault::new(FaultKind::BodyTooLarge, ""));
    }
    let mut action = Action::build(&head, endpoint, body)?;
    let facts = assumed(policy, &action, &mut out.depends);
    out.injected = inject::apply(&policy.create, &mut action, &facts);
    out.dropped.clone_from(&action.dropped);
    out.body = action.json().cloned();
    out.query = action.query.iter().map(|(key, value)| (key.name, value.clone())).collect();
    let (denials, examined) = crate::policy::judge::explain(policy, &action, &facts);
    out.denials = denials;
    let warning = |reason: Reason, at: &str| Denial { reason, at: at.to_owned(), policy: policy.name.clone(), rule: None, absolute: false };
    out.warned = examined.warnings.iter().map(|finding| failed(&warning(finding.reason, &finding.at), Act::Warn)).collect();
    out.passed = examined.passed.iter().map(|passed| (kebab(&format!("{:?}", passed.gate)), passed.at.clone())).collect();
    demands(policy, &action, out);
    out.rule = policy.rules.allowing(&action, &facts).map(|rule| (rule.text.clone(), rule.origin.to_string()));
    match judge(policy, &Subject::default(), action, &facts) {
        Verdict::Deny(denial) => out.deny(denial),
        Verdict::Allow(permit) => {
            out.word = if permit.would_deny.is_some() { Word::WouldDeny } else { Word::Allow };
            let action = permit.action();
            let line = format!("{} {}", action.method().as_str(), action.target());
            out.forwarded = Some(Forwarded { line, body: action.json().cloned(), opaque: matches!(action.body, Body::Opaque(_)) });
        }
    }
    Ok(())
}

/// What the levels ask of containers and services even where a body says nothing.
const DEMANDS: [Reason; 10] = [
    Reason::NonRoot,
    Reason::CapDropAll,
    Reason::NoNewPrivileges,
    Reason::MemoryLimit,
    Reason::CpuLimit,
    Reason::PidsLimit,
    Reason::NoFileLimit,
    Reason::ReadOnlyRootfs,
    Reason::Healthcheck,
    Reason::DefaultBridge,
];

/// Demands leave no trace where they are met or not made.
fn demands(policy: &Policy, action: &Action, out: &mut Explanation) {
    let creates = matches!(action.endpoint.operation, Operation::ContainerCreate | Operation::ServiceCreate | Operation::ServiceUpdate);
    if !creates || policy.create.level == Level::Unrestricted {
        return;
    }
    for reason in DEMANDS {
        let found =
            out.denials.iter().any(|denial| denial.reason == reason) || out.warned.iter().any(|warned| warned.code == reason.code());
        match policy.create.act(reason) {
            Act::Off => out.off.push(reason.code()),
            Act::Warn | Act::Deny if !found => out.passed.push((reason.code().to_owned(), String::new())),
            Act::Warn | Act::Deny => {}
        }
    }
}

/// The head through the parser of the doors.
fn head(request: &Request) -> Result<Head, Fault> {
    let mut raw = format!("{} {} HTTP/1.1\r\nHost: docker\r\n", request.method, request.path);
    if let Some(body) = &request.body {
        raw.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    if request.path.split('?').next().is_some_and(|path| path.ends_with("/attach/ws")) {
        raw.push_str(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZG9ja2dhdGUgZXhwbGFpbg==\r\n",
        );
    }
    raw.push_str("\r\n");
    let parsed = Head::parse(raw.as_bytes())?;
    parsed.map(|(head, _)| head).ok_or_else(|| Fault::new(FaultKind::MalformedHead, ""))
}

/// Harmless objects that are called as the request calls them stand for what the engine would be asked; each is named.
fn assumed(policy: &Policy, action: &Action, depends: &mut Vec<String>) -> Facts {
    let mut facts = Facts::default();
    facts.now = jiff::Timestamp::now().as_second();
    while let Some(need) = next_need(policy, action, &facts) {
        let (note, value) = assumption(&policy.create, &need);
        depends.push(note);
        facts.insert(need, value);
    }
    facts
}

fn assumption(create: &Create, need: &Need) -> (String, Value) {
    let text = |text: &str| Value::Text(text.to_owned());
    match need {
        Need::Container(name) => {
            let parts = vec![("Id".into(), text(name)), ("Name".into(), text(name)), ("HostConfig".into(), Value::Object(Vec::new()))];
            (format!("container `{name}` as the engine knows it: its own settings pass through the same checks"), Value::Object(parts))
        }
        Need::Exec(name) => {
            let command = create.exec_commands.first().map(CommandPattern::example).unwrap_or_else(|| vec!["id".to_owned()]);
            let words = command.iter().skip(1).map(|word| text(word)).collect();
            let user = create.exec_users.first().or(create.users.first()).map(|user| user.as_str().replace('*', "1"));
            let process = vec![
                ("entrypoint".into(), text(command.first().map_or("", String::as_str))),
                ("arguments".into(), Value::List(words)),
                ("user".into(), text(user.as_deref().unwrap_or_default())),
            ];
            let parts = vec![
                ("ID".into(), text(name)),
                ("ContainerID".into(), text("of that exec")),
                ("ProcessConfig".into(), Value::Object(process)),
            ];
            (format!("exec `{name}` as the engine knows it: its command and user pass through the same checks"), Value::Object(parts))
        }
        Need::Network(name) => (
            format!("network `{name}` as the engine knows it"),
            Value::Object(vec![("Id".into(), text(name)), ("Name".into(), text(name))]),
        ),
        Need::Volume(name) => (
            format!("volume `{name}` as the engine knows it"),
            Value::Object(vec![("Name".into(), text(name)), ("Driver".into(), text("local"))]),
        ),
        Need::Image(name) => (
            format!("image `{name}` as the engine knows it (no USER is assumed)"),
            Value::Object(vec![("RepoTags".into(), Value::List(vec![text(name)]))]),
        ),
        Need::HostPath(path) => (format!("host path `{path}` leads through no symbolic link"), Value::Null),
        Need::Info => {
            ("the engine's control groups (version 2 is assumed)".to_owned(), Value::Object(vec![("CgroupVersion".into(), text("2"))]))
        }
    }
}

/// What to do about faults that are not plain mistakes.
const ADVICE: [(FaultKind, &str); 2] = [
    (FaultKind::BodyMissing, "pass the request's body with --body FILE"),
    (FaultKind::UnknownEndpoint, "see docs/endpoints.md for every operation"),
];

/// What a fault says.
pub fn failed_fault(fault: &Fault) -> Failed {
    let message = message(&Refusal::Fault(fault.clone()));
    // the place stands in `at` already
    let sentence = message.split_once("]: ").map_or(message.as_str(), |(_, rest)| rest);
    let sentence = sentence.strip_prefix(&format!("`{}` ", fault.at)).unwrap_or(sentence);
    let advice = ADVICE.into_iter().find(|(kind, _)| *kind == fault.kind).map_or("", |(_, advice)| advice);
    let (code, at) = (fault.kind.code(), fault.at.clone());
    Failed { code, act: "refuse", cis: None, at, sentence: sentence.to_owned(), advice: advice.to_owned() }
}

/// What the client reads, without the reference to a record that does not exist.
fn message(refusal: &Refusal) -> String {
    let body: serde_json::Value = serde_json::from_slice(&refusal.body("")).unwrap_or_default();
    let message = body.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
    message.strip_suffix(" (ref )").unwrap_or(message).to_owned()
}

/// `HostNamespace` to `host-namespace`.
pub fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
