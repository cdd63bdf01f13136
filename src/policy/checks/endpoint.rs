//! The check `endpoint`: only aliases may be set for a network endpoint.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check, hollow, network};

pub(super) const CHECK: Check = Check {
    id: "endpoint",
    sentence: "only aliases may be set for a network endpoint",
    advice: "leave out addresses, driver options, links and network ids",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `EndpointsConfig` maps networks to settings; `EndpointConfig` of a connect is one entry of it.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if matches!(place, Place::Key(_, "EndpointConfig")) {
        return settings(value, place, out);
    }
    for (name, entry) in value.members() {
        let here = Place::Key(place, name);
        let own = matches!(name.as_ref(), "default" | "bridge" | "none");
        let reason = if own { None } else { network::name(context.create, name) };
        out.extend(reason.map(|reason| Finding::at(reason, &here)));
        settings(entry, &here, out);
    }
}

/// Only aliases: addresses, links, driver options (they set sysctls) and ids reach further.
fn settings(entry: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let odd = entry.members().iter().filter(|(key, value)| key != "Aliases" && !hollow(value));
    out.extend(odd.map(|(key, _)| Finding::at(Reason::Endpoint, &Place::Key(place, key))));
}
