//! The check `oom`: protects the container from the host's memory limits.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "oom",
    sentence: "protects the container from the host's memory limits",
    advice: "use a score of 0 or more and leave the OOM killer on",
    cis: Some("5.11"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `OomKillDisable` must not be set; with an `OomScoreAdj` below zero the host kills others first.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if value.as_int().is_none_or(|score| score < 0) {
        out.push(Finding::at(Reason::Oom, place));
    }
}
