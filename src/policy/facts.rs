//! What the engine says about the objects that an action names, fetched before it is judged.
//! Knows nothing of how facts are fetched; a fact that is missing means deny.

use std::sync::Arc;

use crate::docker::{Action, Operation, Value};

use super::checks;
use super::create::{Level, Targets};
use super::{Create, Policy};

/// A question to the engine; each is one read-only request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// `GET /containers/{id}/json`
    Container(String),
    /// `GET /exec/{id}/json`
    Exec(String),
    /// `GET /networks/{id}`
    Network(String),
    /// `GET /volumes/{id}`
    Volume(String),
    /// `GET /images/{image}/json`
    Image(String),
    /// `GET /info`
    Info,
    /// Where a path of the host leads, as far as dockgate can see it: a text, or `null` where it sees no such path.
    HostPath(String),
}

/// What was fetched, and what dockgate knows of itself.
#[derive(Debug, Default)]
pub struct Facts {
    found: Vec<(Need, Value)>,
    /// dockgate's own container and paths.
    pub own: Arc<Own>,
    /// The time, in seconds since 1970; 0 where nobody looked at a clock.
    pub now: i64,
}

/// What must never be reached through a door.
#[derive(Debug, Default, Clone)]
pub struct Own {
    /// The full id of the container that dockgate runs in.
    pub container: Option<String>,
    /// Upstream, door, configuration and trail paths, as the engine's host sees them.
    pub paths: Vec<String>,
    /// Volumes that hold such paths.
    pub volumes: Vec<String>,
    /// The upstream's socket alone, as the engine's host sees it.
    pub engine: Vec<String>,
}

impl Facts {
    /// No facts yet.
    pub fn new(own: impl Into<Arc<Own>>) -> Self {
        Self { found: Vec::new(), own: own.into(), now: 0 }
    }

    /// Keeps an answer.
    pub fn insert(&mut self, need: Need, value: Value) {
        self.found.push((need, value));
    }

    /// The answer to a question, if it was asked.
    pub fn get(&self, need: &Need) -> Option<&Value> {
        self.found.iter().find(|(asked, _)| asked == need).map(|(_, value)| value)
    }

    /// The container that an action acts on, by itself or through an exec.
    pub fn target(&self, action: &Action) -> Option<&Value> {
        let need = target_need(action, self)?;
        self.get(&need).filter(|_| matches!(need, Need::Container(_)))
    }

    /// The full id of the object that the path names, to be written instead of what the client wrote.
    pub fn pinned_id(&self, action: &Action) -> Option<String> {
        let need = object_need(action)?;
        let id = match need {
            Need::Container(_) | Need::Network(_) => self.get(&need)?.text("Id"),
            Need::Exec(_) | Need::Volume(_) | Need::Image(_) | Need::Info | Need::HostPath(_) => return None,
        };
        let full = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        full.then(|| id.to_owned())
    }

    /// The full id and every name of the object that an action names; what the client wrote is not among them.
    pub fn identities(&self, action: &Action) -> Vec<String> {
        let Some(need) = object_need(action) else { return Vec::new() };
        let Some(object) = self.get(&need) else { return Vec::new() };
        let plain = |text: &str| text.trim_start_matches('/').to_owned();
        let names = ["Id", "ID", "Name"].into_iter().map(|key| plain(object.text(key)));
        let tags = object.get("RepoTags").map(Value::texts).into_iter().flatten().map(str::to_owned);
        names.chain(tags).filter(|name| !name.is_empty()).collect()
    }

    /// True on an engine whose host uses cgroup v1, where containers share the host's cgroup namespace by default.
    pub fn cgroup_v1(&self) -> bool {
        self.get(&Need::Info).is_some_and(|info| matches!(info.text("CgroupVersion"), "1" | ""))
    }
}

/// The next fact that must be known before an action is judged; `None` when all are.
pub fn next_need(policy: &Policy, action: &Action, facts: &Facts) -> Option<Need> {
    let missing = |need: Need| facts.get(&need).is_none().then_some(need);
    let operation = action.endpoint.operation;
    let object = policy.rules.asks_for_id(operation).then(|| object_need(action)).flatten().and_then(missing);
    let target = || needs_target(policy, operation, facts).then(|| target_need(action, facts)).flatten().and_then(missing);
    if let Some(need) = object.or_else(target) {
        return Some(need);
    }
    if judges_target(&policy.create, operation) {
        let target = facts.target(action);
        return missing(Need::Info)
            .or_else(|| target.and_then(|target| volumes(target).find_map(|name| missing(Need::Volume(name)))))
            .or_else(|| target.and_then(|target| host_path(&policy.create, target, facts)));
    }
    let body = action.json().filter(|_| policy.create.level != Level::Unrestricted)?;
    let image = checks::image_user(&policy.create, body).filter(|_| operation == Operation::ContainerCreate);
    host_path(&policy.create, body, facts).or_else(|| image.and_then(|image| missing(Need::Image(image.to_owned()))))
}

/// The next granted host path of which it is not known where it leads.
fn host_path(create: &Create, body: &Value, facts: &Facts) -> Option<Need> {
    let mut needs = checks::granted_sources(create, body, facts).map(Need::HostPath);
    needs.find(|need| facts.get(need).is_none())
}

/// The target is looked up where it is judged, and where it could be dockgate's own container.
fn needs_target(policy: &Policy, operation: Operation, facts: &Facts) -> bool {
    let reads = matches!(operation, Operation::ContainerInspect);
    let own = facts.own.container.is_some() && policy.create.level != Level::Unrestricted && !reads;
    judges_target(&policy.create, operation) || own
}

/// The operations that make a container run or open it.
pub fn judges_target(create: &Create, operation: Operation) -> bool {
    use Operation as O;
    let opens = matches!(
        operation,
        O::ContainerStart
            | O::ContainerRestart
            | O::ContainerUnpause
            | O::ContainerUpdate
            | O::ContainerExec
            | O::ExecStart
            | O::ContainerAttach
            | O::ContainerAttachWebsocket
            | O::ContainerArchive
            | O::ContainerArchiveInfo
            | O::PutContainerArchive
    );
    opens && create.level != Level::Unrestricted && create.targets == Targets::Judged
}

/// The names of the volumes that a container mounts.
pub fn volumes(container: &Value) -> impl Iterator<Item = String> + '_ {
    let mounts = container.get("Mounts").map(Value::items).unwrap_or_default();
    mounts.iter().filter(|mount| mount.text("Type") == "volume").map(|mount| mount.text("Name").to_owned())
}

/// The object that the path names.
pub fn object_need(action: &Action) -> Option<Need> {
    let name = action.endpoint.name()?.to_owned();
    match action.row().path.split('/').nth(1)? {
        "containers" => Some(Need::Container(name)),
        "exec" => Some(Need::Exec(name)),
        "networks" => Some(Need::Network(name)),
        "volumes" => Some(Need::Volume(name)),
        "images" => Some(Need::Image(name)),
        _ => None,
    }
}

/// The question that leads to the target container: the container itself, or the exec that runs in it.
fn target_need(action: &Action, facts: &Facts) -> Option<Need> {
    let named = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(|name| Need::Container(name.to_owned()));
    match object_need(action) {
        Some(need @ Need::Container(_)) => Some(need),
        Some(need @ Need::Exec(_)) => match facts.get(&need) {
            Some(exec) => Some(Need::Container(exec.text("ContainerID").to_owned())),
            None => Some(need),
        },
        // a network that a container joins or leaves
        Some(Need::Network(_)) => named(action.json().map(|body| body.text("Container"))),
        Some(Need::Volume(_) | Need::Image(_) | Need::Info | Need::HostPath(_)) => None,
        // `POST /commit?container=`
        None => named(action.query("container")),
    }
}
