//! Rebinding: whoever mounts the daemon's socket into a container gets a door's socket at the same place.
//! Knows nothing of levels and grants; what it wrote is judged like the rest.

use crate::docker::action::Body;
use crate::docker::{Action, Operation, Value};

use super::Create;
use super::checks::clean_path;
use super::checks::socket_mount::{holds, rootless};
use super::facts::Facts;

/// Sockets of the Engine API, wherever the engine runs: what clients write when they mean "the docker socket".
const DAEMONS: [&str; 4] = ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/var/run/podman/podman.sock"];

/// Puts the door's socket in the place of the daemon's in a body that makes containers; returns the JSON paths of what was set.
/// Nothing happens where the policy names no door. A folder that holds the socket is left as it is, and refused later.
pub(super) fn apply(create: &Create, action: &mut Action, facts: &Facts) -> Vec<String> {
    let (Some(door), Body::Json(body)) = (&create.rebind_socket, &mut action.body) else { return Vec::new() };
    let mut done = Vec::new();
    let operation = action.endpoint.operation;
    if operation == Operation::ContainerCreate {
        within(body, "HostConfig", &mut |host| {
            within(host, "Binds", &mut |list| binds(list, door, facts, &mut done));
            within(host, "Mounts", &mut |list| mounts(list, door, facts, "HostConfig.Mounts", &mut done));
        });
    } else if matches!(operation, Operation::ServiceCreate | Operation::ServiceUpdate) {
        within(body, "TaskTemplate", &mut |task| {
            within(task, "ContainerSpec", &mut |spec| {
                within(spec, "Mounts", &mut |list| mounts(list, door, facts, "TaskTemplate.ContainerSpec.Mounts", &mut done));
            });
        });
    }
    done
}

/// The path that a mount of `source` shows: the door's where the daemon's socket is replaced, else itself.
/// `None` where the text is no plain absolute path.
pub(super) fn shown(create: &Create, source: &str, facts: &Facts) -> Option<String> {
    let path = clean_path(source)?;
    let door = create.rebind_socket.as_ref().filter(|_| is_daemon(&path, facts));
    Some(door.cloned().unwrap_or(path))
}

/// Where a body still mounts the daemon's socket, or a folder that holds it, although the policy replaces it.
/// The engine cleans paths by their letters alone, and so does this.
pub(super) fn left(create: &Create, action: &Action, facts: &Facts) -> Option<String> {
    let body = action.json().filter(|_| create.rebind_socket.is_some())?;
    let reaches = |source: &str| lexical(source).is_some_and(|path| shows_daemon(&path, facts));
    let host = body.get("HostConfig").unwrap_or(&Value::Null);
    let bind = host.get("Binds").map(Value::items).unwrap_or_default().iter().position(|bind| {
        let text = bind.as_text().unwrap_or_default();
        text.split_once(':').is_some_and(|(source, _)| reaches(source))
    });
    let task = body.get("TaskTemplate").and_then(|task| task.get("ContainerSpec")).unwrap_or(&Value::Null);
    let mount = |holder: &Value, place: &str| {
        let list = holder.get("Mounts").map(Value::items).unwrap_or_default();
        let (at, key) = list.iter().enumerate().find_map(|(at, mount)| Some((at, mounted(mount).find(|(_, path)| reaches(path))?.0)))?;
        Some(format!("{place}[{at}].{key}"))
    };
    let bind = bind.map(|at| format!("HostConfig.Binds[{at}]"));
    bind.or_else(|| mount(host, "HostConfig.Mounts")).or_else(|| mount(task, "TaskTemplate.ContainerSpec.Mounts"))
}

/// The paths of the host that one mount can name: its source, and the device of a volume that is made with it.
fn mounted(mount: &Value) -> impl Iterator<Item = (&'static str, &str)> {
    let options = mount.get("VolumeOptions").and_then(|options| options.get("DriverConfig")).and_then(|driver| driver.get("Options"));
    let device = options.map(|options| options.text("device")).unwrap_or_default();
    [("Source", mount.text("Source")), ("VolumeOptions.DriverConfig.Options.device", device)].into_iter()
}

/// Changes a member that is there.
fn within(value: &mut Value, key: &str, change: &mut dyn FnMut(&mut Value)) {
    if value.get(key).is_some() {
        value.edit(key, change);
    }
}

fn binds(list: &mut Value, door: &str, facts: &Facts, done: &mut Vec<String>) {
    let Value::List(items) = list else { return };
    for (at, item) in items.iter_mut().enumerate() {
        let Some((source, rest)) = item.as_text().and_then(|bind| bind.split_once(':')) else { continue };
        if clean_path(source).is_some_and(|path| is_daemon(&path, facts)) {
            *item = Value::Text(format!("{door}:{rest}"));
            done.push(format!("HostConfig.Binds[{at}]"));
        }
    }
}

fn mounts(list: &mut Value, door: &str, facts: &Facts, place: &str, done: &mut Vec<String>) {
    let Value::List(items) = list else { return };
    for (at, mount) in items.iter_mut().enumerate() {
        let daemons = mount.text("Type") == "bind" && clean_path(mount.text("Source")).is_some_and(|path| is_daemon(&path, facts));
        if daemons {
            mount.edit("Source", |source| *source = Value::Text(door.to_owned()));
            done.push(format!("{place}[{at}].Source"));
        }
    }
}

/// True for the socket of the engine behind the doors, and for the names under which engines are usually found.
fn is_daemon(path: &str, facts: &Facts) -> bool {
    DAEMONS.contains(&path) || facts.own.engine.iter().any(|engine| engine == path) || rootless(path)
}

fn shows_daemon(path: &str, facts: &Facts) -> bool {
    let engines = facts.own.engine.iter().map(String::as_str);
    rootless(path) || DAEMONS.into_iter().chain(engines).any(|socket| holds(path, socket))
}

/// `path.Clean` of an absolute path, `..` carried out.
fn lexical(text: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in text.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}
