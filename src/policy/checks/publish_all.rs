//! The check `publish-all`: publishes every exposed port on every address.
//! Knows nothing of other checks' grants.

use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "publish-all",
    sentence: "publishes every exposed port on every address",
    advice: "publish single ports and grant them in `ports` of [policy.{policy}.create]",
    cis: Some("5.9"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Any value is refused.
pub(super) fn field(place: &Place<'_>, out: &mut Vec<Finding>) {
    out.push(Finding::at(Reason::PublishAll, place));
}
