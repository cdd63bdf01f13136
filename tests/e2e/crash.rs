//! dockgate killed with SIGKILL at every point between a client's first byte and the outcome, in front of a real engine: whatever
//! the engine did has an intent that was there before, and `audit verify` names exactly what has no outcome. Creates only.

mod point;
mod valve;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::bed::Bed;
use crate::engine::{Engine, engines};
use crate::gate::Gate;
use crate::process::{run, until};
use crate::raw::{self, Wire};

use point::{KINDS, Kind, POINTS, Point, name_of};
use valve::{Then, Valve};

const DOOR: &str = "everything";
/// Clients that create at once where the moment is left to chance.
const CLIENTS: usize = 3;

#[test]
fn what_the_engine_did_has_an_intent_wherever_dockgate_was_killed() {
    engines().iter().for_each(|engine| survive(engine, 25));
}

#[test]
#[ignore = "takes minutes"]
fn what_the_engine_did_has_an_intent_in_two_hundred_deaths() {
    engines().iter().for_each(|engine| survive(engine, 200));
}

/// A reply of 201 that a client got: what it created, and the reference.
struct Told {
    name: String,
    reference: String,
}

impl Told {
    fn of(head: &str, name: String) -> Option<Self> {
        let reference = head.lines().find_map(|line| line.strip_prefix("Dockgate-Ref: "))?.to_owned();
        head.starts_with("HTTP/1.1 201").then_some(Self { name, reference })
    }
}

/// What a point came to, over all its rounds.
#[derive(Debug, Default)]
struct Figures {
    rounds: usize,
    intents: usize,
    open: usize,
    arrived: usize,
    made: usize,
    told: usize,
}

/// An engine behind a valve, and dockgate before it, again and again on one trail.
struct Rig {
    bed: Bed,
    valve: Valve,
    trail: PathBuf,
    _folder: TempDir,
    /// The names of changes that came to the engine's side, and whether their intents were in the file by then.
    arrived: Arc<Mutex<Vec<(String, bool)>>>,
}

fn survive(engine: &'static Engine, rounds: usize) {
    let (mut rig, begun) = (Rig::new(engine), Instant::now());
    let mut table: BTreeMap<Point, Figures> = BTreeMap::new();
    for round in 0..rounds {
        let (point, kind) = (POINTS[round % POINTS.len()], KINDS[(round + round / POINTS.len()) % KINDS.len()]);
        let prefix = rig.bed.name(&format!("r{round}-"));
        let told = rig.play(point, kind, &prefix);
        rig.start();
        rig.check(point, &prefix, &told, table.entry(point).or_default());
    }
    rig.bed.gate.terminate();
    assert_eq!(rig.bed.gate.code(), 0);
    let lines = lines(&rig.trail);
    rig.verify(&open(&lines));
    let recovered: Vec<&Value> = lines.iter().filter(|line| line["event"] == "recovered").collect();
    assert_eq!(recovered.len(), rounds, "every death is told once");
    let torn = recovered.iter().filter(|line| line["detail"]["torn-bytes"].is_u64()).count();
    let mut said = format!("{rounds} deaths on {} in {:.0} s, {torn} torn lines\n", engine.label, begun.elapsed().as_secs_f64());
    for (point, of) in table {
        said += &format!(
            "{:<11} {:>3} rounds: {:>3} intents, {:>3} of them open; {:>3} arrived, {:>3} made, {:>3} told\n",
            format!("{point:?}"),
            of.rounds,
            of.intents,
            of.open,
            of.arrived,
            of.made,
            of.told
        );
    }
    let _nobody_reads_it = std::io::stderr().write_all(said.as_bytes()); // past the capture
}

impl Rig {
    fn new(engine: &'static Engine) -> Self {
        let folder = memory();
        let trail = folder.path().join("audit.jsonl");
        let bed = Bed::behind(engine, |bed| Gate::auditing(bed, &bed.join("engine.sock"), &trail));
        let socket = bed.folder.path().join("engine.sock");
        let (arrived, file) = (Arc::new(Mutex::new(Vec::new())), trail.clone());
        let heard = Arc::clone(&arrived);
        let valve = Valve::start(&socket, &engine.socket, move |change| {
            let name = name_of(change);
            let known = intended(&file, &name);
            heard.lock().unwrap().push((name, known));
        });
        Self { bed, valve, trail, _folder: folder, arrived }
    }

    /// Starts dockgate again, on what its death has left.
    fn start(&mut self) {
        let folder = self.bed.folder.path();
        self.bed.gate = Gate::auditing(folder, &folder.join("engine.sock"), &self.trail);
    }

    /// Brings dockgate to a point and kills it there; returns what clients were told.
    fn play(&mut self, point: Point, kind: Kind, prefix: &str) -> Vec<Told> {
        let door = self.bed.socket(DOOR);
        assert_eq!(raw::get(&door, "/_ping").body, "OK", "{point:?}");
        self.valve.hold(point.hold());
        let name = format!("{prefix}x");
        let (head, body) = kind.request(&name, "1.1");
        let whole = format!("{head}\r\n{body}");
        let (mut wire, mut told) = (Wire::open(&door), Vec::new());
        let before = open(&lines(&self.trail));
        match point {
            Point::HalfHead => {
                // one piece: with the answer to the first request, the half of the second has been read
                wire.send(&format!("GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n{}", &head[..head.len() / 2]));
                assert!(wire.head().starts_with("HTTP/1.1 200"));
            }
            Point::HalfBody => {
                wire.send(&format!("{head}Expect: 100-continue\r\n\r\n"));
                assert!(wire.head().starts_with("HTTP/1.1 100"));
                wire.send(&body[..body.len() / 2]);
            }
            Point::Intent => {
                wire.send(&whole);
                until("the intent", || intended(&self.trail, &name).then_some(()));
            }
            Point::Sent | Point::SentLate | Point::Done => {
                wire.send(&whole);
                self.valve.reached();
            }
            Point::AlmostTold => {
                wire.send(&whole);
                self.valve.reached();
                assert!(wire.head().starts_with("HTTP/1.1 201"));
            }
            Point::Told | Point::Noted => {
                wire.send(&whole);
                let head = wire.head();
                assert!(head.starts_with("HTTP/1.1 201"), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
                wire.take(length.parse().unwrap());
                if point == Point::Noted {
                    until("the outcome", || open(&lines(&self.trail)).is_subset(&before).then_some(()));
                }
                told.extend(Told::of(&head, name));
            }
            Point::Chance => return self.chance(&door, prefix),
        }
        self.bed.gate.kill();
        self.valve.release(if point == Point::Sent { Then::Dropped } else { Then::GoesOn });
        told
    }

    /// Some clients create, and dockgate dies at some moment after some replies.
    fn chance(&mut self, door: &Path, prefix: &str) -> Vec<Told> {
        let (tell, heard) = mpsc::channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (door, prefix, tell) = (door.to_owned(), format!("{prefix}c{client}-"), tell.clone());
                thread::spawn(move || create(&door, &prefix, client, &tell))
            })
            .collect();
        drop(tell);
        let mut told: Vec<Told> = (0..random(5)).map(|_| heard.recv().unwrap()).collect();
        let (moment, from) = (Duration::from_micros(random(40_000)), Instant::now());
        while from.elapsed() < moment {
            std::hint::spin_loop();
        }
        self.bed.gate.kill();
        self.valve.release(Then::GoesOn);
        clients.into_iter().for_each(|client| client.join().unwrap());
        told.extend(heard);
        told
    }

    /// Holds the engine, the trail and what was told against each other, and takes away what was made.
    fn check(&self, point: Point, prefix: &str, told: &[Told], figures: &mut Figures) {
        let (lines, context) = (lines(&self.trail), format!("{point:?}, {prefix}"));
        let intents: BTreeMap<&str, &Value> = lines
            .iter()
            .filter(|line| line["stage"] == "intent")
            .filter_map(|line| Some((line["names"][0].as_str().filter(|name| name.starts_with(prefix))?, line)))
            .collect();
        let arrived = std::mem::take(&mut *self.arrived.lock().unwrap());
        let early: Vec<_> = arrived.iter().filter(|(_, known)| !known).collect();
        assert!(early.is_empty(), "{context}: the engine was sent what the trail did not hold by then: {early:?}");
        let mut made = 0;
        for kind in KINDS {
            for name in kind.names(&self.bed.engine.socket, prefix) {
                let intent = intents.get(&*name).unwrap_or_else(|| panic!("{context}: `{name}` was made, and there is no intent"));
                assert_eq!((&intent["operation"], intent["id"].is_string()), (&kind.operation().into(), true), "{context}: {intent}");
                assert!(arrived.iter().any(|(arrived, _)| *arrived == name), "{context}: `{name}` came another way");
                let gone = raw::ask(&self.bed.engine.socket, "DELETE", &format!("/{}/{name}", kind.folder()), None);
                assert_eq!(gone.status, 204, "{context}: {gone:?}");
                made += 1;
            }
        }
        for Told { name, reference } in told {
            assert_eq!(intents.get(&**name).map(|intent| &intent["id"]), Some(&reference.as_str().into()), "{context}: `{name}` was told");
        }
        let open = open(&lines);
        self.verify(&open);
        let still = intents.values().filter(|intent| open.contains(intent["id"].as_str().unwrap())).count();
        let (left, leaves) = ([intents.len(), still, made], point.leaves());
        let fits = left.iter().zip(leaves).all(|(found, expected)| expected.is_none_or(|expected| expected == *found));
        assert!(fits, "{context}: intents, open ones and objects are {left:?}, and not {leaves:?}");
        assert!(made >= told.len(), "{context}: {made} made, {} told", told.len());
        figures.rounds += 1;
        figures.intents += intents.len();
        figures.open += still;
        figures.arrived += arrived.len();
        figures.made += made;
        figures.told += told.len();
    }

    /// `audit verify` finds the trail whole and names exactly these intents.
    fn verify(&self, open: &BTreeSet<String>) {
        let verified = run(Gate::command(&["audit", "verify", "--format", "json", self.trail.to_str().unwrap()]));
        assert_eq!(verified.code, if open.is_empty() { 0 } else { 3 }, "{}", verified.shown());
        let report: Value = serde_json::from_str(&verified.out).unwrap();
        let named = report[0]["open"].as_array().into_iter().flatten().filter_map(|open| open["id"].as_str());
        assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), *open, "{}", verified.shown());
    }
}

/// Creates with names of its own until dockgate is gone.
fn create(door: &Path, prefix: &str, client: usize, tell: &mpsc::Sender<Told>) {
    for number in 0.. {
        let name = format!("{prefix}n{number}");
        let (head, body) = KINDS[(client + number) % KINDS.len()].request(&name, "1.0");
        let mut text = String::new();
        let asked = UnixStream::connect(door).and_then(|mut stream| {
            stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
            stream.read_to_string(&mut text)
        });
        let Some((head, _)) = text.split_once("\r\n\r\n") else { return };
        tell.send(Told::of(head, name).unwrap_or_else(|| panic!("{text}"))).unwrap();
        if asked.is_err() {
            return;
        }
    }
}

/// A folder in memory where there is one. A busy disk may take longer to sync than the trail waits, and changes are refused then;
/// what SIGKILL leaves in a file does not depend on that.
fn memory() -> TempDir {
    let shared = Path::new("/dev/shm");
    tempfile::Builder::new().prefix("dg").tempdir_in(if shared.is_dir() { shared } else { Path::new("/tmp") }).unwrap()
}

/// The text of the trail up to its last whole line: while dockgate runs, it may be in the middle of one.
fn text(trail: &Path) -> String {
    let mut bytes = fs::read(trail).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    String::from_utf8(bytes).unwrap()
}

fn lines(trail: &Path) -> Vec<Value> {
    text(trail).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: `{line}`"))).collect()
}

/// The ids of intents that no outcome follows.
fn open(lines: &[Value]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for line in lines {
        let id = line["id"].as_str().unwrap().to_owned();
        match line["stage"].as_str().unwrap() {
            "intent" => assert!(open.insert(id), "two intents: {line}"),
            "outcome" => assert!(open.remove(&id), "no intent: {line}"),
            _ => {}
        }
    }
    open
}

/// True where the intent of this name is in the file now.
fn intended(trail: &Path, name: &str) -> bool {
    let text = text(trail);
    let mut named = text.lines().filter(|line| line.contains(name)).map(|line| serde_json::from_str::<Value>(line).unwrap());
    named.any(|line| line["stage"] == "intent" && line["names"][0] == name)
}

/// A number below a bound, another one in every run.
fn random(bound: u64) -> u64 {
    RandomState::new().build_hasher().finish() % bound
}
