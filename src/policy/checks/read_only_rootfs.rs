//! The check `read-only-rootfs`: can write its root filesystem.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "read-only-rootfs",
    sentence: "can write its root filesystem",
    advice: "set ReadonlyRootfs and a tmpfs for scratch, or `inject.read-only-rootfs` of [policy.{policy}.create]",
    cis: Some("5.13"),
    baseline: Act::Off,
    restricted: Act::Warn,
};
