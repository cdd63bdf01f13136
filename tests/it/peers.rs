//! What other proxies of the engine's socket once let through, each by name: judged alone, and through the real binary.
//! `corpus/peers.json` holds the cases. Knows nothing of single checks.

pub mod alone;
mod case;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dockgate::config::{Severity, load};
use dockgate::policy::Policy;
use serde_json::Value as Json;

use crate::support::client::{Client, Reply};
use crate::support::engine::{Recorder, position};
use crate::support::gate::Gate;
use crate::support::{data, report};

use alone::{Alone, Outcome};
use case::{Answer, Case, File};

/// How many cases the file holds, how many of them begin with a refusal, and how many are refused amid an archive.
const CASES: usize = 223;
const REFUSED: usize = 195;
const CUT: usize = 22;
/// The items that the names begin with; all others are named after a class of faults.
const ITEMS: u32 = 46;
const CLASSES: [&str; 2] = ["cve-", "open-"];

fn file() -> File {
    serde_json::from_slice(&std::fs::read(data("peers.json")).unwrap()).unwrap()
}

/// A policy and a door for each distinct setting.
struct Config {
    folder: PathBuf,
    keys: Vec<Key>,
    tcp: BTreeMap<usize, SocketAddr>,
}

type Key = (String, String, Option<String>);

fn key(case: &Case) -> Key {
    (case.policy.clone(), case.create.clone(), case.tcp.clone())
}

impl Config {
    fn new(folder: &Path, cases: &[Case]) -> Self {
        let keys: Vec<Key> = cases.iter().map(key).collect::<BTreeSet<_>>().into_iter().collect();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let tcp = keys.iter().enumerate().filter(|(_, (_, _, tcp))| tcp.is_some()).map(|(at, _)| (at, free())).collect();
        Self { folder: folder.to_owned(), keys, tcp }
    }

    fn at(&self, case: &Case) -> usize {
        let wanted = key(case);
        self.keys.iter().position(|known| *known == wanted).unwrap()
    }

    fn path(&self, at: usize) -> PathBuf {
        self.folder.join(format!("d{at}/s"))
    }

    fn unix_doors(&self) -> Vec<PathBuf> {
        (0..self.keys.len()).filter(|at| !self.tcp.contains_key(at)).map(|at| self.path(at)).collect()
    }

    fn toml(&self) -> String {
        let engine = self.folder.join("engine");
        let limits = "[limits]\nhead-timeout = \"1s\"\nbody-timeout = \"1s\"\n";
        let mut out = format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n{limits}", engine.display());
        for (at, (policy, create, tcp)) in self.keys.iter().enumerate() {
            let listen =
                self.tcp.get(&at).map_or_else(|| format!("unix://{}", self.path(at).display()), |address| format!("tcp://{address}"));
            writeln!(out, "[[door]]\nlisten = \"{listen}\"\npolicy = \"p{at}\"\n{}", tcp.as_deref().unwrap_or_default()).unwrap();
            writeln!(out, "[policy.p{at}]\n{policy}\n[policy.p{at}.create]\n{create}").unwrap();
        }
        out
    }

    fn policies(&self) -> Vec<Arc<Policy>> {
        let loaded = load("peers.toml", &self.toml());
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let config = loaded.config.unwrap();
        (0..self.keys.len()).map(|at| config.policy(&format!("p{at}")).unwrap()).collect()
    }

    fn connect(&self, case: &Case) -> Client {
        let at = self.at(case);
        self.tcp.get(&at).map_or_else(|| Client::unix(&self.path(at)), |address| Client::tcp(*address))
    }
}

/// What is wrong with the outcomes of a case, in words. `alone` is true without a door and a clock.
fn wrong(case: &Case, outcomes: &[Outcome], alone: bool) -> Option<String> {
    let reason = |outcome: &Outcome| match outcome {
        Outcome::Refused(reason, _) => reason.clone(),
        Outcome::Forwarded(..) => "forwarded".to_owned(),
    };
    let right = match case.alone.as_ref().filter(|_| alone) {
        Some(wanted) => outcomes.iter().map(reason).eq([wanted.clone()]),
        None => {
            let mut forwards = case.forwards().into_iter();
            let same = |(answer, outcome): (&Answer, &Outcome)| match (answer, outcome) {
                (Answer::Refused { reason, at, .. }, Outcome::Refused(seen, place)) => {
                    reason == seen && at.as_ref().is_none_or(|at| at == place)
                }
                (Answer::Forwarded { .. }, _) => forwards.next().is_some_and(|bytes| Outcome::of_bytes(&bytes) == *outcome),
                (Answer::Refused { .. }, Outcome::Forwarded(..)) => false,
            };
            case.answers.len() == outcomes.len() && case.answers.iter().zip(outcomes).all(same)
        }
    };
    (!right).then(|| format!("{}: {:.1500}, not {:.1500}", case.name, format!("{:?}", case.answers), format!("{outcomes:?}")))
}

/// Counts, names that stand once, and every item held somewhere.
fn complete(file: &File) -> Vec<String> {
    let names: BTreeSet<&str> = file.cases.iter().map(|case| case.name.as_str()).collect();
    let refused = file.cases.iter().filter(|case| matches!(case.answers.first(), Some(Answer::Refused { .. }))).count();
    let cut = file.cases.iter().filter(|case| case.is_cut()).count();
    assert_eq!((file.cases.len(), names.len(), refused, cut), (CASES, CASES, REFUSED, CUT));
    let number =
        |name: &str| name.strip_prefix('p').and_then(|rest| rest.split_once('-')).and_then(|(digits, _)| digits.parse::<u32>().ok());
    let mut faults: Vec<String> = names
        .iter()
        .filter(|name| {
            !CLASSES.iter().any(|class| name.starts_with(class)) && !number(name).is_some_and(|item| (1..=ITEMS).contains(&item))
        })
        .map(|name| format!("{name}: which item is this"))
        .collect();
    faults.extend(
        file.cases.iter().filter(|case| case.why.is_empty() || case.answers.is_empty()).map(|case| format!("{}: empty", case.name)),
    );
    let denied = denied_bodies();
    for item in 1..=ITEMS {
        let listed: Vec<_> = file.items.iter().filter(|listed| listed.item == item).collect();
        let covered = listed.iter().flat_map(|listed| &listed.covered_by);
        let unknown = covered.clone().filter(|name| !name.strip_prefix("bodies:").is_some_and(|id| denied.contains(id)));
        faults.extend(unknown.map(|name| format!("item {item}: `{name}` is no denied case")));
        let excused = listed.iter().any(|listed| listed.not_applicable.as_ref().is_some_and(|reason| !reason.is_empty()));
        if !excused && covered.count() == 0 && !names.iter().any(|name| number(name) == Some(item)) {
            faults.push(format!("item {item} is held by nothing"));
        }
    }
    faults
}

/// The ids of the cases of `bodies.json` that are denied; other tests run them.
fn denied_bodies() -> BTreeSet<String> {
    let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(data("bodies.json")).unwrap()).unwrap();
    let denied = cases.iter().filter(|case| case["expect"] == "deny");
    denied.map(|case| case["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_judge_alone_refuses_every_bypass_that_a_peer_had() {
    let file = file();
    let config = Config::new(Path::new("/nowhere"), &file.cases);
    let policies = config.policies();
    let mut faults = complete(&file);
    let outcomes = |case: &Case| Alone::run(&policies[config.at(case)], &case.bytes());
    faults.extend(file.cases.iter().filter_map(|case| wrong(case, &outcomes(case), true)));
    report(&format!("peers: {CASES} judged alone / {REFUSED} refused / {ITEMS} items / {} policies", policies.len()));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
}

/// Sends a case; what the gate itself looks up, which asks for no version, does not count as forwarded.
fn run(case: &Case, config: &Config, upstream: &Recorder) -> (Vec<Vec<u8>>, Vec<Reply>) {
    let sent = case.bytes();
    let mut client = config.connect(case);
    client.send(&sent);
    let mut replies: Vec<Reply> = case.answers.iter().map_while(|_| client.reply(sent.starts_with(b"HEAD "))).collect();
    replies.extend(client.finish());
    let mut requests = upstream.take();
    requests.retain(|request| !request.starts_with(b"GET /") || request.starts_with(b"GET /v1."));
    (requests, replies)
}

/// The bytes of a request, with a version in place of this release's.
fn unversioned(request: &[u8]) -> Vec<u8> {
    let own = concat!("user-agent: dockgate/", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes();
    let Some(at) = position(request, own) else { return request.to_vec() };
    [&request[..at], b"user-agent: dockgate/VERSION\r\n", &request[at + own.len()..]].concat()
}

/// True for an archive that the upstream saw whole.
fn ends_well(request: &[u8]) -> bool {
    let body = position(request, b"\r\n\r\n").map_or(request.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&request[..body]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|digits| digits.parse::<usize>().ok());
    head.contains("application/x-tar") && length.is_none_or(|length| request.len() >= body + length)
}

#[test]
fn the_real_binary_refuses_every_bypass_that_a_peer_had() {
    let File { items, cases } = file();
    // what is refused amid its body comes last: its head may still be on its way upstream when its reply is here
    let (cut, whole): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::is_cut);
    let cases: Vec<Case> = whole.into_iter().chain(cut).collect();
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path(), &cases);
    let upstream = Recorder::start(&folder.path().join("engine"));
    let doors = config.unix_doors();
    let gate = Gate::start(folder.path(), &config.toml(), &doors);
    for door in &doors {
        assert_eq!(std::fs::metadata(door).unwrap().permissions().mode() & 0o777, 0o660, "{}", door.display());
    }
    upstream.take();
    let runs: Vec<(Vec<Vec<u8>>, Vec<Reply>)> = cases.iter().map(|case| run(case, &config, &upstream)).collect();
    let log = gate.messages();
    let records = gate.stop();
    let mut faults = complete(&File { items, cases: file().cases });
    // a request whose end the upstream saw stands above
    let late: Vec<Vec<u8>> = runs.iter().flat_map(|(requests, _)| requests.clone()).chain(upstream.take()).collect();
    for (case, (requests, replies)) in cases.iter().zip(&runs) {
        faults.extend(fault_of_run(case, requests, replies, &records));
        faults.extend(case.lacks.as_ref().filter(|text| log.contains(*text)).map(|text| format!("{}: the log has {text:?}", case.name)));
    }
    let expected: BTreeSet<Vec<u8>> = cases.iter().flat_map(Case::forwards).collect();
    let evil = late
        .iter()
        .filter(|request| position(request, b"payload").is_some() || ends_well(request) && !expected.contains(&unversioned(request)));
    let evil: Vec<_> = evil.map(|request| String::from_utf8_lossy(request)).collect();
    let replies: usize = runs.iter().map(|(_, replies)| replies.len()).sum();
    report(&format!("peers: {CASES} through the binary / {REFUSED} refused / {replies} replies / {} doors", config.keys.len()));
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults.join("\n"));
    assert!(evil.is_empty(), "the content of a refused entry, or the end of its archive, reached the upstream: {evil:?}");
    assert_eq!(records.len(), replies + 1, "one record for each reply and for the first ping, none that a request wrote itself");
}

fn fault_of_run(case: &Case, requests: &[Vec<u8>], replies: &[Reply], records: &BTreeMap<String, Json>) -> Option<String> {
    let seen: Vec<Vec<u8>> = requests.iter().map(|request| unversioned(request)).collect();
    let shown =
        |bytes: &[Vec<u8>]| bytes.iter().map(|one| String::from_utf8_lossy(&one[..one.len().min(1500)]).into_owned()).collect::<Vec<_>>();
    if !case.is_cut() && seen != case.forwards() {
        return Some(format!("{}: upstream saw {:?}, not {:?}", case.name, shown(&seen), shown(&case.forwards())));
    }
    let record = |reply: &Reply| reply.header("dockgate-ref").and_then(|id| records.get(id));
    let mut forwarded = seen.iter();
    let mut outcomes = Vec::new();
    for (answer, reply) in case.answers.iter().zip(replies) {
        let Some(record) = record(reply) else { return Some(format!("{}: a reply without a record", case.name)) };
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let status = match answer {
            Answer::Refused { status, .. } => *status == reply.status,
            Answer::Forwarded { .. } => matches!(reply.status, 101 | 200..=299),
        };
        if !status || record["status"] != reply.status {
            return Some(format!(
                "{}: status {} in the reply, {} in the record: {}",
                case.name,
                reply.status,
                record["status"],
                reply.text()
            ));
        }
        if case.lacks.as_ref().is_some_and(|lacking| reply.text().contains(lacking)) {
            return Some(format!("{}: the reply says too much: {}", case.name, reply.text()));
        }
        outcomes.push(match answer {
            Answer::Refused { .. } => Outcome::Refused(text("reason"), text("at")),
            Answer::Forwarded { .. } => Outcome::of_bytes(forwarded.next()?),
        });
    }
    if replies.len() != case.answers.len() {
        return Some(format!("{}: {} replies: {:?}", case.name, replies.len(), replies.iter().map(Reply::text).collect::<Vec<_>>()));
    }
    wrong(case, &outcomes, false)
}
