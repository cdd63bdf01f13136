//! Namespaces: a container keeps to its own.
//! Knows nothing of endpoints and ports.

use crate::docker::Value;
use crate::policy::examine::{Context, Source};
use crate::policy::verdict::Reason;

use super::{Found, here, network_name, one_of};

/// `PidMode`, `UTSMode`, `UsernsMode`: only the engine's default. Podman reports it as `private`.
pub fn private(context: &Context<'_>, value: &Value) -> Found {
    match context.source {
        Source::Client => one_of(value, &[], Reason::HostNamespace),
        Source::Engine => one_of(value, &["private"], Reason::HostNamespace),
    }
}

/// `IpcMode`: not the host's, and nobody else's.
pub fn ipc(value: &Value) -> Found {
    one_of(value, &["private", "none", "shareable"], Reason::HostNamespace)
}

/// `CgroupnsMode`: on cgroup v1 the engine itself writes `host` where the client wrote nothing.
pub fn cgroupns(context: &Context<'_>, value: &Value) -> Found {
    let default_is_host = context.source == Source::Engine && context.facts.cgroup_v1();
    one_of(value, if default_is_host { &["private", "host"] } else { &["private"] }, Reason::HostNamespace)
}

/// `NetworkMode`: the engine's own networks, or one that is granted by name.
pub fn network(context: &Context<'_>, value: &Value) -> Found {
    let mode = value.as_text().unwrap_or_default();
    if mode == "host" || mode.contains(':') {
        return Some(here(Reason::HostNamespace));
    }
    if matches!(mode, "default" | "bridge" | "none") { None } else { network_name(context.create, mode).map(here) }
}
