//! The check `low-port`: publishes a privileged port of the host.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "low-port",
    sentence: "publishes a privileged port of the host",
    advice: "publish a port from 1024 on",
    cis: Some("5.8"),
    baseline: Act::Warn,
    restricted: Act::Warn,
};
