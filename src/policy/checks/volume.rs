//! The check `volume`: uses a named volume that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::endpoint::is_object_name;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "volume",
    sentence: "uses a named volume that is not granted",
    advice: "add the name to `volumes` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// A named volume needs a grant, and must not be one that holds what dockgate protects.
pub(super) fn name(context: &Context<'_>, name: &str) -> Option<Reason> {
    if context.facts.own.volumes.iter().any(|own| own == name) {
        return Some(Reason::SelfProtection);
    }
    let granted = is_object_name(name) && context.create.volumes.iter().any(|grant| grant.matches(name));
    (!granted).then_some(Reason::Volume)
}

/// The name of a volume that is created.
pub(super) fn created(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    out.extend(name(context, value.as_text().unwrap_or_default()).map(|reason| Finding::at(reason, place)));
}
