//! The check `ps-args`: these arguments run on the host's ps.
//! Knows nothing of other checks' grants.

use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "ps-args",
    sentence: "these arguments run on the host's ps",
    advice: "use no arguments, -ef or aux",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Some arguments print other processes' environments.
pub(super) fn key(value: &str) -> Option<Reason> {
    let plain = matches!(value, "-ef" | "ef" | "aux" | "-aux" | "-o pid,comm" | "-eo pid,comm" | "-eo pid,ppid,user,comm");
    (!plain).then_some(Reason::PsArgs)
}
