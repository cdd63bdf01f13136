//! Bytes that readers of HTTP take differently, through the real binary: what reaches the engine is what was allowed, in canonical form.
//! Knows nothing of how the door reads; `corpus/torture.toml` says what must come of each case.

#[allow(dead_code, reason = "the tests with real engines use the rest")]
mod case;
mod exchange;
mod page;
mod replies;
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::support::engine::Recorder;
use crate::support::gate::Gate;
use crate::support::{folder, report};

use case::{After, Case, POLICY, Request, Torture};
use exchange::{Cut, Seen, run};

/// How many cases the file holds.
const CASES: usize = 328;
/// Cases up to this size are cut at every byte, longer ones at so many places.
const PLACES: usize = 40;
/// Larger cases are not sent byte by byte, but in pieces of this size.
const LARGE: usize = 8 << 10;
/// A word instead of the tag; these runs need none of their own.
const TAG: &str = "00000000";

/// One run after the other: whatever reaches the engine belongs to the run.
struct Bed<'a> {
    torture: &'a Torture,
    upstream: &'a Recorder,
    doors: Vec<PathBuf>,
    ping: Vec<u8>,
}

#[test]
fn what_reaches_the_engine_is_what_was_allowed_however_the_bytes_come() {
    let torture = Torture::load();
    assert_eq!(torture.cases.len(), CASES);
    let folder = folder();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let doors: Vec<PathBuf> = (0..CASES).map(|at| folder.path().join(format!("d{at}/s"))).collect();
    let gate = Gate::start(folder.path(), &configuration(upstream.path(), &doors), &doors);
    upstream.take();
    let bed = Bed { torture: &torture, upstream: &upstream, doors, ping: torture.request("ping", TAG) };
    let (mut faults, mut runs) = (Vec::new(), vec![0_usize; CASES]);
    for (at, case) in torture.cases.iter().enumerate() {
        let (bytes, expected) = (torture.sent(case, TAG), bed.expected(case));
        for cut in cuts(case, bytes.len()) {
            runs[at] += 1;
            let seen = run(&bed.doors[at], case, &bytes, cut, Some(&bed.ping));
            if let Some(fault) = bed.client(case, &seen).or_else(|| bed.arrived(&expected)) {
                faults.push(format!("{} {cut:?}: {fault}", case.name));
                break;
            }
        }
    }
    assert_eq!(bed.serves(), Some(200), "{}", gate.messages());
    let late = upstream.take().len();
    let told = told(&gate.stopped());
    faults.extend(recorded(&bed, &runs, &told));
    let connections: usize = runs.iter().sum();
    let (allowed, answered) = told.values().fold((0, 0), |sum, told| (sum.0 + told.allowed, sum.1 + told.answered));
    report(&format!("torture: {CASES} cases / {connections} connections / {answered} replies / {allowed} requests allowed"));
    assert!(faults.is_empty(), "{} of {connections}:\n{}", faults.len(), faults[..faults.len().min(40)].join("\n"));
    assert_eq!(late, 1, "the ping");
}

fn configuration(upstream: &Path, doors: &[PathBuf]) -> String {
    let mut text = format!("version = 1\n[upstream]\nurl = \"unix://{}\"\n{POLICY}", upstream.display());
    for door in doors {
        write!(text, "[[door]]\nlisten = \"unix://{}\"\npolicy = \"torture\"\n", door.display()).unwrap();
    }
    text
}

/// In one piece, byte by byte, and in two pieces that meet at every byte, or at many of a long one.
fn cuts(case: &Case, length: usize) -> Vec<Cut> {
    if case.is_slow() || length == 0 {
        return vec![Cut::Whole];
    }
    let step = length.div_ceil(PLACES).max(1);
    let small = Cut::Every(if length > LARGE { 1021 } else { 1 });
    let places = if length > LARGE { length.div_ceil(16) } else { step };
    [Cut::Whole, small].into_iter().chain((1..length).step_by(places).map(Cut::At)).collect()
}

impl Bed<'_> {
    fn expected(&self, case: &Case) -> Vec<Request> {
        let next = (case.after == After::Open).then(|| self.torture.one_forwarded("ping", TAG));
        self.torture.forwarded(case, TAG).into_iter().chain(next).collect()
    }

    fn client(&self, case: &Case, seen: &Seen) -> Option<String> {
        if seen.statuses() != case.status {
            let shown: Vec<String> = seen.replies.iter().map(|reply| String::from_utf8_lossy(&reply.body).into_owned()).collect();
            self.upstream.take();
            return Some(format!("expected {:?}, got {:?} {shown:?}", case.status, seen.statuses()));
        }
        let continues: usize = seen.replies.iter().map(|reply| reply.continues).sum();
        if continues != case.continues {
            return Some(format!("{continues} times `100 Continue`"));
        }
        seen.fault.clone()
    }

    /// Exactly these requests, each byte for byte but for how a relayed body was cut into chunks.
    fn arrived(&self, expected: &[Request]) -> Option<String> {
        let start = Instant::now();
        loop {
            let seen: Vec<Request> = self.upstream.seen().iter().map(|bytes| Request::read(bytes)).collect();
            if seen == expected {
                self.upstream.take();
                return None;
            }
            // one that broke off comes without a reply that could be waited for
            if start.elapsed() > Duration::from_secs(2) {
                self.upstream.take();
                return Some(format!("expected {expected:#?}, arrived {seen:#?}"));
            }
            std::thread::yield_now();
        }
    }

    fn serves(&self) -> Option<u16> {
        let mut wire = wire::Wire::open(&self.doors[0]);
        wire.send(&self.ping);
        wire.reply(false).map(|reply| reply.status)
    }
}

/// What the trail says of a door.
#[derive(Default)]
struct Told {
    allowed: usize,
    answered: usize,
}

#[derive(Deserialize)]
struct Record {
    stage: String,
    door: Option<String>,
    verdict: Option<String>,
    status: Option<u16>,
}

/// The last record of each call, by its door.
fn told(trail: &str) -> BTreeMap<String, Told> {
    let mut doors: BTreeMap<String, Told> = BTreeMap::new();
    for line in trail.lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        if let ("single" | "outcome" | "end", Some(door)) = (record.stage.as_str(), record.door) {
            let told = doors.entry(door).or_default();
            told.allowed += usize::from(record.verdict.as_deref() == Some("allow"));
            told.answered += usize::from(record.status.is_some());
        }
    }
    doors
}

/// The trail counts as many allowed requests of each door as its case has, over all runs, and as many answers.
fn recorded(bed: &Bed<'_>, runs: &[usize], told: &BTreeMap<String, Told>) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, case) in bed.torture.cases.iter().enumerate() {
        let none = Told::default();
        let told = told.get(&format!("unix://{}", bed.doors[at].display())).unwrap_or(&none);
        let extra = if at == 0 { 2 } else { 0 }; // the first and the last ping of all
        let next = usize::from(case.after == After::Open);
        let allowed = (case.forwarded.len() + next) * runs[at] + extra;
        let answered = (case.status.len() + next) * runs[at] + extra;
        if (told.allowed, told.answered) != (allowed, answered) {
            let runs = runs[at];
            faults.push(format!(
                "{}: after {runs} runs {} allowed of {allowed}, {} answered of {answered}",
                case.name, told.allowed, told.answered
            ));
        }
    }
    faults
}
