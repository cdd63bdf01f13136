//! The engine's objects (containers, execs, images, networks, volumes), how names find them, and what starts and ends.
//! It must not know HTTP.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Engine;
use super::shapes::{flag, list, text};
use super::toys::{self, Console, Run};
use super::wire::Fail;

/// Most objects of each kind; the demo is full beyond that.
const MOST: usize = 1000;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    Exited,
}

/// Where a container is in its life; watched by `wait`.
#[derive(Clone)]
pub(super) struct Phase {
    pub(super) status: Status,
    pub(super) code: i64,
    pub(super) exits: u64,
    pub(super) removed: bool,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
}

impl Phase {
    pub(super) fn runs(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
    }
}

#[derive(Clone)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) image: String,
    pub(super) config: Value,
    pub(super) host: Value,
    pub(super) networks: Value,
    pub(super) mounts: Vec<Value>,
    pub(super) console: Arc<Console>,
    pub(super) phase: Arc<watch::Sender<Phase>>,
}

impl Container {
    pub(super) fn now(&self) -> Phase {
        self.phase.borrow().clone()
    }

    pub(super) fn argv(&self) -> Vec<String> {
        [list(&self.config, "Entrypoint"), list(&self.config, "Cmd")].concat()
    }

    pub(super) fn tty(&self) -> bool {
        flag(&self.config, "Tty")
    }

    pub(super) fn running(&self) -> Result<(), Fail> {
        match self.now().runs() {
            true => Ok(()),
            false => Err(Fail(409, format!("container {} is not running", self.id))),
        }
    }
}

#[derive(Clone)]
pub(super) struct Exec {
    pub(super) id: String,
    pub(super) container: Container,
    pub(super) config: Value,
    pub(super) console: Arc<Console>,
    /// `None`: not started; `Some(None)`: runs; `Some(Some(code))`: ended.
    pub(super) outcome: Option<Option<i64>>,
}

#[derive(Clone)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) tags: Vec<String>,
    pub(super) config: Value,
    pub(super) created: Timestamp,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) containers: Vec<Container>,
    pub(super) execs: VecDeque<Exec>,
    pub(super) images: Vec<Image>,
    pub(super) networks: Vec<Value>,
    pub(super) volumes: Vec<Value>,
    pub(super) history: VecDeque<Value>,
    made: u64,
}

/// `nginx` and `docker.io/library/nginx` are `nginx:latest`.
pub(super) fn familiar(reference: &str) -> String {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains([':', '@']) { short.to_owned() } else { format!("{short}:latest") }
}

fn matches_id(id: &str, given: &str) -> bool {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    let given = given.strip_prefix("sha256:").unwrap_or(given);
    given.len() >= 12 && id.starts_with(given)
}

fn only<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

impl State {
    /// 64 hex digits, the same in every run: the n-th object always has the n-th id.
    pub(super) fn new_id(&mut self) -> String {
        let mut word = self.made;
        self.made = self.made.wrapping_add(1);
        let next = |_| {
            // splitmix64: any well-spread sequence does
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = word;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            // no id of digits only: clients take such a name for a number
            format!("{:015x}d", mixed >> 4)
        };
        (0..4).map(next).collect()
    }

    pub(super) fn room<T>(kind: &[T]) -> Result<(), Fail> {
        if kind.len() < MOST { Ok(()) } else { Err(Fail(500, "the demo engine is full".to_owned())) }
    }

    pub(super) fn container(&self, given: &str) -> Result<&Container, Fail> {
        let given = given.strip_prefix('/').unwrap_or(given);
        let exact = self.containers.iter().find(|one| one.id == given || one.name == given);
        let found = exact.or_else(|| only(self.containers.iter().filter(|one| matches_id(&one.id, given))));
        found.ok_or_else(|| Fail(404, format!("No such container: {given}")))
    }

    pub(super) fn container_mut(&mut self, given: &str) -> Result<&mut Container, Fail> {
        let id = self.container(given)?.id.clone();
        let found = self.containers.iter_mut().find(|one| one.id == id);
        found.ok_or_else(|| Fail(404, format!("No such container: {given}")))
    }

    pub(super) fn exec(&self, id: &str) -> Result<&Exec, Fail> {
        self.execs.iter().find(|exec| exec.id == id).ok_or_else(|| Fail(404, format!("No such exec instance: {id}")))
    }

    pub(super) fn image(&self, given: &str) -> Result<&Image, Fail> {
        let tag = familiar(given);
        let tagged = self.images.iter().find(|image| image.tags.contains(&tag));
        let found = tagged.or_else(|| only(self.images.iter().filter(|image| matches_id(&image.id, given))));
        found.ok_or_else(|| Fail(404, format!("No such image: {}", if given.contains("sha256:") { given } else { &tag })))
    }

    /// Gives a tag to a new image; the image that had the tag loses it.
    pub(super) fn add_image(&mut self, tags: &[&str], config: Value) -> Result<String, Fail> {
        Self::room(&self.images)?;
        let id = format!("sha256:{}", self.new_id());
        let tags: Vec<_> = tags.iter().filter(|tag| !tag.is_empty()).map(|tag| familiar(tag)).collect();
        for image in &mut self.images {
            image.tags.retain(|tag| !tags.contains(tag));
        }
        self.images.push(Image { id: id.clone(), tags, config, created: Timestamp::now() });
        Ok(id)
    }

    pub(super) fn network(&self, given: &str) -> Result<&Value, Fail> {
        let exact = self.networks.iter().find(|net| text(net, "Name") == given);
        let found = exact.or_else(|| only(self.networks.iter().filter(|net| matches_id(text(net, "Id"), given))));
        found.ok_or_else(|| Fail(404, format!("network {given} not found")))
    }

    pub(super) fn add_network(&mut self, name: &str, sent: &Value) -> Result<String, Fail> {
        Self::room(&self.networks)?;
        let id = self.new_id();
        let driver = match (name, text(sent, "Driver")) {
            ("host", _) => "host",
            ("none", _) => "null",
            (_, "") => "bridge",
            (_, driver) => driver,
        };
        let subnet = format!("172.{}.0.0/16", 17 + self.networks.len() % 200);
        let ipam = json!({ "Driver": "default", "Options": {}, "Config": [{ "Subnet": subnet }] });
        let given = |key: &str, default: Value| sent.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(default);
        self.networks.push(json!({
            "Name": name, "Id": id, "Created": Timestamp::now().to_string(), "Scope": "local", "Driver": driver,
            "EnableIPv4": true, "EnableIPv6": flag(sent, "EnableIPv6"), "IPAM": given("IPAM", ipam),
            "Internal": flag(sent, "Internal"), "Attachable": flag(sent, "Attachable"), "Ingress": false,
            "ConfigFrom": { "Network": "" }, "ConfigOnly": false, "Containers": {},
            "Options": given("Options", json!({})), "Labels": given("Labels", json!({})),
        }));
        Ok(id)
    }

    pub(super) fn volume(&self, name: &str) -> Result<&Value, Fail> {
        let found = self.volumes.iter().find(|volume| text(volume, "Name") == name);
        found.ok_or_else(|| Fail(404, format!("get {name}: no such volume")))
    }

    /// The volume of that name, made when there is none; an empty name makes an anonymous one.
    pub(super) fn add_volume(&mut self, name: &str, sent: &Value) -> Result<Value, Fail> {
        if let Ok(volume) = self.volume(name) {
            return Ok(volume.clone());
        }
        Self::room(&self.volumes)?;
        let name = if name.is_empty() { self.new_id() } else { name.to_owned() };
        let given = |key: &str, default: Value| sent.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(default);
        let volume = json!({
            "Name": name, "Driver": "local", "Mountpoint": format!("/var/lib/docker/volumes/{name}/_data"),
            "CreatedAt": Timestamp::now().to_string(), "Scope": "local",
            "Labels": given("Labels", json!({})), "Options": given("DriverOpts", Value::Null),
        });
        self.volumes.push(volume.clone());
        Ok(volume)
    }

    pub(super) fn add_exec(&mut self, exec: Exec) {
        if self.execs.len() >= MOST {
            self.execs.pop_front();
        }
        self.execs.push_back(exec);
    }
}

impl Engine {
    /// Starts the toy program of a container; `false` when it runs already.
    pub(super) fn start(&self, given: &str) -> Result<bool, Fail> {
        let container = self.with(|state| state.container(given).cloned())?;
        let names = || container.networks.as_object().into_iter().flat_map(|map| map.keys());
        if let Err(error) = self.with(|state| names().try_for_each(|name| state.network(name).map(|_| ()))) {
            // who waits for the removal would wait for ever
            if flag(&container.host, "AutoRemove") && !container.now().runs() {
                self.remove(&container);
            }
            return Err(error);
        }
        let started = container.phase.send_if_modified(|phase| {
            let starts = !phase.runs();
            if starts {
                (phase.status, phase.started, phase.code) = (Status::Running, Some(Timestamp::now()), 0);
            }
            starts
        });
        if !started {
            return Ok(false);
        }
        self.event("container", "start", &container.id, &container);
        self.spawn_program(container);
        Ok(true)
    }

    /// Runs the program of a container that is marked as running.
    pub(super) fn spawn_program(&self, container: Container) {
        let stdin = container.console.take_stdin().filter(|_| flag(&container.config, "OpenStdin"));
        let run = Run { argv: container.argv(), tty: container.tty(), stdin, kill: container.console.on_kill() };
        let engine = self.clone();
        tokio::spawn(async move {
            let code = toys::run(&container.console, run).await;
            engine.ended(&container, code);
        });
    }

    fn ended(&self, container: &Container, code: i64) {
        container.console.finish();
        let auto_remove = flag(&container.host, "AutoRemove");
        container.phase.send_modify(|phase| {
            (phase.status, phase.finished, phase.code) = (Status::Exited, Some(Timestamp::now()), code);
            phase.exits = phase.exits.wrapping_add(1);
        });
        self.event("container", "die", &container.id, container);
        if auto_remove {
            self.remove(container);
        }
    }

    /// Ends a running container and returns when it has ended.
    pub(super) async fn end(&self, container: &Container, code: i64) {
        let mut phase = container.phase.subscribe();
        container.console.kill(code);
        // an error means that nobody can change the phase any more
        let _ = phase.wait_for(|phase| !phase.runs()).await;
    }

    pub(super) fn remove(&self, container: &Container) {
        self.with(|state| {
            state.containers.retain(|one| one.id != container.id);
            state.execs.retain(|exec| exec.container.id != container.id);
        });
        container.phase.send_modify(|phase| phase.removed = true);
        self.event("container", "destroy", &container.id, container);
    }

    /// Tells everybody who listens to `/events`.
    pub(super) fn event(&self, kind: &str, action: &str, id: &str, container: &Container) {
        let mut attributes = json!({ "image": text(&container.config, "Image"), "name": container.name });
        if action == "die"
            && let Some(map) = attributes.as_object_mut()
        {
            map.insert("exitCode".to_owned(), json!(container.now().code.to_string()));
        }
        self.publish(kind, action, id, attributes);
    }

    pub(super) fn publish(&self, kind: &str, action: &str, id: &str, attributes: Value) {
        let now = Timestamp::now();
        let event = json!({
            "Type": kind, "Action": action, "scope": "local", "time": now.as_second(),
            "timeNano": i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
            "status": action, "id": id, "from": attributes.get("image"),
            "Actor": { "ID": id, "Attributes": attributes },
        });
        self.with(|state| {
            state.history.truncate(255);
            state.history.push_front(event.clone());
        });
        // an error means that nobody listens
        let _ = self.0.events.send(event);
    }
}
