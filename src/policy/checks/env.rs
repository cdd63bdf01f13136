//! The check `env`: sets an environment variable that is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding, Source};
use crate::policy::verdict::Reason;

use super::secret_env;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "env",
    sentence: "sets an environment variable that is refused",
    advice: "remove the name from `env.deny` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `Env` by the names of its variables. An image's own variables are not the client's doing.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if context.source == Source::Engine {
        return;
    }
    for (at, entry) in value.texts().enumerate() {
        let (name, text) = entry.split_once('=').unwrap_or((entry, ""));
        if context.create.deny_env.iter().any(|glob| glob.matches(name)) {
            out.push(Finding::at(Reason::Env, &Place::Index(place, at)));
        }
        if secret_env::looks_secret(name, text) {
            out.push(Finding::at(Reason::SecretEnv, &Place::Index(place, at)));
        }
    }
}
