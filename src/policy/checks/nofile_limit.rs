//! The check `nofile-limit`: has no limit of open files.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "nofile-limit",
    sentence: "has no limit of open files",
    advice: "set the ulimit nofile",
    cis: Some("5.19"),
    baseline: Act::Off,
    restricted: Act::Warn,
};
