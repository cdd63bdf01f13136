//! The check `shm-size`: shared memory beyond 1 GiB is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "shm-size",
    sentence: "shared memory beyond 1 GiB is refused",
    advice: "use at most 1 GiB",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The largest `/dev/shm`, in bytes.
const MAX_BYTES: i128 = 1 << 30;

/// In bytes.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if value.as_int().is_none_or(|bytes| !(0..=MAX_BYTES).contains(&bytes)) {
        out.push(Finding::at(Reason::ShmSize, place));
    }
}
