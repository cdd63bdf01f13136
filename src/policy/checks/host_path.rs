//! The check `host-path`: mounts a host path that is not granted.
//! Knows nothing of other checks' grants.

use crate::policy::create::BindAccess;
use crate::policy::examine::Context;
use crate::policy::verdict::Reason;

use super::{Act, Check, clean_path, socket_mount};

pub(super) const CHECK: Check = Check {
    id: "host-path",
    sentence: "mounts a host path that is not granted",
    advice: "add the path to `binds` of [policy.{policy}.create], with mode \"ro\" if reading is enough",
    cis: Some("5.6"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// A host path needs a grant that names it. Engines' sockets and dockgate's own paths are never granted.
pub(super) fn path(context: &Context<'_>, source: &str, access: BindAccess) -> Option<Reason> {
    let Some(path) = clean_path(source) else { return Some(Reason::HostPath) };
    if socket_mount::shows(&path, context.facts) {
        return Some(Reason::SocketMount);
    }
    let granted = context.create.binds.iter().any(|grant| grant.covers(&path, access));
    (!granted).then_some(Reason::HostPath)
}
