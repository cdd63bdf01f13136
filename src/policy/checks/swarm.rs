//! The check `swarm`: this setting reaches the swarm's managers, secrets or plugins.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "swarm",
    sentence: "this setting reaches the swarm's managers, secrets or plugins",
    advice: "only level `unrestricted` allows it",
    cis: Some("7.4"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::Swarm, place));
}
