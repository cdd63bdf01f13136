//! The check `volume-driver`: volume drivers and driver options can mount any part of the host.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::hollow;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "volume-driver",
    sentence: "volume drivers and driver options can mount any part of the host",
    advice: "create the volume on the engine itself and grant its name in `volumes` of [policy.{policy}.create]",
    cis: Some("5.6"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Only the local driver without options: any option of it is a mount(2) that the engine carries out as root.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let plain = match value.as_text() {
        Some(driver) => is_local(driver),
        None => hollow(value),
    };
    if !plain {
        out.push(Finding::at(Reason::VolumeDriver, place));
    }
}

/// True for `DriverConfig` of a mount that asks for nothing.
pub(super) fn plain_config(driver: &Value) -> bool {
    is_local(driver.text("Name")) && driver.get("Options").is_none_or(hollow)
}

fn is_local(driver: &str) -> bool {
    matches!(driver, "" | "local")
}
