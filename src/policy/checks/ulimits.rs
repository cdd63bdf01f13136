//! The check `ulimits`: locks memory or takes real-time priority.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "ulimits",
    sentence: "locks memory or takes real-time priority",
    advice: "leave out memlock, nice and rtprio",
    cis: Some("5.19"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// By name, in any case.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let refused = |limit: &Value| matches!(limit.text("Name").to_ascii_lowercase().as_str(), "memlock" | "rtprio" | "nice" | "");
    let found = value.items().iter().enumerate().filter(|(_, limit)| refused(limit));
    out.extend(found.map(|(at, _)| Finding::at(Reason::Ulimits, &Place::Index(place, at))));
}
