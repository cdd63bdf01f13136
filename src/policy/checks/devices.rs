//! The check `devices`: passes in a host device that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "devices",
    sentence: "passes in a host device that is not granted",
    advice: "add the device's path to `devices` of [policy.{policy}.create]",
    cis: Some("5.18"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `Devices` by exact path. Cgroup rules and device requests (GPUs, CDI) have no grant.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let granted = |device: &Value| {
        let path = device.get("PathOnHost").and_then(Value::as_text);
        path.is_some_and(|path| context.create.devices.iter().any(|grant| grant == path))
    };
    let refused = value.items().iter().enumerate().filter(|(_, device)| !granted(device));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::Devices, &Place::Index(place, at))));
}
