//! The check `secrets`: uses a secret or config of the swarm that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::Glob;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "secrets",
    sentence: "uses a secret or config of the swarm that is not granted",
    advice: "add its name to `secrets` or `configs` of [policy.{policy}.create]",
    cis: Some("7.4"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The secrets that a service reads, by `SecretName`.
pub(super) fn secrets(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    by_name(&context.create.secrets, "SecretName", value, place, out);
}

/// The configs that a service reads, by `ConfigName`.
pub(super) fn configs(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    by_name(&context.create.configs, "ConfigName", value, place, out);
}

/// The engine checks that id and name belong together.
fn by_name(grants: &[Glob], key: &str, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let refused = value.items().iter().enumerate().filter(|(_, one)| !grants.iter().any(|glob| glob.matches(one.text(key))));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::Secrets, &Place::Index(place, at))));
}
