//! The check `links`: legacy links leak the other container's environment.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "links",
    sentence: "legacy links leak the other container's environment",
    advice: "join both containers to a granted network",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::Links, place));
}
