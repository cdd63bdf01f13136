//! From calls that were seen to the least policy that allows them.
//! Knows nothing of files, of trails and of how a request is judged: whoever asks brings the judge along.

mod cases;
pub mod draft;
mod exec;
pub mod grant;
pub mod needs;
mod page;
mod rules;
pub mod tally;

mod widen;

use std::collections::{BTreeMap, BTreeSet};

use crate::docker::{Operation, Value};
use crate::policy::facts::judges_target;
use crate::policy::{Create, Denial, Policy};

pub use cases::cases;
pub use draft::Draft;
pub use needs::{Addition, Danger};
pub use page::page;
pub use tally::Tally;

/// A call as the trail shows it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was asked.
    pub operation: Operation,
    /// The method.
    pub method: String,
    /// The canonical path.
    pub path: String,
    /// The query, `name=value`.
    pub query: Vec<String>,
    /// The names of the objects.
    pub names: Vec<String>,
    /// The id of the object that it made.
    pub made: Option<String>,
    /// A body that is judged like the one that was sent.
    pub body: Option<Value>,
    /// What of the call the trail does not show; `None` where it shows all that matters.
    pub missing: Option<&'static str>,
    /// When it began, RFC 3339.
    pub time: String,
    /// Who called, in a few words.
    pub who: String,
    /// How many calls it stands for.
    pub weight: u64,
}

/// Calls that are alike: the same operation, body, and query keys.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The first of them.
    pub call: Seen,
    /// How often, when and by whom.
    pub tally: Tally,
}

/// What the judge is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, percent-encoded.
    pub path: String,
    /// The JSON body.
    pub body: Option<String>,
}

/// What it says.
#[derive(Debug, Default)]
pub struct Judged {
    /// True where the request reaches the engine.
    pub allowed: bool,
    /// Every denial.
    pub denials: Vec<Denial>,
    /// Why it is no request that can be judged.
    pub fault: Option<String>,
    /// The judged body.
    pub body: Option<Value>,
    /// The judged query.
    pub query: Vec<(&'static str, String)>,
}

/// The judge of `serve`, with harmless objects in place of what the engine would be asked.
pub type Judge<'j> = dyn Fn(&Policy, &Request) -> Judged + 'j;

/// Says whether something dangerous is taken all the same.
pub type Accept<'a> = dyn FnMut(&Danger) -> bool + 'a;

/// How to learn.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the policy.
    pub name: String,
    /// Whether rules name query values.
    pub query: bool,
    /// Whether rules name objects.
    pub ids: bool,
}

/// What was learned.
#[derive(Debug)]
pub struct Learned {
    /// The policy.
    pub draft: Draft,
    /// What it allows.
    pub taken: Vec<Shape>,
    /// What it does not, with the reasons.
    pub left: Vec<(Shape, Vec<Danger>)>,
    /// How many calls were read.
    pub calls: u64,
    /// Targets of calls that were made elsewhere: the engine's word on them decides.
    pub foreign: BTreeSet<String>,
}

/// Learns from calls, in the order of the trail.
pub fn learn(calls: Vec<Seen>, settings: &Settings, judge: &Judge<'_>, accept: &mut Accept<'_>) -> Learned {
    let foreign = foreign(&calls);
    let total = calls.iter().map(|call| call.weight).sum();
    let mut asked: BTreeMap<String, bool> = BTreeMap::new();
    let mut accept = |danger: &Danger| *asked.entry(danger.key()).or_insert_with(|| danger.addition.is_some() && accept(danger));
    let mut rules = rules::Seen::default();
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    let mut draft = Draft::new(&settings.name);
    for shape in shapes(calls, &mut rules) {
        match needs::of(&shape.call, judge, &mut accept) {
            Ok(needs) => {
                draft.merge(&needs, &shape.tally);
                taken.push(shape);
            }
            Err(dangers) => left.push((shape, dangers)),
        }
    }
    needs::renamers(&mut draft, &mut taken, &mut left, &mut accept);
    needs::starters(&mut draft, &mut taken, &mut left);
    exec::users(&taken, &mut draft);
    widen::widen(&mut draft);
    rules::narrow(&mut draft, &rules, settings);
    settle(&mut draft, &mut taken, &mut left, judge);
    Learned { draft, taken, left, calls: total, foreign }
}

/// Calls that are alike become one shape, in the order in which they were first seen.
fn shapes(calls: Vec<Seen>, rules: &mut rules::Seen) -> Vec<Shape> {
    let mut places: BTreeMap<(Operation, String), usize> = BTreeMap::new();
    let mut shapes: Vec<Shape> = Vec::new();
    for call in calls {
        rules.add(&call);
        let body = call.body.as_ref().map(Value::encode).unwrap_or_default();
        // the values of a query matter where a check looks at them
        let gated = |pair: &&String| {
            let name = pair.split('=').next().unwrap_or_default();
            call.operation.row().query.iter().any(|key| key.name == name && key.class != crate::docker::Class::Inert)
        };
        let gated: Vec<&str> = call.query.iter().filter(gated).map(String::as_str).collect();
        let key = (call.operation, format!("{body} {} {:?}", gated.join("&"), call.missing));
        match places.get(&key).and_then(|at| shapes.get_mut(*at)) {
            Some(shape) => shape.tally.add(&call),
            None => {
                places.insert(key, shapes.len());
                shapes.push(Shape { tally: Tally::of(&call), call });
            }
        }
    }
    shapes
}

/// Containers that were started, entered or changed and not made by these calls.
fn foreign(calls: &[Seen]) -> BTreeSet<String> {
    let creates = calls.iter().filter(|call| call.operation == Operation::ContainerCreate);
    let made: BTreeSet<&String> = creates.flat_map(|call| call.names.iter().chain(&call.made)).collect();
    let judged = |operation: Operation| judges_target(&Create::default(), operation);
    let targets = calls.iter().filter(|call| judged(call.operation) && call.names.iter().all(|name| !made.contains(name)));
    targets.filter_map(|call| call.names.first().map(|name| short(name).to_owned())).collect()
}

/// Full ids as Docker shows them.
fn short(name: &str) -> &str {
    let id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.get(..12).filter(|_| id).unwrap_or(name)
}

/// The request of a call. Values that the trail does not hold are left out by the caller.
pub fn request(call: &Seen) -> Request {
    let mut path = encoded(&call.path, |byte| byte == b'/' || byte == b':' || byte == b'@');
    for (at, pair) in call.query.iter().filter(|pair| pair.contains('=')).enumerate() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        path.push(if at == 0 { '?' } else { '&' });
        path.push_str(&format!("{}={}", encoded(name, |_| false), encoded(value, |_| false)));
    }
    Request { method: call.method.clone(), path, body: call.body.as_ref().map(Value::encode) }
}

fn encoded(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') || plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Holds the whole policy against every shape: what stands in `taken` is allowed, what stands in `left` is not.
fn settle(draft: &mut Draft, taken: &mut Vec<Shape>, left: &mut Vec<(Shape, Vec<Danger>)>, judge: &Judge<'_>) {
    let Ok(policy) = draft.load() else { return };
    let (stay, go): (Vec<Shape>, Vec<Shape>) = taken.drain(..).partition(|shape| judge(&policy, &request(&shape.call)).allowed);
    *taken = stay;
    left.extend(go.into_iter().map(|shape| {
        let judged = judge(&policy, &request(&shape.call));
        let dangers = judged.denials.iter().map(|denial| Danger::plain(denial, "the grants that other calls need exclude it")).collect();
        (shape, dangers)
    }));
    let (denied, allowed): (Vec<_>, Vec<_>) =
        left.drain(..).partition(|(shape, _)| shape.call.missing.is_some() || !judge(&policy, &request(&shape.call)).allowed);
    *left = denied;
    taken.extend(allowed.into_iter().map(|(shape, _)| shape));
}

#[cfg(test)]
mod tests;
