//! The check `user`: runs as a user that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "user",
    sentence: "runs as a user that is not granted",
    advice: "add it to `users` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `User`, by the granted patterns where there are any.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let text = value.as_text().unwrap_or_default();
    let granted = context.create.users.is_empty() || context.create.users.iter().any(|glob| glob.matches(text));
    if !granted {
        out.push(Finding::at(Reason::User, place));
    }
}
