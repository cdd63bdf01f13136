//! The reasons that are no checks: no level and no setting changes them.
//! Knows nothing of bodies.

use super::{Act, Check};

/// No rule allows the operation.
pub(super) const NOT_ALLOWED: Check =
    decision("not-allowed", "this operation is not allowed here", "add the operation to `allow` of [policy.{policy}]");

/// A deny rule names it.
pub(super) const DENIED_BY_RULE: Check = decision(
    "denied-by-rule",
    "an explicit rule denies this operation",
    "remove the entry from `deny` of [policy.{policy}]; nothing else overrides it",
);

/// It would reach dockgate itself.
pub(super) const SELF_PROTECTION: Check = decision(
    "self-protection",
    "this would reach dockgate itself",
    "not possible below level `unrestricted`; act on dockgate's own container from the host",
);

/// A fact that is needed could not be had.
pub(super) const FACT_MISSING: Check = decision(
    "fact-missing",
    "the object could not be looked up, so it could not be judged",
    "see the operator's log for what the engine answered",
);

const fn decision(id: &'static str, sentence: &'static str, advice: &'static str) -> Check {
    Check { id, sentence, advice, cis: None, baseline: Act::Deny, restricted: Act::Deny }
}
