//! The check `cap-drop-all`: does not drop all capabilities.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "cap-drop-all",
    sentence: "does not drop all capabilities",
    advice: "set CapDrop to [\"ALL\"] and add back what is needed, or set `inject.cap-drop-all` of [policy.{policy}.create]",
    cis: Some("5.4"),
    baseline: Act::Off,
    restricted: Act::Deny,
};
