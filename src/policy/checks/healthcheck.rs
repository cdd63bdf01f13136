//! The check `healthcheck`: turns its health check off.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "healthcheck",
    sentence: "turns its health check off",
    advice: "leave the image's health check on",
    cis: Some("5.27"),
    baseline: Act::Warn,
    restricted: Act::Warn,
};
