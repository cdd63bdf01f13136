//! Capabilities, security options, masked paths and kernel parameters.
//! Knows nothing of users and namespaces.

use crate::docker::Value;
use crate::policy::examine::{Context, Source};
use crate::policy::verdict::Reason;

use super::{Found, refuse};

/// The engine's default set (moby `caps/defaults.go`): adding these gives nothing that was not there.
const DEFAULT_CAPABILITIES: [&str; 14] = [
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

/// The safe sysctls of the Pod Security Standards: namespaced, and harmless to others.
const SAFE_SYSCTLS: [&str; 12] = [
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

/// Paths that every release of the engine masks or makes read-only by default.
const MASKED: [&str; 4] = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"];
const READ_ONLY: [&str; 4] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"];

/// `CapAdd`. The engine upper-cases with Unicode rules (`ſys_admın` is SYS_ADMIN to it); only ASCII is folded here.
pub fn cap_add(context: &Context<'_>, value: &Value) -> Found {
    let granted = |name: &str| {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        DEFAULT_CAPABILITIES.contains(&bare) || context.create.cap_add.iter().any(|grant| grant == bare)
    };
    value.texts().position(|name| !granted(name)).map(|at| (Reason::CapAdd, format!("[{at}]")))
}

/// `SecurityOpt`: only what repeats a default or adds protection, in exact spelling.
pub fn options(value: &Value) -> Found {
    let safe = |option: &str| {
        matches!(
            option,
            "no-new-privileges"
                | "no-new-privileges=true"
                | "no-new-privileges:true"
                | "seccomp=builtin"
                | "seccomp:builtin"
                | "apparmor=docker-default"
                | "apparmor:docker-default"
        )
    };
    value.texts().position(|option| !safe(option)).map(|at| (Reason::SecurityOpt, format!("[{at}]")))
}

/// `MaskedPaths` and `ReadonlyPaths`: a client leaves them out; the engine reports its own lists.
pub fn masked(context: &Context<'_>, value: &Value, place: &str) -> Found {
    let required = if place.ends_with("ReadonlyPaths") { READ_ONLY } else { MASKED };
    let defaults = required.iter().all(|path| value.texts().any(|masked| masked == *path));
    match context.source {
        Source::Engine if defaults => None,
        Source::Engine | Source::Client => refuse(Reason::MaskedPaths),
    }
}

/// `Sysctls` by exact name.
pub fn sysctls(value: &Value) -> Found {
    let unsafe_one = value.members().iter().find(|(name, _)| !SAFE_SYSCTLS.contains(&name.as_ref()));
    unsafe_one.map(|(name, _)| (Reason::Sysctls, format!(".{name}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn folds_capabilities_in_ascii_only() {
        assert_eq!("ſys_admın".to_ascii_uppercase(), "ſYS_ADMıN");
    }
}
