//! The check `security-opt`: turns off or replaces a protection of the engine.
//! Knows nothing of other checks' grants.

use sha2::{Digest, Sha256};

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::Create;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "security-opt",
    sentence: "turns off or replaces a protection of the engine",
    advice: "leave it out, or grant the profile in `security-opt` of [policy.{policy}.create]",
    cis: Some("5.2, 5.3, 5.22"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `SecurityOpt`: what repeats a default, adds protection or is granted, in exact spelling.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let refused = value.texts().enumerate().filter(|(_, option)| !safe(option) && !granted(context.create, option));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::SecurityOpt, &Place::Index(place, at))));
}

fn safe(option: &str) -> bool {
    let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    matches!((name, value), ("no-new-privileges", "" | "true") | ("seccomp", "builtin") | ("apparmor", "docker-default"))
        && !option.ends_with(['=', ':'])
}

/// A custom seccomp profile by the SHA-256 of its JSON as it was sent, an AppArmor profile by its name.
fn granted(create: &Create, option: &str) -> bool {
    match option.split_once(['=', ':']) {
        Some(("seccomp", profile)) if profile.starts_with('{') => {
            let digest: String = Sha256::digest(profile.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            create.security_opt.iter().any(|grant| grant.strip_prefix("seccomp=sha256:") == Some(&digest))
        }
        Some(("apparmor", name)) => create.security_opt.iter().any(|grant| grant.strip_prefix("apparmor=") == Some(name)),
        Some(_) | None => false,
    }
}
