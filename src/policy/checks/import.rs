//! The check `import`: imports an image from a URL or a body.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "import",
    sentence: "imports an image from a URL or a body",
    advice: "pull it from a registry instead; only level `unrestricted` allows imports",
    cis: Some("4.2"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};
