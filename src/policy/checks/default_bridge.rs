//! The check `default-bridge`: shares the default bridge with every other container on it.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "default-bridge",
    sentence: "shares the default bridge with every other container on it",
    advice: "use a network of its own and grant it in `networks` of [policy.{policy}.create], or none",
    cis: Some("5.30"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};
