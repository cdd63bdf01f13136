//! The check `labels`: sets a label that is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding, Source};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "labels",
    sentence: "sets a label that is refused",
    advice: "remove the key from `labels.deny` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// By their keys. An image's own labels are not the client's doing.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if context.source == Source::Engine {
        return;
    }
    let refused = |key: &str| context.create.deny_labels.iter().any(|glob| glob.matches(key));
    let found = value.members().iter().filter(|(key, _)| refused(key));
    out.extend(found.map(|(key, _)| Finding::at(Reason::Labels, &Place::Key(place, key))));
}
