//! The request corpus through the real binary: each request's verdict, and the exact bytes that reach the upstream.
//! Knows nothing of how a verdict comes about; `corpus/requests.json` says what each must be, `corpus/golden` what is forwarded.

mod case;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use dockgate::config::load;
use serde_json::Value;

use crate::peers::alone::{Alone, Outcome as Judged};
use crate::support::client::{Client, Reply};
use crate::support::engine::Recorder;
use crate::support::gate::Gate;
use crate::support::{bless, data, report};

use case::{Base, Case, Expected, Key, Listener, REMARKS};

/// How many requests the file holds.
const CASES: usize = 520;

/// Requests that are expected to be allowed and are refused all the same, each with the reason code and why that is right.
const REFUSED_ALL_THE_SAME: [(&str, &str, &str); 4] = [
    ("rt-v99", "api-version-too-new", "nobody knows what fields a version above the table has"),
    ("wire-get-body", "body-unexpected", "a body that nobody reads is never dropped silently"),
    ("pull-03", "body-unexpected", "a body that nobody reads is never dropped silently"),
    ("wire-up-h2c", "http2", "HTTP/2 cannot be inspected, so nothing that asks for it is served"),
];

/// Refused by the door that a request comes through, not by what it asks for.
const BY_THE_DOOR: [&str; 1] = ["wire-host-rebind"];

const CREATE_SAFE: &str = r#""ContainerCreate", "ContainerStart", "ContainerStop", "ContainerRestart", "ContainerKill", "ContainerWait", "ContainerPause", "ContainerUnpause", "ContainerDelete""#;

struct Doors {
    folder: PathBuf,
    keys: Vec<Key>,
    /// For cases that need TCP, which all have the first policy that asks for it.
    tcp: BTreeMap<usize, SocketAddr>,
}

impl Doors {
    fn new(folder: &Path, cases: &[Case]) -> Self {
        let keys: BTreeSet<Key> = cases.iter().map(Case::key).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let index = |case: &Case| keys.iter().position(|key| *key == case.key()).unwrap();
        let tcp: BTreeSet<usize> = cases.iter().filter(|case| case.listener.is_some()).map(index).collect();
        Self { folder: folder.to_owned(), keys, tcp: tcp.into_iter().map(|at| (at, free_address())).collect() }
    }

    fn path(&self, at: usize) -> PathBuf {
        self.folder.join(format!("d{at}/s"))
    }

    fn paths(&self) -> Vec<PathBuf> {
        (0..self.keys.len()).map(|at| self.path(at)).collect()
    }

    fn toml(&self, upstream: &Path) -> String {
        let mut out = format!(
            "version = 1\n[upstream]\nurl = \"unix://{}\"\n[limits]\nhead-timeout = \"1s\"\nbody-timeout = \"1s\"\n",
            upstream.display()
        );
        for (at, (base, extra)) in self.keys.iter().enumerate() {
            writeln!(out, "[[door]]\nlisten = \"unix://{}\"\npolicy = \"p{at}\"", self.path(at).display()).unwrap();
            if let Some(address) = self.tcp.get(&at) {
                writeln!(out, "[[door]]\nlisten = \"tcp://{address}\"\npolicy = \"p{at}\"").unwrap();
            }
            let pull = if extra.pull.is_empty() { "" } else { ", \"ImageCreate\"" };
            let allow = match base {
                Base::Readonly => pull.trim_start_matches(", ").to_owned(),
                Base::CreateSafe => format!("{CREATE_SAFE}{pull}"),
            };
            writeln!(out, "[policy.p{at}]\nextends = [\"read-only\"]\nallow = [{allow}]\n[policy.p{at}.create]\n{}", extra.toml()).unwrap();
        }
        out
    }

    fn at(&self, case: &Case) -> usize {
        self.keys.iter().position(|key| *key == case.key()).unwrap()
    }

    fn connect(&self, case: &Case) -> Client {
        let at = self.at(case);
        match case.listener {
            Some(Listener::Tcp) => Client::tcp(self.tcp[&at]),
            None => Client::unix(&self.path(at)),
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(data("requests.json")).unwrap()).unwrap();
    assert_eq!(cases.len(), CASES);
    cases
}

/// What became of a case.
struct Outcome {
    forwarded: Vec<Vec<u8>>,
    first: Option<Reply>,
    later: Vec<Reply>,
}

/// dockgate's own look-ups of facts: requests without a version that the client did not send.
fn is_fact(request: &[u8], sent: &[u8]) -> bool {
    let look_ups: [&[u8]; 6] = [b"GET /containers/", b"GET /exec/", b"GET /volumes/", b"GET /networks/", b"GET /images/", b"GET /info "];
    let unversioned = !sent.windows(3).take(64).any(|window| window == b"/v1");
    let client_asked = sent.starts_with(b"GET ") && unversioned;
    !client_asked && look_ups.iter().any(|start| request.starts_with(start))
}

fn run(case: &Case, doors: &Doors, upstream: &Recorder) -> Outcome {
    let sent = case.bytes();
    let mut client = doors.connect(case);
    client.send(&sent);
    let first = client.reply(sent.starts_with(b"HEAD "));
    let later = client.finish();
    let mut forwarded = upstream.take();
    forwarded.retain(|request| !is_fact(request, &sent));
    Outcome { forwarded, first, later }
}

/// What is wrong with an outcome, in words.
fn fault(case: &Case, outcome: &Outcome) -> Option<String> {
    let passed = !outcome.forwarded.is_empty();
    let status = outcome.first.as_ref().map(|reply| reply.status);
    if outcome.forwarded.len() > 1 {
        return Some("more than one request reached the upstream".to_owned());
    }
    if passed && !case.may_pass() {
        return Some("must be refused, and was forwarded".to_owned());
    }
    if case.first_passes() {
        let refused_later = outcome.later.iter().all(|reply| (400..500).contains(&reply.status));
        return (!passed || status != Some(200) || !refused_later).then(|| "the first request must pass, and nothing after it".to_owned());
    }
    if passed {
        return (status.is_none_or(|status| status >= 500) || !outcome.later.is_empty())
            .then(|| format!("was forwarded, and answered with {status:?}"));
    }
    if status.is_some_and(|status| !(400..500).contains(&status)) {
        return Some(format!("did not reach the upstream, and was answered with {status:?}"));
    }
    let known = REFUSED_ALL_THE_SAME.iter().any(|(id, _, _)| *id == case.id);
    (case.benign() && !known).then(|| "must be forwarded, and was refused".to_owned())
}

/// The reason in the record of a reply.
fn reason(reply: Option<&Reply>, records: &BTreeMap<String, Value>) -> String {
    let record = reply.and_then(|reply| records.get(reply.header("dockgate-ref")?));
    record.and_then(|record| record["reason"].as_str()).unwrap_or("closed").to_owned()
}

#[test]
fn every_request_of_the_corpus_gets_its_verdict_and_only_golden_bytes_reach_the_upstream() {
    let cases = cases();
    // a key that nobody knows would be a case that is run wrongly
    let unknown: BTreeSet<&String> =
        cases.iter().flat_map(|case| case.remarks.keys()).filter(|key| !REMARKS.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "unknown keys {unknown:?}");
    let folder = tempfile::tempdir().unwrap();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let doors = Doors::new(folder.path(), &cases);
    let gate = Gate::start(folder.path(), &doors.toml(upstream.path()), &doors.paths());
    upstream.take();
    // one after the other: whatever reaches the upstream belongs to the case that runs
    let outcomes: Vec<Outcome> = cases.iter().map(|case| run(case, &doors, &upstream)).collect();
    let records = gate.stop();
    assert!(upstream.take().is_empty(), "requests reached the upstream after all cases");
    let mut faults: Vec<String> = Vec::new();
    for (case, outcome) in cases.iter().zip(&outcomes) {
        faults.extend(fault(case, outcome).map(|fault| describe(case, outcome, &fault, &records)));
        faults.extend(unrecorded(case, outcome, &records));
    }
    faults.extend(refused_all_the_same(&cases, &outcomes, &records));
    faults.extend(golden(&cases, &outcomes));
    total(&cases, &outcomes, &records);
    assert!(faults.is_empty(), "{} of {CASES}:\n{}\n{}", faults.len(), faults.join("\n"), "BLESS=1 writes the golden files anew");
}

fn describe(case: &Case, outcome: &Outcome, fault: &str, records: &BTreeMap<String, Value>) -> String {
    let reply = outcome.first.as_ref().map(|reply| format!("{} {}", reply.status, reply.text())).unwrap_or_default();
    let sent = shown(&case.bytes());
    let forwarded = outcome.forwarded.iter().map(|request| shown(request)).collect::<Vec<_>>().join("\n");
    let said = format!("expect {:?}, also {:?}; {}; {reply}", case.expect, case.also_ok, reason(outcome.first.as_ref(), records));
    format!("{}: {fault} ({said})\n  sent {sent}\n  forwarded {forwarded}", case.id)
}

/// The beginning of a request: some have megabytes.
fn shown(request: &[u8]) -> String {
    String::from_utf8_lossy(&request[..request.len().min(2000)]).escape_debug().to_string()
}

/// Every reply names a record, and the record agrees with what happened.
fn unrecorded(case: &Case, outcome: &Outcome, records: &BTreeMap<String, Value>) -> Option<String> {
    let replies = outcome.first.iter().chain(&outcome.later);
    for (at, reply) in replies.enumerate() {
        let Some(record) = reply.header("dockgate-ref").and_then(|id| records.get(id)) else {
            return Some(format!("{}: reply {at} has no record", case.id));
        };
        let passed = at == 0 && !outcome.forwarded.is_empty();
        if (record["verdict"] == "allow") != passed || record["status"] != reply.status {
            return Some(format!("{}: reply {at} has another record: {record}", case.id));
        }
    }
    None
}

/// The table above says exactly which requests these are.
fn refused_all_the_same(cases: &[Case], outcomes: &[Outcome], records: &BTreeMap<String, Value>) -> Option<String> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for (case, outcome) in cases.iter().zip(outcomes) {
        if case.expect == Expected::Allow && outcome.forwarded.is_empty() {
            found.push((&case.id, reason(outcome.first.as_ref(), records)));
            report(&format!("refused, expected allow: {} [{}]", case.id, found.last().map_or("", |(_, reason)| reason)));
        }
    }
    let mut known: Vec<(&str, String)> = REFUSED_ALL_THE_SAME.iter().map(|(id, reason, _)| (*id, (*reason).to_owned())).collect();
    found.sort();
    known.sort();
    (found != known).then(|| format!("refused although an allow is expected: {found:?}, known: {known:?}"))
}

/// Compares what was forwarded with the files, or writes them.
fn golden(cases: &[Case], outcomes: &[Outcome]) -> Vec<String> {
    let folder = data("golden");
    let path = |id: &str| folder.join(format!("{id}.http"));
    let forwarded: BTreeMap<&str, &[u8]> =
        cases.iter().zip(outcomes).filter_map(|(case, outcome)| Some((case.id.as_str(), outcome.forwarded.first()?.as_slice()))).collect();
    if bless() {
        let _not_there_yet = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        forwarded.iter().for_each(|(id, bytes)| std::fs::write(path(id), bytes).unwrap());
    }
    let files: BTreeSet<PathBuf> =
        std::fs::read_dir(&folder).map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default();
    let wanted: BTreeSet<PathBuf> = forwarded.keys().map(|id| path(id)).collect();
    let mut faults: Vec<String> = files.difference(&wanted).map(|file| format!("{}: this case is not forwarded", file.display())).collect();
    for (id, bytes) in forwarded {
        let known = std::fs::read(path(id)).unwrap_or_default();
        if known != bytes {
            faults.push(format!("{id}: another golden file\n  golden {}\n  forwarded {}", shown(&known), shown(bytes)));
        }
    }
    faults
}

#[test]
fn the_judge_alone_gives_every_request_of_the_corpus_its_verdict_and_the_golden_bytes() {
    let cases = cases();
    let doors = Doors::new(Path::new("/nowhere"), &cases);
    let config = load("corpus.toml", &doors.toml(Path::new("/nowhere/engine"))).config.unwrap();
    let fault = |case: &Case| {
        let policy = config.policy(&format!("p{}", doors.at(case))).unwrap();
        let outcomes = Alone::run(&policy, &case.bytes());
        let golden = std::fs::read(data("golden").join(format!("{}.http", case.id))).ok().map(|bytes| Judged::of_bytes(&bytes));
        let forwarded: Vec<&Judged> = outcomes.iter().filter(|outcome| matches!(outcome, Judged::Forwarded(..))).collect();
        let right = match &golden {
            Some(golden) => outcomes.first() == Some(golden) && forwarded.len() == 1,
            None => forwarded.is_empty() || BY_THE_DOOR.contains(&case.id.as_str()),
        };
        (!right).then(|| format!("{}: {:.1500}, not {:.1500}", case.id, format!("{outcomes:?}"), format!("{golden:?}")))
    };
    let faults: Vec<String> = cases.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {CASES}:\n{}", faults.len(), faults.join("\n"));
}

fn total(cases: &[Case], outcomes: &[Outcome], records: &BTreeMap<String, Value>) {
    let later = outcomes
        .iter()
        .filter(|outcome| outcome.forwarded.is_empty() && reason(outcome.first.as_ref(), records) == "body-not-understood")
        .count();
    let benign: Vec<&Outcome> = cases.iter().zip(outcomes).filter(|(case, _)| case.benign()).map(|(_, outcome)| outcome).collect();
    let passed = benign.iter().filter(|outcome| !outcome.forwarded.is_empty()).count();
    assert_eq!(later, 0, "a body that no table holds");
    report(&format!("corpus: {} decided / {later} denied for now / benign forwarded {passed} of {}", outcomes.len(), benign.len()));
}
