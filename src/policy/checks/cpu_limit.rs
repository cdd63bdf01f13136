//! The check `cpu-limit`: has no CPU limit.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "cpu-limit",
    sentence: "has no CPU limit",
    advice: "set NanoCpus or CpuQuota, or `inject.cpus` of [policy.{policy}.create]",
    cis: Some("5.12"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};
