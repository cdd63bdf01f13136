//! Which events are explained by requests through dockgate, or by the engine itself. Pure: times and facts are given.
//! Knows nothing of connections. Everything that it remembers is bounded.

use std::collections::{HashMap, VecDeque};

use crate::docker::Operation;

use super::causes::{By, caused_by};
use super::event::{Event, Happened, means};

/// Requests that are remembered.
const CHANGES: usize = 4096;
/// Containers that are remembered.
const CONTAINERS: usize = 8192;
/// Events that wait for an explanation that may come after them.
const HELD: usize = 4096;
/// How long after its end a request may still explain an event, in microseconds.
const GRACE: i64 = 5_000_000;
/// How far the engine's clock may be off.
const SLACK: i64 = 1_000_000;
/// How long an event waits for its explanation: a container's start comes after its networks, its end after their loss.
pub const HOLD: i64 = 5_000_000;
/// How far apart a container's end and the loss of its networks may be.
const NEAR: i64 = 2_000_000;
/// How long after a restart of the engine it starts containers by itself.
const BOOT: i64 = 60_000_000;

/// A request that changes the engine.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it does.
    pub operation: Operation,
    /// The objects that it names, in any way.
    pub names: Vec<String>,
    /// The name of what it makes, where it gives one.
    pub wanted: Option<String>,
    /// When it began, in microseconds since 1970.
    pub began: i64,
}

struct Known {
    number: u64,
    change: Change,
    ended: Option<i64>,
    /// What it turned out to make.
    made: Vec<String>,
}

/// What the engine says about a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// It is removed when it ends.
    pub auto_remove: bool,
    /// It is started again when it ends.
    pub restarts: bool,
    /// How often it was, since somebody started it last.
    pub restarted: u64,
    /// The command of its health check, as events show it.
    pub health: Option<String>,
    /// The names of its volumes.
    pub volumes: Vec<String>,
}

#[derive(Default)]
struct Container {
    /// `None` inside for one that was gone when it was looked for.
    facts: Option<Option<Facts>>,
    died: Option<i64>,
    started: Option<i64>,
    task: bool,
}

struct Held {
    event: Event,
    until: i64,
    /// A later event showed that nothing explains it.
    alone: bool,
}

/// What is known, and what waits.
#[derive(Default)]
pub struct Matcher {
    changes: VecDeque<Known>,
    number: u64,
    containers: HashMap<String, Container>,
    order: VecDeque<String>,
    held: VecDeque<Held>,
    /// The engine is part of a swarm: labels of tasks are believed.
    swarm: bool,
    /// The engine was away between these times.
    away: Option<(i64, i64)>,
}

impl Matcher {
    /// A request begins; nothing of it was sent to the engine yet.
    pub fn began(&mut self, change: Change) -> u64 {
        self.number += 1;
        if self.changes.len() >= CHANGES {
            let oldest = self.changes.iter().position(|known| known.ended.is_some()).unwrap_or_default();
            drop(self.changes.remove(oldest));
        }
        self.changes.push_back(Known { number: self.number, change, ended: None, made: Vec::new() });
        self.number
    }

    /// It ended.
    pub fn ended(&mut self, number: u64, at: i64) {
        if let Some(known) = self.changes.iter_mut().rev().find(|known| known.number == number) {
            known.ended = Some(at);
        }
    }

    /// Whether the engine is part of a swarm.
    pub fn swarm(&mut self, swarm: bool) {
        self.swarm = swarm;
    }

    /// What the engine says about a container now; `None` where it is gone.
    pub fn facts(&mut self, id: &str, facts: Option<Facts>) {
        let container = self.container(id);
        if facts.is_some() || container.facts.is_none() {
            container.facts = Some(facts);
        }
    }

    /// The container that must be looked at before this event is judged.
    pub fn wants(&mut self, event: &Event) -> Option<String> {
        let known = self.containers.get(event.container()).is_some_and(|container| container.facts.is_some());
        let changed = matches!(event.what, Happened::Create | Happened::Start | Happened::Update);
        let now = changed || (is_exec(event.what) && !known);
        now.then(|| event.container().to_owned()).filter(|id| !id.is_empty())
    }

    /// Takes an event in; returns it where nothing explains it and nothing that comes later could. `now` is when it came.
    pub fn event(&mut self, event: Event, now: i64) -> Option<Event> {
        self.remember(&event);
        self.explain_held(&event);
        if event.what == Happened::Die || self.asked_for(&event) || self.engines_own(&event) {
            return None;
        }
        if !waits(event.what) {
            return Some(event);
        }
        let overdue = if self.held.len() >= HELD { self.held.pop_front().map(|held| held.event) } else { None };
        self.held.push_back(Held { event, until: now + HOLD, alone: false });
        overdue
    }

    /// Events that waited in vain.
    pub fn overdue(&mut self, now: i64) -> Vec<Event> {
        let mut overdue = Vec::new();
        while self.held.front().is_some_and(|held| held.until <= now) {
            overdue.extend(self.held.pop_front().map(|held| held.event));
        }
        overdue
    }

    /// When the next event has waited long enough.
    pub fn next(&self) -> Option<i64> {
        self.held.front().map(|held| held.until)
    }

    /// The engine stops, as it seems: what waits goes on waiting.
    pub fn postpone(&mut self, now: i64) {
        self.held.iter_mut().for_each(|held| held.until = now + HOLD);
    }

    /// The engine has gone: it ended its containers itself.
    pub fn engine_gone(&mut self) {
        self.held.clear();
    }

    /// The engine was away: what starts by itself starts now.
    pub fn engine_back(&mut self, from: i64, to: i64) {
        self.away = Some((from, to));
    }

    /// How much is remembered.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.changes.len(), self.containers.len(), self.order.len())
    }

    fn container(&mut self, id: &str) -> &mut Container {
        if !self.containers.contains_key(id) {
            self.order.push_back(id.to_owned());
            if self.order.len() > CONTAINERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.containers.remove(&oldest);
            }
        }
        self.containers.entry(id.to_owned()).or_default()
    }

    fn remember(&mut self, event: &Event) {
        if event.kind != "container" || event.id.is_empty() {
            return;
        }
        let task = self.swarm && !event.attribute("com.docker.swarm.task.id").is_empty();
        let container = self.container(&event.id);
        container.task |= task;
        if event.what == Happened::Die {
            container.died = Some(event.at);
        }
        if event.what == Happened::Start {
            container.started = Some(event.at);
        }
    }

    /// Whether a request through dockgate brought it about.
    fn asked_for(&mut self, event: &Event) -> bool {
        let at = event.at;
        let open = |known: &&mut Known| known.change.began <= at + SLACK && known.ended.is_none_or(|ended| at <= ended + GRACE);
        self.changes.iter_mut().rev().filter(open).any(|known| known.explains(event))
    }

    /// Whether the engine did it by itself.
    fn engines_own(&self, event: &Event) -> bool {
        let container = self.containers.get(event.container());
        if container.is_some_and(|container| container.task) {
            return true;
        }
        let facts = container.and_then(|container| container.facts.as_ref()).and_then(Option::as_ref);
        let own = |what: Happened, rule: &dyn Fn() -> bool| event.what == what && rule();
        own(Happened::Start, &|| facts.is_some_and(|facts| facts.restarts && (facts.restarted > 0 || self.booting(event.at))))
            || own(Happened::Destroy, &|| container.is_some_and(|container| removes_itself(container, event.at)))
            || own(Happened::VolumeDestroy, &|| self.goes_with_its_container(event))
            || is_exec(event.what) && facts.and_then(|facts| facts.health.as_ref()).is_some_and(|test| *test == event.rest)
            || self.follows(event)
    }

    /// A container gets its networks before it starts and loses them as it ends, a little before or after the engine
    /// says so. Start and end are judged for themselves. A network that was lost and got again in between was lost otherwise.
    fn explain_held(&mut self, event: &Event) {
        let of = |held: &Held, what: Happened| held.event.what == what && held.event.container() == event.container();
        if event.what == Happened::Start {
            self.held.retain(|held| !of(held, Happened::NetworkConnect));
        } else if event.what == Happened::Die {
            let near = |held: &Held| !held.alone && event.at - held.event.at <= NEAR;
            self.held.retain(|held| !(of(held, Happened::NetworkDisconnect) && near(held)));
        } else if event.what == Happened::NetworkConnect {
            let lost = self.held.iter_mut().filter(|held| of(held, Happened::NetworkDisconnect) && held.event.id == event.id);
            lost.for_each(|held| held.alone = true);
        }
    }

    /// A network that is lost just after its container ended.
    fn follows(&self, event: &Event) -> bool {
        let died = self.containers.get(event.container()).and_then(|container| container.died);
        event.what == Happened::NetworkDisconnect && died.is_some_and(|died| died <= event.at && event.at - died <= NEAR)
    }

    fn booting(&self, at: i64) -> bool {
        self.away.is_some_and(|(from, to)| at + SLACK >= from && at <= to + BOOT)
    }

    /// The anonymous volumes of a container that removes itself go before it does.
    fn goes_with_its_container(&self, event: &Event) -> bool {
        let has = |facts: &Facts| facts.volumes.contains(&event.id);
        self.containers.values().any(|container| {
            removes_itself(container, event.at) && container.facts.as_ref().is_some_and(|facts| facts.as_ref().is_none_or(has))
        }) && is_anonymous(&event.id)
    }
}

/// With `--rm` after its end; one that was gone before it could be looked at is taken for one of those.
fn removes_itself(container: &Container, at: i64) -> bool {
    let died = container.died.is_some_and(|died| at <= died + GRACE && died <= at + SLACK);
    match &container.facts {
        Some(Some(facts)) => {
            facts.auto_remove && container.died.is_some_and(|died| container.started.is_none_or(|started| died >= started))
        }
        Some(None) => died,
        None => false,
    }
}

fn is_exec(what: Happened) -> bool {
    matches!(what, Happened::ExecCreate | Happened::ExecStart)
}

/// What may be explained by what comes after it.
fn waits(what: Happened) -> bool {
    matches!(what, Happened::NetworkConnect | Happened::NetworkDisconnect | Happened::Kill | Happened::Stop)
}

/// The engine's own names for volumes: 64 hexadecimal digits.
fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Known {
    fn explains(&mut self, event: &Event) -> bool {
        caused_by(self.change.operation).iter().any(|(what, by)| *what == event.what && self.fits(*by, event))
    }

    fn fits(&mut self, by: By, event: &Event) -> bool {
        let names = &self.change.names;
        match by {
            By::Window => true,
            By::Object => names.iter().any(|name| event.is(name)) && self.means(event.container()),
            By::Exec => names.iter().any(|name| means(name, event.attribute("execID"))),
            By::Container => names.iter().any(|name| means(name, event.container())) || self.made.iter().any(|id| id == event.container()),
            By::Born => self.made.iter().any(|id| id == event.container()),
            By::Volume => is_anonymous(&event.id) || names.contains(&event.id),
            By::Image => names
                .iter()
                .any(|name| repository(name) == repository(&event.id) || repository(name) == repository(event.attribute("name"))),
            // the engine answers after the last one: what comes later is somebody else's
            By::Bears => self.ended.is_none_or(|ended| event.at <= ended) && self.makes(event),
            By::Made => {
                let wanted = self.change.wanted.as_ref().is_none_or(|name| event.is(name));
                wanted && (self.made.is_empty() || self.made.contains(&event.id)) && self.makes(event)
            }
        }
    }

    /// A request that named a container by its name meant this one: networks are told of by ids alone.
    fn means(&mut self, container: &str) -> bool {
        if !container.is_empty() && self.made.len() < 256 && !self.made.iter().any(|id| id == container) {
            self.made.push(container.to_owned());
        }
        true
    }

    fn makes(&mut self, event: &Event) -> bool {
        if self.made.len() < 256 && !self.made.contains(&event.id) {
            self.made.push(event.id.clone());
        }
        true
    }
}

/// The last part of an image's repository: `docker.io/library/busybox:latest@sha256:…` → `busybox`.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}
