//! The check `masked-paths`: unmasks kernel files.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding, Source};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "masked-paths",
    sentence: "unmasks kernel files",
    advice: "leave the paths out (`systempaths=unconfined` sends empty ones)",
    cis: Some("5.22"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Paths that every release of the engine masks or makes read-only by default.
const MASKED: [&str; 4] = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"];
const READ_ONLY: [&str; 4] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"];

/// The others that a supported release has in its lists. A client that creates a container anew sends what inspect showed;
/// it is held to the whole list, since the engine that runs it would have applied that.
const ALSO_MASKED: [&str; 7] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
];
const ALSO_READ_ONLY: [&str; 1] = ["/proc/sysrq-trigger"];

/// `MaskedPaths` and `ReadonlyPaths`: the engine's own lists, or longer ones.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let read_only = matches!(place, Place::Key(_, "ReadonlyPaths"));
    let (required, also): (&[&str], &[&str]) = if read_only { (&READ_ONLY, &ALSO_READ_ONLY) } else { (&MASKED, &ALSO_MASKED) };
    let also = if context.source == Source::Client { also } else { &[] };
    let listed = |path: &&str| value.texts().any(|listed| listed == *path);
    if !required.iter().chain(also).all(listed) {
        out.push(Finding::at(Reason::MaskedPaths, place));
    }
}
