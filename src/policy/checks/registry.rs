//! The check `registry`: makes the engine log in to a registry of the client's choice.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "registry",
    sentence: "makes the engine log in to a registry of the client's choice",
    advice: "only level `unrestricted` allows it",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::Registry, place));
}
