//! The check `propagation`: lets mounts travel between the host and the container, or leaves mounts below a read-only one writable.
//! Knows nothing of other checks' grants.

use crate::docker::Value;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "propagation",
    sentence: "lets mounts travel between the host and the container, or leaves mounts below a read-only one writable",
    advice: "leave the propagation at `rprivate` and keep read-only mounts recursive",
    cis: Some("5.20"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// True for what a bind may carry in its third part, beside `ro` and `rw`.
pub(super) fn private_option(option: &str) -> bool {
    matches!(option, "ro" | "rw" | "private" | "rprivate")
}

/// True for bind options that keep mounts apart; `ReadOnlyNonRecursive` leaves mounts below a read-only one writable.
pub(super) fn private_bind(options: &Value, read_only: bool) -> bool {
    let recursive = !(read_only && options.get("ReadOnlyNonRecursive").is_some_and(Value::is_true));
    matches!(options.text("Propagation"), "" | "private" | "rprivate") && recursive
}
