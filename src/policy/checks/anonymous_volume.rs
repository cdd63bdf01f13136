//! The check `anonymous-volume`: is not a plain path in the container.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::clean_path;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "anonymous-volume",
    sentence: "is not a plain path in the container",
    advice: "use an absolute path without a colon",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Anonymous volumes are paths in the container; old engines read a colon in them as a bind.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let odd = value.members().iter().filter(|(path, _)| path.contains(':') || clean_path(path).is_none());
    out.extend(odd.map(|(path, _)| Finding::at(Reason::AnonymousVolume, &Place::Key(place, path))));
}
