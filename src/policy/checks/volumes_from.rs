//! The check `volumes-from`: takes over the mounts of another container.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "volumes-from",
    sentence: "takes over the mounts of another container",
    advice: "name the volumes one by one and grant them in `volumes` of [policy.{policy}.create]",
    cis: Some("5.6"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::VolumesFrom, place));
}
