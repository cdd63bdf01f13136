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

/// `MaskedPaths` and `ReadonlyPaths`: a client leaves them out; the engine reports its own lists.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let read_only = matches!(place, Place::Key(_, "ReadonlyPaths"));
    let required = if read_only { READ_ONLY } else { MASKED };
    let defaults = required.iter().all(|path| value.texts().any(|masked| masked == *path));
    if context.source == Source::Client || !defaults {
        out.push(Finding::at(Reason::MaskedPaths, place));
    }
}
