//! Self-protection: dockgate's own container is out of reach for every door.
//! Knows nothing of mounts (see `mounts`).

use crate::docker::{Action, Operation, Value};
use crate::policy::facts::Facts;

/// Where an action reaches dockgate itself, if it does. Lists and inspects may.
pub fn reaches_self(action: &Action, facts: &Facts) -> Option<String> {
    let own = facts.own.container.as_deref()?;
    if action.endpoint.operation == Operation::ContainerInspect {
        return None;
    }
    let target = facts.target(action).map(|target| target.text("Id"));
    let written = action.endpoint.name().filter(|name| name.len() >= 12 && own.starts_with(name));
    let shared = action.json().and_then(shared_namespace).filter(|id| !id.is_empty() && own.starts_with(id.as_str()));
    (target == Some(own) || written.is_some() || shared.is_some()).then(|| action.endpoint.operation.name().to_owned())
}

/// The container whose namespace a create joins, where it names one by id.
fn shared_namespace(body: &Value) -> Option<String> {
    let host = body.get("HostConfig")?;
    ["NetworkMode", "PidMode", "IpcMode"].iter().find_map(|key| host.text(key).strip_prefix("container:").map(str::to_owned))
}
