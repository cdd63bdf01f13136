//! The check `cap-add`: adds a capability beyond the engine's default set.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::Level;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "cap-add",
    sentence: "adds a capability beyond the engine's default set",
    advice: "add it to `cap-add` of [policy.{policy}.create]",
    cis: Some("5.4"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The engine's default set (moby `caps/defaults.go`): adding these gives nothing that was not there.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The engine upper-cases with Unicode rules (`ſys_admın` is SYS_ADMIN to it); only ASCII is folded here.
/// At `restricted` everything is dropped first, so that only NET_BIND_SERVICE comes back without a grant.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let harmless: &[&str] = if context.create.level == Level::Restricted { &["NET_BIND_SERVICE"] } else { &DEFAULT };
    let granted = |name: &str| {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        harmless.contains(&bare) || context.create.cap_add.iter().any(|grant| grant == bare)
    };
    let refused = value.texts().enumerate().filter(|(_, name)| !granted(name));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::CapAdd, &Place::Index(place, at))));
}
