//! The check `limit-lifted`: lifts a limit that the container has.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "limit-lifted",
    sentence: "lifts a limit that the container has",
    advice: "set a limit above zero",
    cis: Some("5.11, 5.12, 5.29"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};

/// An update that takes a limit away: the engine reads a negative number, and 0 processes, as no limit.
pub(super) fn update(body: &Value, out: &mut Vec<Finding>) {
    let lifted = |key: &str| body.get(key).and_then(Value::as_int).is_some_and(|limit| limit < 0 || (key == "PidsLimit" && limit == 0));
    let found = ["Memory", "MemorySwap", "NanoCpus", "CpuQuota", "PidsLimit"].into_iter().filter(|key| lifted(key));
    out.extend(found.map(|key| Finding::at(Reason::LimitLifted, &Place::Key(&Place::Root, key))));
}
