//! The check `sysctls`: sets a kernel parameter outside the safe set.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "sysctls",
    sentence: "sets a kernel parameter outside the safe set",
    advice: "add its name to `sysctls` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The safe sysctls of the Pod Security Standards: namespaced, and harmless to others.
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// By exact name.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let allowed = |name: &str| SAFE.contains(&name) || context.create.sysctls.iter().any(|grant| grant == name);
    let refused = value.members().iter().filter(|(name, _)| !allowed(name));
    out.extend(refused.map(|(name, _)| Finding::at(Reason::Sysctls, &Place::Key(place, name))));
}
