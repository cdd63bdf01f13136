//! The check `network`: uses a network that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::endpoint::is_object_name;
use crate::policy::Create;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "network",
    sentence: "uses a network that is not granted",
    advice: "add the network's name to `networks` of [policy.{policy}.create]",
    cis: Some("5.30"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// A network by name. Text of hex digits could be the start of any network's id, so only a literal grant opens it.
pub(in crate::policy) fn name(create: &Create, name: &str) -> Option<Reason> {
    let hex = name.bytes().all(|b| b.is_ascii_hexdigit());
    let granted = create.networks.iter().any(|grant| grant.matches(name) && (!hex || grant.is_literal()));
    (name == "host" || !is_object_name(name) || !granted).then_some(Reason::Network)
}

/// `NetworkMode`: the engine's own networks, or one that is granted by name.
pub(super) fn mode(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let mode = value.as_text().unwrap_or_default();
    let reason = match mode {
        "default" | "bridge" | "none" => None,
        mode if mode == "host" || mode.contains(':') => Some(Reason::HostNamespace),
        mode => name(context.create, mode),
    };
    out.extend(reason.map(|reason| Finding::at(reason, place)));
}
