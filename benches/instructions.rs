//! Instructions per request, from the bytes of its head to what goes upstream, held against `budget.toml`.
//! Knows nothing of sockets and the trail: counted is what dockgate thinks, not what it waits for.
//!
//! valgrind counts each case with a few requests and with many more: the difference is the cost of the requests alone, and
//! the same on every run. `--bless` writes the counts as the new budget. A profile of one case, from a build with symbols:
//! `valgrind --tool=callgrind --dump-instr=no <the binary> --run create-1 1000`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people, with its table on standard output")]

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dockgate::config::{Limits, load};
use dockgate::docker::action::Reading;
use dockgate::docker::{Action, Endpoint, Head, Value};
use dockgate::policy::{Facts, Need, Own, Policy, Subject, Verdict, admits, judge, next_need};

/// `docker ps -a`, as the docker CLI 28.2 sends it.
const LIST: &str = "GET /v1.47/containers/json?all=1 HTTP/1.1\r\n\
    Host: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\n\r\n";
/// `docker create` of a service with most of what services have, as the docker CLI 28.2 sends it.
const CREATE: &str = "POST /v1.47/containers/create?name=api-1 HTTP/1.1\r\n\
    Host: api.moby.localhost\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\nContent-Length: 2568\r\nContent-Type: application/json\r\n\r\n";
/// Its body, byte for byte.
const CREATE_BODY: &str = include_str!("create.json");

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

/// One line of the table.
struct Case {
    name: &'static str,
    /// Head and body.
    request: [&'static str; 2],
    /// The operation that the request names.
    operation: &'static str,
    /// All rules of the policy.
    rules: usize,
    regexes: Regexes,
    /// The case that this one must not cost more than.
    baseline: Option<&'static str>,
}

/// Rules with a regex on the measured operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Regexes {
    None,
    /// Ten that allow, beside the rule that allows every such request.
    Allow,
    /// Ten that deny other requests of the operation: each must be tried.
    Deny,
}

const CASES: &[Case] = &[
    list("get-1", 1, Regexes::None, None),
    list("get-100", 100, Regexes::Allow, Some("get-1")),
    list("get-10000", 10_000, Regexes::Allow, Some("get-1")),
    list("get-10-denies-11", 11, Regexes::Deny, None),
    list("get-10-denies-10000", 10_000, Regexes::Deny, Some("get-10-denies-11")),
    create("create-1", 1, Regexes::None, None),
    create("create-100", 100, Regexes::Allow, Some("create-1")),
    create("create-10000", 10_000, Regexes::Allow, Some("create-1")),
    create("create-10-denies-11", 11, Regexes::Deny, None),
    create("create-10-denies-10000", 10_000, Regexes::Deny, Some("create-10-denies-11")),
];

const fn list(name: &'static str, rules: usize, regexes: Regexes, baseline: Option<&'static str>) -> Case {
    Case { name, request: [LIST, ""], operation: "ContainerList", rules, regexes, baseline }
}

const fn create(name: &'static str, rules: usize, regexes: Regexes, baseline: Option<&'static str>) -> Case {
    Case { name, request: [CREATE, CREATE_BODY], operation: "ContainerCreate", rules, regexes, baseline }
}

/// How many requests the two counted runs judge.
const FEW: u64 = 200;
const MANY: u64 = 1200;
/// By how many per cent a case may exceed its budget, or its baseline.
const SLACK: u64 = 5;
/// How long a case is timed.
const TIMED: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--run", name, count] => run(name, count),
        words => measure(words.contains(&"--bless")),
    };
    done.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}

/// What valgrind counts: a policy is read, and a request judged so many times.
fn run(name: &str, count: &str) -> Result<ExitCode, String> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| format!("there is no case `{name}`"))?;
    let bed = Bed::new(case)?;
    for _ in 0..count.parse::<u64>().map_err(said)? {
        black_box(bed.request()?);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(bless: bool) -> Result<ExitCode, String> {
    if let Some(why) = not_here() {
        println!("SKIPPED: instructions were not counted: {why}");
        let required = std::env::var("DOCKGATE_REQUIRE_ENGINE").as_deref() == Ok("1");
        return if required { Err(format!("DOCKGATE_REQUIRE_ENGINE=1, and {why}")) } else { Ok(ExitCode::SUCCESS) };
    }
    let budget = if bless { BTreeMap::new() } else { read_budget()? };
    let mut counts = BTreeMap::new();
    let mut faults = Vec::new();
    println!("{:<24}{:>14}{:>14}{:>12}  verdict", "case", "instructions", "budget", "ns (rough)");
    for case in CASES {
        let count = instructions(case)?;
        counts.insert(case.name, count);
        let allowed = budget.get(case.name).copied();
        let found = verdict(case, count, allowed, &counts, bless);
        let shown = allowed.map_or_else(|| "-".to_owned(), |allowed| allowed.to_string());
        println!("{:<24}{count:>14}{shown:>14}{:>12}  {}", case.name, nanoseconds(case)?, found.as_deref().unwrap_or("ok"));
        faults.extend(found.map(|found| format!("`{}` {found}", case.name)));
    }
    if bless {
        write_budget(&counts)?;
    }
    if faults.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(faults.join("\nerror: ")) }
}

/// Why nothing can be counted here.
fn not_here() -> Option<&'static str> {
    if cfg!(debug_assertions) {
        return Some("this is no optimised build; run `cargo bench --bench instructions`");
    }
    let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (!there.is_ok_and(|status| status.success())).then_some("valgrind is not installed")
}

/// What is wrong with a count, and what to do about it.
fn verdict(case: &Case, count: u64, allowed: Option<u64>, counts: &BTreeMap<&str, u64>, bless: bool) -> Option<String> {
    let above = |limit: u64| count * 100 > limit * (100 + SLACK);
    if let Some(baseline) = case.baseline.filter(|name| counts.get(name).is_some_and(|count| above(*count))) {
        return Some(format!("costs more than {SLACK} % above `{baseline}`: a request must not pay for rules that are not its own"));
    }
    match allowed {
        _ if bless => None,
        None => Some("has no budget: write one with `cargo bench --bench instructions -- --bless`".to_owned()),
        Some(allowed) if above(allowed) => Some(format!(
            "exceeds its budget of {allowed} by more than {SLACK} %: make it cheaper, or accept it with `cargo bench --bench instructions -- --bless`"
        )),
        Some(_) => None,
    }
}

/// Instructions of one request.
fn instructions(case: &Case) -> Result<u64, String> {
    let more = counted(case, MANY)?.checked_sub(counted(case, FEW)?);
    more.map(|more| more / (MANY - FEW)).ok_or_else(|| format!("`{}`: more requests took fewer instructions", case.name))
}

/// Instructions of a whole run. No cache is simulated: only the number is wanted.
fn counted(case: &Case, requests: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe().map_err(said)?).args(["--run", case.name, &requests.to_string()]);
    let output = command.output().map_err(said)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = if output.status.success() { text.lines().find_map(total) } else { None };
    count.ok_or_else(|| format!("`{}`: valgrind counted nothing: {text}", case.name))
}

/// `==123== I   refs:      1,234,567`
fn total(line: &str) -> Option<u64> {
    let (words, number) = line.rsplit_once("refs:")?;
    words.trim_end().ends_with('I').then(|| number.trim().replace(',', "").parse().ok()).flatten()
}

/// The time of one request, best of many short rounds: it depends on the machine, so it decides nothing.
fn nanoseconds(case: &Case) -> Result<u128, String> {
    const ROUND: u32 = 100;
    let bed = Bed::new(case)?;
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < TIMED {
        let round = Instant::now();
        for _ in 0..ROUND {
            black_box(bed.request()?);
        }
        best = best.min(round.elapsed());
    }
    Ok((best / ROUND).as_nanos())
}

/// Everything that outlives a request, and its bytes.
struct Bed {
    bytes: Vec<u8>,
    policy: Arc<Policy>,
    subject: Subject,
    own: Arc<Own>,
    max_json: usize,
}

impl Bed {
    fn new(case: &Case) -> Result<Self, String> {
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
    fn request(&self) -> Result<(String, Option<String>), String> {
        let bytes = black_box(self.bytes.as_slice());
        let (head, length) = Head::parse(bytes).map_err(said)?.ok_or("the head is not complete")?;
        let endpoint = Endpoint::find(&head).map_err(said)?;
        admits(&self.policy, &endpoint).map_err(said)?;
        let body = match Action::reading(endpoint.operation.row(), &head, self.max_json).map_err(said)? {
            Reading::Whole(_) => bytes.get(length..).unwrap_or_default(),
            Reading::Nothing => &[],
        };
        let action = Action::build(&head, endpoint, body).map_err(said)?;
        let mut facts = Facts::new(Arc::clone(&self.own));
        while let Some(need) = next_need(&self.policy, &action, &facts) {
            let value = fact(&need)?;
            facts.insert(need, value);
        }
        match judge(&self.policy, &self.subject, action, &facts) {
            Verdict::Allow(permit) => Ok((permit.action().target(), permit.action().json().map(|body| body.encode()))),
            Verdict::Deny(denial) => Err(said(denial)),
        }
    }
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

fn budget_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/budget.toml")
}

fn read_budget() -> Result<BTreeMap<String, u64>, String> {
    let file = budget_file();
    let text = std::fs::read_to_string(&file).map_err(|error| format!("`{}`: {error}", file.display()))?;
    toml::from_str(&text).map_err(|error| format!("`{}`: {error}", file.display()))
}

fn write_budget(counts: &BTreeMap<&str, u64>) -> Result<(), String> {
    let mut text =
        "# Instructions per request, x86-64. `cargo bench --bench instructions` fails where a count is more than 5 % above its line,\n\
                    # and `cargo bench --bench instructions -- --bless` writes these lines anew.\n"
            .to_owned();
    for case in CASES {
        let count = counts.get(case.name).copied().unwrap_or_default();
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{} = {count}", case.name);
    }
    std::fs::write(budget_file(), text).map_err(said)
}

fn said(error: impl Debug) -> String {
    format!("{error:?}")
}
