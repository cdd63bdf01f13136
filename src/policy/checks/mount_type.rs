//! The check `mount-type`: this type of mount, or this option of it, is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::hollow;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "mount-type",
    sentence: "this type of mount, or this option of it, is refused",
    advice: "use a volume, a granted bind or a tmpfs; image mounts need their repository in `images` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Options that belong to another type of mount are not looked at by its check, so they must be empty.
pub(super) fn foreign_options(mount: &Value, own: &str, place: &Place<'_>, out: &mut Vec<Finding>) {
    let all = ["BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions", "ClusterOptions"];
    let foreign = all.into_iter().filter(|name| *name != own && mount.get(name).is_some_and(|options| !hollow(options)));
    out.extend(foreign.map(|name| Finding::at(Reason::MountType, &Place::Key(place, name))));
}
