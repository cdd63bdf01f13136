//! The check `build-option`: this build option reaches beyond the build.
//! Knows nothing of other checks' grants.

use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "build-option",
    sentence: "this build option reaches beyond the build",
    advice: "leave it out",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Options of a classic build; what is not set arrives empty.
pub(super) fn key(key: &str, value: &str) -> Option<Reason> {
    let plain = match key {
        "networkmode" => matches!(value, "default" | "bridge" | "none"),
        "isolation" => value == "default",
        // BuildKit's own arguments choose a frontend image that runs with its rights
        "buildargs" => !value.to_ascii_uppercase().contains("BUILDKIT_"),
        _ => false,
    };
    (!plain).then_some(Reason::BuildOption)
}
