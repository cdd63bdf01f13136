//! The check `working-dir`: a working directory under /proc, /sys or /dev can reach the host.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::clean_path;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "working-dir",
    sentence: "a working directory under /proc, /sys or /dev can reach the host",
    advice: "use another directory",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `/proc/self/fd/N` was a way out to the host (CVE-2024-21626).
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let text = value.as_text().unwrap_or_default();
    let kernel = |path: &str| ["/proc", "/sys", "/dev"].iter().any(|root| path == *root || path.starts_with(&format!("{root}/")));
    let safe = match clean_path(text) {
        Some(path) => !kernel(&path),
        None => !text.starts_with('/') && !text.split('/').any(|part| part == ".."),
    };
    if !safe {
        out.push(Finding::at(Reason::WorkingDir, place));
    }
}
