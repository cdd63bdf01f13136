//! Container creates against real engines: what is allowed becomes exactly what was judged, what is mutated never becomes more,
//! and what is denied would really have been done. Knows the corpus and inspects; containers are created, never started.

mod mutate;
mod tap;
mod view;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::bed::{Bed, usable};
use crate::engine::Engine;
use crate::gate::Gate;
use crate::raw::{Wire, ask, get};

use mutate::Dice;
use tap::Tap;

/// The corpus has at least so many creates that are allowed, and that are denied; its own tests know how many exactly.
const LEAST_ALLOWED: usize = 98;
const LEAST_DENIED: usize = 225;

/// Fewer allowed cases than this, made for real by an engine, would prove little.
const LEAST_MADE: usize = 70;
/// So many denied bodies at least must show on the engine what they were denied for.
const LEAST_SHOWN: usize = 100;

/// How many bodies are made up for each engine, from which seed on; and how many of them at least are forwarded, made by the
/// engine, and denied although they would have done harm.
const MADE_UP: u64 = 700;
const FIRST_SEED: u64 = 20_260_000;
const LEAST_FORWARDED: usize = 130;
const LEAST_INSPECTED: usize = 120;
const LEAST_HARMFUL: usize = 60;

/// The image that the corpus names; each bed has one of its own in its place.
const IMAGE: &str = "alpine:3.20";

/// What `bodies.json` says of a case.
#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    op: String,
    #[serde(default)]
    create: String,
    body: Option<Value>,
    expect: String,
    at: Option<String>,
}

impl Case {
    /// The body as it is sent, with names that only this bed has.
    fn body(&self, rig: &Rig) -> String {
        let text = match &self.body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        text.replace(IMAGE, &rig.image).replace("\"ci-a", &format!("\"{}", rig.bed.name("a")))
    }
}

/// The creates of the corpus: those that are allowed, those that are denied.
fn creates() -> (Vec<Case>, Vec<Case>) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/bodies.json");
    let mut cases: Vec<Case> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    cases.retain(|case| case.op == "POST /containers/create");
    cases.extend(peers());
    let (allowed, denied): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.expect == "allow");
    assert!(allowed.len() >= LEAST_ALLOWED && denied.len() >= LEAST_DENIED, "{} and {}", allowed.len(), denied.len());
    (allowed, denied)
}

/// The creates among the holes that others had, where nothing but the body matters.
fn peers() -> Vec<Case> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/peers.json");
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let plain = |case: &&Value| {
        case["op"] == "POST /v1.47/containers/create" && case["headers"].is_null() && !case["body"].to_string().contains("<<")
    };
    let case = |case: &Value| {
        let answer = &case["answers"][0];
        Case {
            id: text(&case["name"]),
            op: "POST /containers/create".to_owned(),
            create: text(&case["create"]),
            body: Some(case["body"].clone()),
            expect: if answer["forwards"].is_null() { "deny" } else { "allow" }.to_owned(),
            at: answer["at"].as_str().map(str::to_owned),
        }
    };
    file["cases"].as_array().unwrap().iter().filter(plain).map(case).collect()
}

/// An engine behind a tap behind a gate that has a door for each of the corpus' settings.
struct Rig {
    bed: Bed,
    tap: Tap,
    image: String,
    /// What the engine makes of a body that asks for nothing.
    plain: Value,
    /// The settings, in the order of their doors.
    settings: Vec<String>,
    made: Cell<usize>,
}

/// What became of a body.
enum Outcome {
    /// Nothing reached the engine.
    Refused,
    /// The engine had the judged body and would not have it: its message.
    Declined(String),
    /// The engine made this of the judged body.
    Made { judged: Value, seen: Value, warnings: Value },
}

impl Rig {
    fn new(engine: &'static Engine, cases: &(Vec<Case>, Vec<Case>)) -> Self {
        eprintln!("--- {}", engine.label);
        let settings: BTreeSet<String> = cases.0.iter().chain(&cases.1).map(|case| case.create.clone()).collect();
        let settings: Vec<String> = settings.into_iter().collect();
        let folder = tempfile::Builder::new().prefix("dg").tempdir_in("/tmp").unwrap();
        let name = folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
        let tag = format!("{}{}", name.replace('.', ""), std::process::id());
        let tap = Tap::start(&folder.path().join("tap"), &engine.socket);
        let doors: Vec<String> = (0..settings.len()).map(|at| format!("b{at}")).collect();
        let doors: Vec<&str> = doors.iter().map(String::as_str).collect();
        let gate = Gate::start(folder.path(), &folder.path().join("tap"), &policies(&settings), &doors);
        let image = format!("busybox:{tag}");
        let tagged = ask(&engine.socket, "POST", &format!("/images/busybox:latest/tag?repo=busybox&tag={tag}"), None);
        assert_eq!(tagged.status, 201, "{tagged:?}");
        let bed = Bed { tag, gate, folder, engine };
        let mut rig = Self { bed, tap, image, plain: Value::Null, settings, made: Cell::new(0) };
        rig.plain = rig.raw(&json!({ "Image": rig.image }).to_string()).unwrap();
        rig
    }

    fn path(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("/containers/create?name={}", self.bed.name(&format!("b{}", self.made.get())))
    }

    /// Sends a body through the door of its settings.
    fn sent(&self, create: &str, body: &str) -> Outcome {
        let at = self.settings.iter().position(|known| known == create).unwrap();
        self.tap.take();
        let (status, reply) = post(&mut Wire::open(&self.bed.socket(&format!("b{at}"))), &self.path(), body);
        let judged = self.tap.take();
        let [judged] = judged.as_slice() else {
            assert!(judged.is_empty(), "{body} became {judged:?}");
            assert!((400..500).contains(&status), "{body}: {status} {reply}");
            return Outcome::Refused;
        };
        let judged: Value = serde_json::from_str(judged).unwrap_or_else(|error| panic!("{error}: {body} became {judged}"));
        if status != 201 {
            return Outcome::Declined(format!("{status} {}", reply["message"].as_str().unwrap_or_default().trim()));
        }
        Outcome::Made { judged, seen: self.inspected(&reply), warnings: reply["Warnings"].clone() }
    }

    /// Sends a body to the engine itself, and says what it made of it.
    fn raw(&self, body: &str) -> Option<Value> {
        let (status, reply) = post(&mut Wire::open(&self.bed.engine.socket), &self.path(), body);
        (status == 201).then(|| self.inspected(&reply))
    }

    /// Looks at a container that was made, and removes it with its volumes.
    fn inspected(&self, reply: &Value) -> Value {
        let socket = &self.bed.engine.socket;
        let id = reply["Id"].as_str().unwrap();
        let seen = get(socket, &format!("/containers/{id}/json")).json();
        let gone = ask(socket, "DELETE", &format!("/containers/{id}?force=1&v=1"), None);
        assert_eq!(gone.status, 204, "{gone:?}");
        for mount in seen["Mounts"].as_array().into_iter().flatten() {
            // a name is left by `v`; nobody minds a volume that went with the container
            let name = mount["Name"].as_str().unwrap_or_default();
            if !name.is_empty() {
                ask(socket, "DELETE", &format!("/volumes/{name}"), None);
            }
        }
        seen
    }
}

/// A policy for each of the settings.
fn policies(settings: &[String]) -> String {
    let mut text = String::new();
    for (at, create) in settings.iter().enumerate() {
        let create = create.replace("[inject]", &format!("[policy.b{at}.create.inject]"));
        write!(text, "\n[policy.b{at}]\nallow = [\"ContainerCreate\"]\n[policy.b{at}.create]\n{create}\n").unwrap();
    }
    text
}

/// Posts text as it is; the reply's status and its JSON, however it is framed.
fn post(wire: &mut Wire, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let json = "Content-Type: application/json\r\nConnection: close";
    wire.send(&format!("POST {path} HTTP/1.1\r\nHost: docker\r\n{json}\r\nContent-Length: {length}\r\n\r\n{body}"));
    let reply = String::from_utf8_lossy(&wire.rest()).into_owned();
    let status =
        reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no reply but `{reply}` to {body}"));
    let json = reply.find('{').zip(reply.rfind('}')).and_then(|(start, end)| reply.get(start..=end));
    (status, json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default())
}

/// Prints what was counted, past the capture of test output.
fn report(text: &str) {
    use std::io::Write as _;
    let _nobody_reads_it = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn an_allowed_create_becomes_on_the_engine_what_was_judged_and_nothing_more() {
    let cases = creates();
    for engine in usable() {
        let rig = Rig::new(engine, &cases);
        let (mut made, mut faults, mut declined) = (0, Vec::new(), BTreeMap::new());
        for case in &cases.0 {
            let body = case.body(&rig);
            match rig.sent(&case.create, &body) {
                Outcome::Refused => faults.push(format!("{}: refused: {body}", case.id)),
                Outcome::Declined(why) => drop(declined.insert(&case.id, why)),
                Outcome::Made { judged, seen, warnings } => {
                    made += 1;
                    let wrong = view::differences(&judged, &seen, &rig.plain, &warnings);
                    faults.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", case.id)));
                }
            }
        }
        let label = &engine.label;
        report(&format!("bodies: {label}: {} allowed creates / {made} made and inspected / {} declined", cases.0.len(), declined.len()));
        for (id, why) in &declined {
            report(&format!("bodies: {label}: declined {id}: {why}"));
        }
        assert!(faults.is_empty(), "{label}: {}\n{}", faults.len(), faults.join("\n"));
        assert_eq!(made + declined.len(), cases.0.len());
        assert!(made >= LEAST_MADE, "{label}: {made}");
    }
}

#[test]
fn a_denied_create_would_really_have_been_done_by_the_engine() {
    let cases = creates();
    for engine in usable() {
        let rig = Rig::new(engine, &cases);
        let (mut tried, mut made, mut shown) = (0, 0, Vec::new());
        for case in &cases.1 {
            let body = case.body(&rig);
            if !view::safe_to_try(&body) {
                continue;
            }
            tried += 1;
            let Some(seen) = rig.raw(&body) else { continue };
            made += 1;
            if case.at.as_deref().is_some_and(|at| view::shows(at, &seen, &rig.plain)) {
                shown.push(case.id.as_str());
                // the comparison of the other tests sees it too
                let nothing = json!({ "Image": rig.image });
                assert!(!view::differences(&nothing, &seen, &rig.plain, &Value::Null).is_empty(), "{}: not seen in {seen}", case.id);
            }
        }
        let label = &engine.label;
        report(&format!(
            "bodies: {label}: {} denied creates / {tried} tried / {made} made / {} shown by inspect",
            cases.1.len(),
            shown.len()
        ));
        assert!(shown.len() >= LEAST_SHOWN, "{label}: only {shown:?}");
    }
}

#[test]
fn the_engine_understands_a_made_up_create_as_nothing_more_than_was_judged() {
    let cases = creates();
    for engine in usable() {
        let rig = Rig::new(engine, &cases);
        let (mut refused, mut declined, mut made, mut harmful, mut faults) = (0, 0, 0, 0, Vec::new());
        for seed in FIRST_SEED..FIRST_SEED + MADE_UP {
            let mut dice = Dice::new(seed);
            let (create, body) = made_up(&mut dice, &cases, &rig);
            match rig.sent(create, &body) {
                Outcome::Refused => {
                    refused += 1;
                    let seen = view::safe_to_try(&body).then(|| rig.raw(&body)).flatten();
                    harmful += usize::from(seen.is_some_and(|seen| !view::dangers(&seen, &rig.plain).is_empty()));
                }
                Outcome::Declined(_) => declined += 1,
                Outcome::Made { judged, seen, warnings } => {
                    made += 1;
                    let mut wrong = view::differences(&judged, &seen, &rig.plain, &warnings);
                    if create.is_empty() {
                        // nothing is granted there: whatever was judged, none of this may come out
                        wrong.extend(view::dangers(&seen, &rig.plain));
                    }
                    faults.extend(wrong.into_iter().map(|wrong| format!("seed {seed}: {wrong}\n    {create:?} {body}")));
                }
            }
        }
        let label = &engine.label;
        let forwarded = declined + made;
        report(&format!(
            "bodies: {label}: {MADE_UP} made-up creates / {forwarded} forwarded / {made} made and inspected / {refused} refused, of which the \
             engine does harm with {harmful}"
        ));
        assert!(faults.is_empty(), "{label}: {}\n{}", faults.len(), faults.join("\n"));
        assert!(forwarded >= LEAST_FORWARDED && made >= LEAST_INSPECTED && harmful >= LEAST_HARMFUL, "{label}");
    }
}

/// A body of the corpus, changed in one or two places, for a door that grants nothing or for its own.
fn made_up<'a>(dice: &mut Dice, (allowed, denied): &'a (Vec<Case>, Vec<Case>), rig: &Rig) -> (&'a str, String) {
    let from = if dice.below(4) > 0 { allowed } else { denied };
    let base = &from[dice.below(from.len())];
    let other = &denied[dice.below(denied.len())];
    let create = if dice.below(2) == 0 { "" } else { base.create.as_str() };
    (create, mutate::mutated(dice, &base.body(rig), &other.body(rig)))
}
