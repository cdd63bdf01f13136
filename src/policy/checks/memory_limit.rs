//! The check `memory-limit`: has no memory limit.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "memory-limit",
    sentence: "has no memory limit",
    advice: "set Memory, or `inject.memory` of [policy.{policy}.create]",
    cis: Some("5.11"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};
