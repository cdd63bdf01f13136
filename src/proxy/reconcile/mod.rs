//! The reconciler: follows the engine's events and tells of changes that did not come through dockgate.
//! Knows nothing of clients. It asks the engine and never changes it; no request waits for it.

mod causes;
mod engine;
mod event;
mod matcher;
mod seen;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::docker::{Action, Value};

use self::engine::Engine;
use self::event::{Event, Raw};
use self::matcher::{Change, Matcher};
use self::seen::Seen;
use super::upstream::Upstream;

/// The longest event that is read.
const MAX_EVENT: usize = 1 << 20;
/// Names that are kept of one request, and their longest.
const NAMES: usize = 64;
const NAME: usize = 512;
/// Between two attempts to follow the events.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// How often the engine is asked for what it may not have sent: it leaves a listener out that does not take an event within 100 ms
/// (moby, `daemon/events`, `PublishMessage`).
const LOOK: Duration = Duration::from_secs(10);
/// What is younger may still be on its way, in microseconds.
const YOUNG: i64 = 1_000_000;
/// The types that are followed: `{"type":["container","image","network","volume"]}`.
const TYPES: &str = "%7B%22type%22%3A%5B%22container%22%2C%22image%22%2C%22network%22%2C%22volume%22%5D%7D";

/// What is told to the trail: `unseen-change` and `gap`, with their details.
pub type Report = Arc<dyn Fn(&'static str, Json) + Send + Sync>;

/// Follows the events until it is dropped.
pub struct Reconciler {
    handle: Handle,
    task: JoinHandle<()>,
}

/// What requests tell it; cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Mutex<Matcher>>);

/// A request that may cause events; its end is told when this is dropped.
pub struct Running {
    handle: Handle,
    number: u64,
}

impl Reconciler {
    /// Follows an engine's events from now on; an engine that is away is waited for.
    pub fn start(upstream: Upstream, report: Report) -> Self {
        let handle = Handle(Arc::default());
        let follower = Follower {
            engine: Engine::new(upstream),
            handle: handle.clone(),
            report,
            last: None,
            unsure: None,
            looked: None,
            seen: Seen::default(),
        };
        let task = tokio::spawn(follower.run());
        Self { handle, task }
    }

    /// What requests tell it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handle {
    /// A request that was allowed and recorded; called before its first byte goes to the engine.
    pub fn began(&self, action: &Action) -> Option<Running> {
        if causes::caused_by(action.endpoint.operation).is_empty() {
            return None;
        }
        let number = self.matcher().began(change(action));
        Some(Running { handle: self.clone(), number })
    }

    fn matcher(&self) -> MutexGuard<'_, Matcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.matcher().ended(self.number, now());
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// What an action names: objects of its path, of its query, and of its body.
fn change(action: &Action) -> Change {
    let query = ["name", "container", "repo", "fromImage", "t"].into_iter().filter_map(|key| action.query(key));
    let mut names: Vec<String> = action.endpoint.names.iter().map(String::as_str).chain(query).map(kept).collect();
    let body = |key: &str| action.json().map(|json| json.text(key)).filter(|text| !text.is_empty());
    names.extend([body("Name"), body("Container")].into_iter().flatten().map(kept));
    names.extend(action.json().map(volumes).unwrap_or_default());
    names.truncate(NAMES);
    let wanted = action.query("name").or_else(|| body("Name")).map(kept);
    Change { operation: action.endpoint.operation, names, wanted, began: now() }
}

fn kept(name: &str) -> String {
    name.chars().take(NAME).collect()
}

/// The volumes that a container's body names; the engine makes those that are missing.
fn volumes(body: &Value) -> Vec<String> {
    let Some(host) = body.get("HostConfig") else { return Vec::new() };
    let list = |key: &str| host.get(key).map(Value::items).unwrap_or_default();
    let binds = list("Binds").iter().filter_map(|bind| bind.as_text()?.split(':').next());
    let mounts = list("Mounts").iter().map(|mount| mount.text("Source"));
    binds.chain(mounts).filter(|source| !source.is_empty() && !source.starts_with('/')).map(kept).collect()
}

struct Follower {
    engine: Engine,
    handle: Handle,
    report: Report,
    /// The last event's time, in nanoseconds by the engine's clock.
    last: Option<i64>,
    /// Since when, by our clock, it is not known whether the engine was away.
    unsure: Option<i64>,
    /// Up to when, in nanoseconds by the engine's clock, it was asked for what it did not send.
    looked: Option<i64>,
    seen: Seen,
}

impl Follower {
    async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        loop {
            match self.follow().await {
                Ok(()) => retry = FIRST_RETRY,
                Err(why) => tracing::warn!(why, "the engine's events cannot be followed"),
            }
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// One connection: from the last event that was seen on, or from now.
    async fn follow(&mut self) -> Result<(), String> {
        let info = self.engine.info().await?;
        self.handle.matcher().swarm(info.swarm);
        let since = self.last.unwrap_or(info.nanos);
        self.looked.get_or_insert(since);
        let mut reply = self.engine.get(&format!("/events?filters={TYPES}&since={}", written(since))).await?;
        if !reply.status().is_success() {
            return Err(format!("the engine says {}", reply.status()));
        }
        self.containers().await;
        tracing::info!("the reconciler follows the engine's events");
        let (mut buffer, mut look) = (Vec::new(), Instant::now() + LOOK);
        loop {
            let piece = tokio::select! {
                biased;
                piece = reply.piece() => piece,
                () = self.next_overdue() => {
                    self.tell_overdue().await;
                    continue;
                }
                () = tokio::time::sleep_until(look) => {
                    self.look_again().await;
                    look = Instant::now() + LOOK;
                    continue;
                }
            };
            let Ok(Some(piece)) = piece else { break };
            buffer.extend_from_slice(&piece);
            self.read(&mut buffer).await?;
        }
        drop(reply);
        self.handle.matcher().engine_gone();
        self.unsure = Some(now());
        Ok(())
    }

    /// What the containers of now are like: those that remove themselves cannot be asked any more afterwards.
    async fn containers(&self) {
        for id in self.engine.containers().await {
            let facts = self.engine.container(&id).await;
            self.handle.matcher().facts(&id, facts);
        }
    }

    /// Takes every whole event out of a buffer.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), String> {
        loop {
            let mut events = serde_json::Deserializer::from_slice(buffer).into_iter::<Raw>();
            let raw = match events.next() {
                Some(Ok(raw)) => raw,
                Some(Err(error)) if !error.is_eof() => return Err(format!("an event cannot be read: {error}")),
                Some(Err(_)) | None if buffer.len() > MAX_EVENT => return Err("an event is too long".to_owned()),
                Some(Err(_)) | None => return Ok(()),
            };
            let read = events.byte_offset();
            buffer.drain(..read.min(buffer.len()));
            self.take(raw).await;
        }
    }

    /// Takes what the engine keeps and did not send.
    async fn look_again(&mut self) {
        let (since, until) = (self.looked.unwrap_or_default(), (now() - self.engine.skew() - YOUNG) * 1000);
        if until <= since {
            return;
        }
        let target = format!("/events?filters={TYPES}&since={}&until={}", written(since), written(until));
        let kept = match self.engine.events(&target).await {
            Ok(kept) => kept,
            Err(why) => return tracing::debug!(why, "the engine does not say what it may have left out"),
        };
        self.looked = Some(until);
        for raw in kept {
            if self.seen.first_time(&raw) {
                tracing::info!("the engine had left an event out");
                self.judge(raw).await;
            }
        }
    }

    async fn take(&mut self, raw: Raw) {
        if !self.seen_before(raw.nanos) && self.seen.first_time(&raw) {
            self.judge(raw).await;
        }
    }

    async fn judge(&mut self, raw: Raw) {
        let Some(mut event) = raw.event() else { return };
        event.at += self.engine.skew();
        let wants = self.handle.matcher().wants(&event);
        if let Some(id) = wants {
            let facts = self.engine.container(&id).await;
            self.handle.matcher().facts(&id, facts);
        }
        let unseen = self.handle.matcher().event(event, now());
        unseen.iter().for_each(|event| self.tell(event));
        self.tell_overdue().await;
    }

    /// Events are asked for from the last one on. Where that does not come first, the engine has begun to count anew,
    /// or has forgotten some.
    fn seen_before(&mut self, nanos: i64) -> bool {
        let last = self.last.replace(nanos);
        let Some(since) = self.unsure.take() else { return false };
        if last == Some(nanos) {
            return true;
        }
        let to = now();
        self.handle.matcher().engine_back(since, to);
        (self.report)("gap", json!({"why": "events of the engine may be missing", "first": shown(since), "last": shown(to)}));
        false
    }

    fn next_overdue(&self) -> impl Future<Output = ()> + use<> {
        let next = self.handle.matcher().next();
        async move {
            match next {
                Some(next) => tokio::time::sleep(Duration::from_micros(u64::try_from(next - now()).unwrap_or_default())).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn tell_overdue(&self) {
        if self.handle.matcher().next().is_none_or(|next| next > now()) {
            return;
        }
        if !self.engine.reachable().await {
            return self.handle.matcher().postpone(now());
        }
        let overdue = self.handle.matcher().overdue(now());
        overdue.iter().for_each(|event| self.tell(event));
    }

    fn tell(&self, event: &Event) {
        (self.report)("unseen-change", detail(event));
    }
}

/// What the trail says of an event. Of an exec's command only the program: arguments hold secrets.
fn detail(event: &Event) -> Json {
    let attribute = |name: &str| Some(event.attribute(name)).filter(|text| !text.is_empty()).map(kept);
    let all = [
        ("type", Some(event.kind.to_owned())),
        ("action", Some(event.action.to_owned())),
        ("id", Some(kept(&event.id)).filter(|id| !id.is_empty())),
        ("name", attribute("name")),
        ("old-name", attribute("oldName")),
        ("image", attribute("image")),
        ("container", attribute("container")),
        ("exec", attribute("execID")),
        ("signal", attribute("signal")),
        ("program", event.rest.split(' ').next().filter(|word| !word.is_empty()).map(kept)),
        ("time", Some(shown(event.at))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Json::String(value?)))).collect::<serde_json::Map<_, _>>().into()
}

/// A time in nanoseconds as the engine reads it.
fn written(nanos: i64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn shown(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|time| time.to_string()).unwrap_or_default()
}
