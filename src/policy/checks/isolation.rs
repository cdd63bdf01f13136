//! The check `isolation`: uses another isolation technology.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "isolation",
    sentence: "uses another isolation technology",
    advice: "leave it out",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Only the default.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if value.as_text() != Some("default") {
        out.push(Finding::at(Reason::Isolation, place));
    }
}
