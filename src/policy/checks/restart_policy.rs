//! The check `restart-policy`: no such restart policy.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "restart-policy",
    sentence: "no such restart policy",
    advice: "use no, on-failure, always or unless-stopped",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `RestartPolicy` by name, and `Condition` of a service's tasks.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let (name, condition) = (value.text("Name"), value.text("Condition"));
    let known =
        matches!(name, "" | "no" | "on-failure" | "always" | "unless-stopped") && matches!(condition, "" | "none" | "on-failure" | "any");
    if !known {
        out.push(Finding::at(Reason::RestartPolicy, place));
    }
    let attempts = value.get("MaximumRetryCount").or_else(|| value.get("MaxAttempts")).and_then(Value::as_int).unwrap_or(0);
    let endless = matches!(name, "always" | "unless-stopped")
        || condition == "any"
        || (attempts == 0 && (name == "on-failure" || condition == "on-failure"));
    if endless {
        out.push(Finding::at(Reason::UnboundedRestart, place));
    }
}
