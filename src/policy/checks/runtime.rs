//! The check `runtime`: uses another runtime.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "runtime",
    sentence: "uses another runtime",
    advice: "add it to `runtimes` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The engine's default runtime, or one that is granted by exact name.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let name = value.as_text().unwrap_or_default();
    if name != "runc" && !context.create.runtimes.iter().any(|grant| grant == name) {
        out.push(Finding::at(Reason::Runtime, place));
    }
}
