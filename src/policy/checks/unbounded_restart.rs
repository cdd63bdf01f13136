//! The check `unbounded-restart`: restarts without end.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "unbounded-restart",
    sentence: "restarts without end",
    advice: "use on-failure with a count",
    cis: Some("5.15"),
    baseline: Act::Warn,
    restricted: Act::Warn,
};
