//! The check `host-namespace`: shares a namespace of the host or of another container.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding, Source};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "host-namespace",
    sentence: "shares a namespace of the host or of another container",
    advice: "only level `unrestricted` allows it",
    cis: Some("5.10, 5.16, 5.17, 5.21, 5.31"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `PidMode`, `UTSMode`, `UsernsMode`: only the engine's default. Podman reports it as `private`.
pub(super) fn private(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let allowed: &[&str] = if context.source == Source::Engine { &["private"] } else { &[] };
    only(allowed, value, place, out);
}

/// `IpcMode`: not the host's, and nobody else's.
pub(super) fn ipc(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    only(&["private", "none", "shareable"], value, place, out);
}

/// `CgroupnsMode`: on cgroup v1 the engine itself writes `host` where the client wrote nothing.
pub(super) fn cgroupns(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let default_is_host = context.source == Source::Engine && context.facts.cgroup_v1();
    only(if default_is_host { &["private", "host"] } else { &["private"] }, value, place, out);
}

fn only(allowed: &[&str], value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if !value.as_text().is_some_and(|mode| allowed.contains(&mode)) {
        out.push(Finding::at(Reason::HostNamespace, place));
    }
}
