//! The check `pids-limit`: has no process limit.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "pids-limit",
    sentence: "has no process limit",
    advice: "set PidsLimit, or `inject.pids-limit` of [policy.{policy}.create]",
    cis: Some("5.29"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};
