//! The check `network-option`: this setting reaches the host's network.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check, hollow, network};

pub(super) const CHECK: Check = Check {
    id: "network-option",
    sentence: "this setting reaches the host's network",
    advice: "create the network on the engine itself and grant its name in `networks` of [policy.{policy}.create]",
    cis: Some("7.3"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The fields of a network that is created: a bridge without options, under a granted name.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let text = value.as_text().unwrap_or_default();
    let reason = match place {
        Place::Key(_, "Name") => network::name(context.create, text),
        Place::Key(_, "Driver") => (text != "bridge").then_some(Reason::NetworkOption),
        Place::Key(_, "Scope") => (text != "local").then_some(Reason::NetworkOption),
        Place::Key(_, "IPAM") => (!plain_ipam(value)).then_some(Reason::NetworkOption),
        Place::Root | Place::Key(..) | Place::Index(..) => (!hollow(value)).then_some(Reason::NetworkOption),
    };
    out.extend(reason.map(|reason| Finding::at(reason, place)));
}

fn plain_ipam(value: &Value) -> bool {
    matches!(value.text("Driver"), "" | "default") && ["Options", "Config"].iter().all(|key| value.get(key).is_none_or(hollow))
}
