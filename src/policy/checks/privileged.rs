//! The check `privileged`: a privileged container is root on the host.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "privileged",
    sentence: "a privileged container is root on the host",
    advice: "only level `unrestricted` allows it; grant single capabilities with `cap-add` of [policy.{policy}.create]",
    cis: Some("5.5"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::Privileged, place));
}
