//! The check `labels`: sets a label that is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::json;
use crate::policy::Create;
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
    let found = value.members().iter().filter(|(key, _)| refused(context.create, key));
    out.extend(found.map(|(key, _)| Finding::at(Reason::Labels, &Place::Key(place, key))));
}

/// The labels of a build, as JSON in its query.
pub(super) fn key(create: &Create, value: &str) -> Option<Reason> {
    let labels = json::read(value.as_bytes()).unwrap_or(Value::Null);
    labels.members().iter().any(|(key, _)| refused(create, key)).then_some(Reason::Labels)
}

fn refused(create: &Create, key: &str) -> bool {
    create.deny_labels.iter().any(|glob| glob.matches(key))
}
