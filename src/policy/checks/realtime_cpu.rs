//! The check `realtime-cpu`: takes real-time CPU from the host.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "realtime-cpu",
    sentence: "takes real-time CPU from the host",
    advice: "leave it out",
    cis: Some("5.12"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::RealtimeCpu, place));
}
