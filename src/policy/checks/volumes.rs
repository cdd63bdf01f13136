//! Volumes: names, drivers and anonymous ones.
//! Knows nothing of mounts.

use crate::docker::Value;
use crate::docker::endpoint::is_object_name;
use crate::policy::examine::Context;
use crate::policy::verdict::Reason;

use super::{Found, clean_path, here, hollow, refuse};

/// `VolumeDriver`, and `Driver`, `DriverOpts` and `ClusterVolumeSpec` of a volume: only the local driver without
/// options. Any option of it is a mount(2) that the engine carries out as root.
pub fn driver(value: &Value) -> Found {
    match value.as_text() {
        Some("" | "local") => None,
        Some(_) => refuse(Reason::VolumeDriver),
        None => {
            if hollow(value) {
                None
            } else {
                refuse(Reason::VolumeDriver)
            }
        }
    }
}

/// The name of a volume that is created.
pub fn name(context: &Context<'_>, value: &Value) -> Found {
    let name = value.as_text().unwrap_or_default();
    let granted = is_object_name(name) && context.create.volumes.iter().any(|grant| grant.matches(name));
    (!granted).then(|| here(Reason::Volume))
}

/// Anonymous volumes are paths in the container; old engines read a colon in them as a bind.
pub fn anonymous(value: &Value) -> Found {
    let odd = value.members().iter().find(|(path, _)| path.contains(':') || clean_path(path).is_none());
    odd.map(|(path, _)| (Reason::AnonymousVolume, format!(".{path}")))
}
