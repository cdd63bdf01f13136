//! `dockgate learn`: from trails to the least policy that allows what was seen.
//! Knows nothing of what is dangerous: it reads, asks and writes.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::audit::restore;
use crate::config::Limits;
use crate::docker::operations::BodyPlan;
use crate::docker::{Operation, Value, json};
use crate::learn::{self, Danger, Judged, Learned, Seen, Settings};
use crate::policy::Policy;

use super::Outcome;
use super::audit::{Call, Filter, calls, moment_ago, visible};
use super::explain::{self, Word, explanation};
use super::load::count;
use super::say::{self, Failure};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files or folders of a trail; `-` is standard input
    #[arg(required = true, value_name = "AUDIT-FILE")]
    files: Vec<String>,
    /// Learn from calls under this policy alone
    #[arg(long, short, value_name = "NAME")]
    policy: Option<String>,
    /// Learn from calls through this door alone: its URL or a part of it
    #[arg(long, value_name = "NAME")]
    door: Option<String>,
    /// Learn from calls from this time on: RFC 3339, or 10m, 2h, 3d ago
    #[arg(long, value_name = "TIME", value_parser = moment_ago)]
    since: Option<Timestamp>,
    /// What the learned policy is called
    #[arg(long, value_name = "NAME", default_value = "learned", value_parser = name)]
    name: String,
    /// Let rules name the query values that were seen
    #[arg(long)]
    query: bool,
    /// Let rules name the objects that were seen
    #[arg(long)]
    ids: bool,
    /// Learn from calls that were denied too
    #[arg(long)]
    denied: bool,
    /// Ask about each dangerous thing whether it is to be taken
    #[arg(long)]
    ask: bool,
    /// Write the policy to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write tests of the policy for `dockgate test`
    #[arg(long, value_name = "FILE")]
    tests: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  dockgate learn audit.jsonl                                    the least policy, to standard output
  dockgate learn /var/log/dockgate --door ci -o ci.toml --tests ci.test.toml
  dockgate learn audit.jsonl --query --ids --since 2h
  dockgate learn audit.jsonl --ask -o ci.toml

Record with a door whose policy has `mode = \"observe\"`, or with the preset `unrestricted`, while the client does everything
that it is to do. What is as good as root on the host is never taken unasked; it stands in comments at the end of the policy.";

/// The name of standard input.
const STDIN: &str = "-";

/// Learns.
pub fn run(args: &Args) -> Outcome {
    if args.ask && (!io::stdin().is_terminal() || args.files.iter().any(|file| file == STDIN)) {
        return Err(Failure::usage("`--ask` asks questions, and there is no terminal to answer on")
            .hint("leave it out: what is dangerous is listed at the end of the policy, with how to add it"));
    }
    if let Some(file) = args.output.iter().chain(&args.tests).find(|file| !args.force && file.exists()) {
        return Err(Failure::usage(format!("`{}` exists", file.display())).hint("name another file, or overwrite it with --force"));
    }
    let mut seen = Vec::new();
    let (mut refused, mut denied) = (0, 0);
    let filter = Filter { since: args.since, door: args.door.clone(), ..Filter::default() };
    let skipped = calls(&args.files, &filter, |call| {
        let own = args.policy.as_deref().is_none_or(|policy| call.text(&["policy"]) == Some(policy));
        match call.verdict() {
            _ if !own || call.is_event() => {}
            "refuse" => refused += 1,
            "deny" if !args.denied => denied += 1,
            _ => seen.extend(self::seen(&call)),
        }
        true
    })?;
    let settings = Settings { name: args.name.clone(), query: args.query, ids: args.ids };
    let mut ask = |danger: &Danger| args.ask && asked(danger);
    let learned = learn::learn(seen, &settings, &judged, &mut ask);
    if let Err(why) = learned.draft.load() {
        return Err(Failure::refused(format!("what was learned is no valid policy: {why}")));
    }
    write(args, &learned)?;
    report(&learned, refused, denied);
    Ok(skipped.code())
}

/// A name that needs no quotes in TOML.
fn name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if plain { Ok(text.to_owned()) } else { Err("letters, digits, `-` and `_` make up a name".to_owned()) }
}

/// What a call of the trail says to the learner; `None` for what names no operation of this dockgate.
fn seen(call: &Call) -> Option<Seen> {
    let operation = call.known_operation()?;
    let owned = |places: &[&str]| call.texts(places).into_iter().map(str::to_owned).collect();
    let summary = call.get(&["body.summary"]).and_then(|summary| json::read(summary.to_string().as_bytes()).ok());
    let body = summary.as_ref().and_then(|summary| restore(operation, summary));
    let names: Vec<String> = owned(&["names"]);
    Some(Seen {
        operation,
        method: call.text(&["method"])?.to_owned(),
        path: by_name(call.text(&["path"])?, names.first()),
        query: owned(&["query"]),
        names,
        made: call.text(&["resource_id"]).map(str::to_owned),
        missing: missing(call, operation, body.as_ref()),
        body,
        time: call.text(&["time"]).unwrap_or_default().to_owned(),
        who: who(call),
        weight: call.weight(),
    })
}

/// The path with the name that the client used, where the full id of the object stands.
fn by_name(path: &str, name: Option<&String>) -> String {
    let full = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (path.split('/').find(full), name) {
        (Some(id), Some(name)) if !name.contains('/') => path.replace(id, name),
        _ => path.to_owned(),
    }
}

fn who(call: &Call) -> String {
    let agent = call.text(&["user_agent"]).and_then(|agent| agent.split([' ', '(']).next()).filter(|agent| !agent.is_empty());
    agent.map_or_else(|| call.client(), |agent| format!("{} ({agent})", call.client()))
}

/// What matters of a call and is not in its record.
fn missing(call: &Call, operation: Operation, body: Option<&Value>) -> Option<&'static str> {
    if call.get(&["truncated"]).and_then(serde_json::Value::as_bool) == Some(true) {
        return Some("its record was too long and holds no summary, so nobody can say what it needs");
    }
    match body {
        None if matches!(operation.row().body, BodyPlan::Json(_)) => Some("its record shows no body, so nobody can say what it needs"),
        Some(body) if operation != Operation::ContainerExec && cut(body) => {
            Some("its record shows only the beginning of a long list, so nobody can say what it needs")
        }
        _ => None,
    }
}

/// Members of bodies whose length decides nothing.
const HARMLESS: [&str; 6] = ["Cmd", "Entrypoint", "Env", "Labels", "Healthcheck", "Args"];

fn cut(value: &Value) -> bool {
    let text = value.as_text().is_some_and(|text| text.contains("…(+"));
    let members = value.members().iter().filter(|(name, _)| !HARMLESS.contains(&name.as_ref()));
    text || value.items().iter().any(cut) || members.into_iter().any(|(name, member)| name == "…" || cut(member))
}

/// The judge of `explain`.
fn judged(policy: &Policy, request: &learn::Request) -> Judged {
    let asked = explain::Request {
        method: request.method.clone(),
        path: request.path.clone(),
        body: request.body.as_ref().map(|body| body.clone().into_bytes()),
    };
    let explained = explanation(policy, &asked, Limits::default().max_json_body);
    let fault =
        (explained.word == Word::Refused).then(|| explained.failed.first().map(|failed| failed.sentence.clone()).unwrap_or_default());
    Judged { allowed: explained.forwarded(), denials: explained.denials, fault, body: explained.body, query: explained.query }
}

/// One question; anything but yes is no.
fn asked(danger: &Danger) -> bool {
    let at = if danger.at.is_empty() { String::new() } else { format!(" at {}", visible(&danger.at)) };
    say::err(format_args!("{}{at}: {}", danger.code, visible(&danger.why)));
    say::err("take it all the same? [y/N]");
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn write(args: &Args, learned: &Learned) -> Result<(), Failure> {
    let page = learn::page(learned);
    let save = |file: &Path, text: &str| {
        std::fs::write(file, text).map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", file.display())))
    };
    match &args.output {
        Some(file) => save(file, &page)?,
        None => say::out(page.trim_end()),
    }
    let Some(tests) = &args.tests else { return Ok(()) };
    let config = match &args.output {
        Some(policy) => std::path::absolute(policy).unwrap_or_else(|_| policy.clone()).display().to_string(),
        None => page,
    };
    save(tests, &learn::cases(learned, &beside(tests, args.output.as_deref()).unwrap_or(config)))
}

/// The name of the policy's file, where both are in one folder: then they can be moved together.
fn beside(tests: &Path, policy: Option<&Path>) -> Option<String> {
    let policy = policy?;
    (tests.parent() == policy.parent()).then(|| policy.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
}

fn report(learned: &Learned, refused: usize, denied: usize) {
    let operations = count(learned.draft.operations.len(), "operation");
    say::err(format_args!("learned {operations} from {} calls", learned.calls));
    if !learned.left.is_empty() {
        say::warn(format_args!("{} of calls not taken: see the end of the policy", count(learned.left.len(), "kind")));
    }
    if denied > 0 {
        say::warn(format_args!("{} left out that the policy of that time denied; --denied takes them in", count(denied, "call")));
    }
    if refused > 0 {
        say::warn(format_args!("{} left out that no policy can allow", count(refused, "request")));
    }
}
