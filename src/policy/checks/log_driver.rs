//! The check `log-driver`: this log driver or option can send data out or read host files.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "log-driver",
    sentence: "this log driver or option can send data out or read host files",
    advice: "use json-file, local or none, or add the driver to `log-drivers` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// Options that name no file and no address.
const OPTIONS: [&str; 10] =
    ["max-size", "max-file", "compress", "mode", "max-buffer-size", "labels", "labels-regex", "env", "env-regex", "tag"];

/// `LogConfig` (`Type`, `Config`), and `LogDriver` of services (`Name`, `Options`). A granted driver comes with its options.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let (driver_key, options_key) =
        if value.get("Name").is_some() || value.get("Options").is_some() { ("Name", "Options") } else { ("Type", "Config") };
    let driver = value.text(driver_key);
    if context.create.log_drivers.iter().any(|grant| grant == driver) {
        return;
    }
    if !matches!(driver, "" | "json-file" | "local" | "none") {
        out.push(Finding::at(Reason::LogDriver, &Place::Key(place, driver_key)));
    }
    let options = Place::Key(place, options_key);
    let odd = value.get(options_key).map(Value::members).unwrap_or_default().iter().filter(|(name, _)| !OPTIONS.contains(&name.as_ref()));
    out.extend(odd.map(|(name, _)| Finding::at(Reason::LogDriver, &Place::Key(&options, name))));
}
