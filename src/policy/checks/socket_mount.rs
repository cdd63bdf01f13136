//! The check `socket-mount`: mounting an engine's socket or a folder that holds it gives root on the host.
//! Knows nothing of other checks' grants.

use crate::policy::facts::Facts;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "socket-mount",
    sentence: "mounting an engine's socket or a folder that holds it gives root on the host",
    advice: "give the client a door of its own instead of the socket; `rebind-socket` of [policy.{policy}.create] mounts one where the socket itself is asked for",
    cis: Some("5.32"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Sockets that are root on the host, wherever the engine runs.
pub const SOCKETS: [&str; 10] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/var/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
];

/// True where a mount of this canonical path shows an engine's socket, or a path that dockgate protects.
pub(super) fn shows(path: &str, facts: &Facts) -> bool {
    let own = facts.own.paths.iter().map(String::as_str);
    SOCKETS.into_iter().chain(own).any(|secret| holds(path, secret))
}

/// Sockets of rootless engines, below their user's folder.
const ROOTLESS: [&str; 2] = ["docker.sock", "podman/podman.sock"];

/// True for `/run/user/1000/docker.sock` and its like.
pub fn rootless(path: &str) -> bool {
    let below = path.strip_prefix("/run/user/").or_else(|| path.strip_prefix("/var/run/user/"));
    below.and_then(|rest| rest.split_once('/')).is_some_and(|(_, rest)| ROOTLESS.contains(&rest))
}

/// True where `secret` is that path or lies below it.
pub(in crate::policy) fn holds(path: &str, secret: &str) -> bool {
    path == "/" || secret == path || secret.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}
