//! The check `refused-field`: this setting must be empty.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "refused-field",
    sentence: "this setting must be empty",
    advice: "leave it out; only level `unrestricted` allows it",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::RefusedField, place));
}
