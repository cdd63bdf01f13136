//! The requests that are measured, the policies that they are judged by, and the way of one through the stages.
//! Knows nothing of how it is measured.

use std::fmt::{Debug, Display, Formatter, Write as _};
use std::hint::black_box;
use std::sync::Arc;

use dockgate::config::{Limits, load};
use dockgate::docker::action::Reading;
use dockgate::docker::{Action, Endpoint, Head, Value};
use dockgate::policy::{Facts, Need, Own, Permit, Policy, Subject, Verdict, admits, judge, next_need};

/// `docker ps -a`, as the docker CLI 28.2 sends it.
const LIST: &str = "GET /v1.47/containers/json?all=1 HTTP/1.1\r\n\
    Host: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\n\r\n";
/// `docker create` of a service with most of what services have, as the docker CLI 28.2 sends it.
const CREATE: &str = "POST /v1.47/containers/create?name=api-1 HTTP/1.1\r\n\
    Host: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\nContent-Length: 2568\r\nContent-Type: application/json\r\n\r\n";
/// Its body, byte for byte.
pub const CREATE_BODY: &str = include_str!("../create.json");

/// What the create is judged by: every grant that it needs, and injection of what it leaves out.
const GRANTS: &str = r#"
[policy.measured.create]
level = "restricted"
images = ["docker.io/library/*", "ghcr.io/acme/**"]
require-digest = true
binds = [{ source = "/srv/ci", mode = "ro" }]
volumes = ["ci-*"]
networks = ["ci"]
ports = ["127.0.0.1:8000-8999"]
inject = { no-new-privileges = true, cap-drop-all = true, pids-limit = 256, memory = "512MiB", cpus = "1", read-only-rootfs = true, user = "65532:65532" }
"#;

/// A request, and the policy that it is judged by.
pub struct Case {
    pub name: &'static str,
    /// Head and body.
    pub request: [&'static str; 2],
    /// The operation that the request names.
    pub operation: &'static str,
    /// All rules of the policy.
    pub rules: usize,
    pub regexes: Regexes,
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Rules with a regex on the measured operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Regexes {
    None,
    /// Ten that allow, beside the rule that allows every such request.
    Allow,
    /// Ten that deny other requests of the operation: each must be tried.
    Deny,
}

/// `docker ps -a`, by a policy of so many rules.
pub const fn list(name: &'static str, rules: usize, regexes: Regexes) -> Case {
    Case { name, request: [LIST, ""], operation: "ContainerList", rules, regexes }
}

/// `docker create`, by a policy of so many rules.
pub const fn create(name: &'static str, rules: usize, regexes: Regexes) -> Case {
    Case { name, request: [CREATE, CREATE_BODY], operation: "ContainerCreate", rules, regexes }
}

/// Everything that outlives a request, and its bytes.
pub struct Bed {
    /// The head, and the body behind it.
    pub bytes: Vec<u8>,
    pub policy: Arc<Policy>,
    pub subject: Subject,
    own: Arc<Own>,
    max_json: usize,
}

impl Bed {
    pub fn new(case: &Case) -> Result<Self, String> {
        let loaded = load("budget", &policy(case));
        let config = loaded.config.ok_or_else(|| format!("{:?}", loaded.diagnostics))?;
        let policy = config.policy("measured").ok_or("the policy is gone")?;
        let own = Own {
            container: Some("0123456789abcdef".repeat(4)),
            paths: ["/var/run/docker.sock", "/run/dockgate", "/etc/dockgate", "/var/log/dockgate"].map(str::to_owned).to_vec(),
            volumes: vec!["dockgate-sockets".to_owned()],
            engine: Vec::new(),
        };
        Ok(Self {
            bytes: case.request.concat().into_bytes(),
            policy,
            subject: Subject::default(),
            own: Arc::new(own),
            max_json: Limits::default().max_json_body,
        })
    }

    /// The proxy's way, without its waiting: bytes, head, endpoint, action, verdict, and what goes upstream.
    pub fn request(&self) -> Result<(String, Option<String>), String> {
        let (head, length) = self.head()?;
        Ok(rewritten(&self.judged(self.action(&head, length)?)?))
    }

    /// The head, and its length.
    pub fn head(&self) -> Result<(Head, usize), String> {
        Head::parse(black_box(self.bytes.as_slice())).map_err(said)?.ok_or_else(|| "the head is not complete".to_owned())
    }

    /// What the request asks for, once it is admitted: its query and its body are read.
    pub fn action(&self, head: &Head, length: usize) -> Result<Action, String> {
        let endpoint = Endpoint::find(head).map_err(said)?;
        admits(&self.policy, &endpoint).map_err(said)?;
        let body = match Action::reading(endpoint.operation.row(), head, self.max_json).map_err(said)? {
            Reading::Whole(_) => self.bytes.get(length..).unwrap_or_default(),
            Reading::Nothing => &[],
        };
        Action::build(head, endpoint, body).map_err(said)
    }

    /// The permit, with the facts that it takes.
    pub fn judged(&self, action: Action) -> Result<Permit, String> {
        let mut facts = Facts::new(Arc::clone(&self.own));
        while let Some(need) = next_need(&self.policy, &action, &facts) {
            let value = fact(&need)?;
            facts.insert(need, value);
        }
        match judge(&self.policy, &self.subject, action, &facts) {
            Verdict::Allow(permit) => Ok(permit),
            Verdict::Deny(denial) => Err(said(denial)),
        }
    }
}

/// What goes upstream: the target, and the body.
pub fn rewritten(permit: &Permit) -> (String, Option<String>) {
    (permit.action().target(), permit.action().json().map(|body| body.encode()))
}

/// What the shell would find out. The engine is never asked for one of the measured requests.
fn fact(need: &Need) -> Result<Value, String> {
    match need {
        Need::HostPath(path) => Ok(Value::Text(path.clone())),
        other @ (Need::Container(_) | Need::Exec(_) | Need::Network(_) | Need::Volume(_) | Need::Image(_) | Need::Info) => {
            Err(format!("the engine would have to be asked: {other:?}"))
        }
    }
}

/// A file with one policy of so many rules. The rules of other operations stand in policies that it extends, because
/// the search for rules that say nothing new compares each rule of a list with every other.
fn policy(case: &Case) -> String {
    const LIST_LENGTH: usize = 250;
    let own = own_rules(case);
    let others = case.rules.saturating_sub(own.iter().map(Vec::len).sum());
    let starts: Vec<usize> = (0..others).step_by(LIST_LENGTH).collect();
    let mut text = "version = 1\n".to_owned();
    for start in &starts {
        let (allow, deny): (Vec<usize>, Vec<usize>) = (*start..others.min(start + LIST_LENGTH)).partition(|number| number % 2 == 0);
        let lists = [allow, deny].map(|numbers| numbers.into_iter().map(other_rule).collect());
        write_policy(&format!("others-{start}"), &[], &lists, &mut text);
    }
    let extends: Vec<String> = starts.iter().map(|start| format!("\"others-{start}\"")).collect();
    write_policy("measured", &extends, &own, &mut text);
    text + GRANTS
}

/// The rules on the measured operation: those that allow, and those that deny.
fn own_rules(case: &Case) -> [Vec<String>; 2] {
    let operation = case.operation;
    // Both keys are in the query that is judged, and no regex fits its value there.
    let condition = |number: usize| match operation {
        "ContainerList" => format!("all = \"0|[2-9]{{{number}}}\""),
        _ => format!("name = \"db-[0-9]{{{number}}}\""),
    };
    let ten = || (1..=10).map(|number| format!("{{ operation = \"{operation}\", query = {{ {} }} }}", condition(number)));
    let always = vec![format!("\"{operation}\"")];
    match case.regexes {
        Regexes::None => [always, Vec::new()],
        Regexes::Allow => [always.into_iter().chain(ten()).collect(), Vec::new()],
        Regexes::Deny => [always, ten().collect()],
    }
}

/// A rule on another operation. One in ten has a regex: reading more of them would take most of the time under valgrind.
fn other_rule(number: usize) -> String {
    const OTHERS: [&str; 7] =
        ["ContainerStart", "ContainerStop", "ContainerInspect", "ContainerLogs", "NetworkInspect", "VolumeInspect", "ImageInspect"];
    let operation = OTHERS.get(number / 2 % OTHERS.len()).copied().unwrap_or_default();
    match number % 1000 {
        7 => format!("{{ method = \"GET\", path = \"/containers/web-{number}/(json|top|stats)\" }}"),
        rest if rest / 2 % 10 == 0 => format!("{{ operation = \"{operation}\", id = \"web-{number}(-[a-z]+)?\" }}"),
        _ => format!("\"{operation}\""),
    }
}

fn write_policy(name: &str, extends: &[String], [allow, deny]: &[Vec<String>; 2], text: &mut String) {
    let [extends, allow, deny] = [extends, allow, deny].map(|list| list.join(", "));
    // Writing to a string cannot fail.
    let _written = write!(text, "[policy.{name}]\nextends = [{extends}]\nallow = [{allow}]\ndeny = [{deny}]\n");
}

/// An error in words.
pub fn said(error: impl Debug) -> String {
    format!("{error:?}")
}
