//! The check `host-path`: mounts a host path that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::policy::Create;
use crate::policy::create::BindAccess;
use crate::policy::examine::Context;
use crate::policy::facts::{Facts, Need};
use crate::policy::rebind;
use crate::policy::verdict::Reason;

use super::{Act, Check, clean_path, socket_mount};

pub(super) const CHECK: Check = Check {
    id: "host-path",
    sentence: "mounts a host path that is not granted",
    advice: "add the path to `binds` of [policy.{policy}.create], with mode \"ro\" if reading is enough",
    cis: Some("5.6"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// A host path needs a grant that names it. Engines' sockets and dockgate's own paths are never granted,
/// but for the one door that stands in for the daemon's socket.
pub(super) fn path(context: &Context<'_>, source: &str, access: BindAccess) -> Option<Reason> {
    let Some(path) = clean_path(source) else { return Some(Reason::HostPath) };
    if let Some(door) = &context.create.rebind_socket {
        if path == *door {
            return rebound(context, path);
        }
        // who can write to its folder could put a link to the daemon's socket in its place
        if socket_mount::holds(&path, door) {
            return Some(Reason::SocketMount);
        }
    }
    if socket_mount::shows(&path, context.facts) {
        return Some(Reason::SocketMount);
    }
    let granted = |path: &str| context.create.binds.iter().any(|grant| grant.covers(path, access));
    if !granted(&path) {
        return Some(Reason::HostPath);
    }
    // a symbolic link on the way counts as the place that it leads to
    let real = context.facts.get(&Need::HostPath(path)).and_then(Value::as_text)?;
    if socket_mount::shows(real, context.facts) {
        return Some(Reason::SocketMount);
    }
    (!granted(real)).then_some(Reason::HostPath)
}

/// The door that stands in for the daemon's socket must be what its path says: a link could lead to the daemon.
/// Where dockgate sees no such path, the operator's word counts.
fn rebound(context: &Context<'_>, door: String) -> Option<Reason> {
    let real = context.facts.get(&Need::HostPath(door.clone())).and_then(Value::as_text)?;
    (real != door).then_some(Reason::SocketMount)
}

/// The granted host paths that a body or a container mounts: where they lead must be known before they are judged.
/// A mount of the daemon's socket counts as one of the door that stands in for it.
pub fn granted_sources<'a>(create: &'a Create, body: &'a Value, facts: &'a Facts) -> impl Iterator<Item = String> + 'a {
    let host = body.get("HostConfig").unwrap_or(&Value::Null);
    let binds = host.get("Binds").into_iter().flat_map(Value::texts).filter_map(|bind| bind.split(':').next());
    let task = body.get("TaskTemplate").and_then(|task| task.get("ContainerSpec"));
    let mounts = [Some(host), task].into_iter().flatten().filter_map(|holder| holder.get("Mounts")).flat_map(Value::items);
    let mounted = mounts.filter(|mount| mount.text("Type") == "bind").map(|mount| mount.text("Source"));
    let least = BindAccess::RecursiveReadOnly;
    let granted =
        move |path: &String| create.rebind_socket.as_ref() == Some(path) || create.binds.iter().any(|grant| grant.covers(path, least));
    binds.chain(mounted).filter_map(|source| rebind::shown(create, source, facts)).filter(granted)
}
