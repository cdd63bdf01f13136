//! The check `no-new-privileges`: may gain privileges through setuid programs.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "no-new-privileges",
    sentence: "may gain privileges through setuid programs",
    advice: "set the security option no-new-privileges, or `inject.no-new-privileges` of [policy.{policy}.create]",
    cis: Some("5.26"),
    baseline: Act::Off,
    restricted: Act::Deny,
};
