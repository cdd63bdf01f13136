//! Devices, memory, ulimits, logs, restarts and build options.
//! Knows nothing of users, mounts and networks.

use crate::docker::Value;
use crate::policy::examine::Context;
use crate::policy::verdict::Reason;

use super::{Found, first, here, one_of, refuse};

/// The largest `/dev/shm`.
const MAX_SHM: i128 = 1 << 30;

/// `Devices` by exact path. Cgroup rules and device requests (GPUs, CDI) have no grant.
pub fn devices(context: &Context<'_>, value: &Value) -> Found {
    let granted = |device: &Value| {
        let path = device.text("PathOnHost");
        device.as_text().is_none() && device.get("PathOnHost").is_some() && context.create.devices.iter().any(|grant| grant == path)
    };
    first(value.items(), |device| if granted(device) { None } else { refuse(Reason::Devices) })
}

/// `OomScoreAdj`: below zero the host kills others first.
pub fn oom_score(value: &Value) -> Found {
    value.as_int().is_none_or(|score| score < 0).then(|| here(Reason::Oom))
}

/// `ShmSize` in bytes.
pub fn shm_size(value: &Value) -> Found {
    value.as_int().is_none_or(|bytes| !(0..=MAX_SHM).contains(&bytes)).then(|| here(Reason::ShmSize))
}

/// `Ulimits`: locked memory and real-time priority take from the host.
pub fn ulimits(value: &Value) -> Found {
    first(value.items(), |limit| {
        let name = limit.text("Name").to_ascii_lowercase();
        matches!(name.as_str(), "memlock" | "rtprio" | "nice" | "").then(|| here(Reason::Ulimits))
    })
}

/// `LogConfig`: drivers that keep to the host's own disk, and options that name no file and no address.
pub fn log_config(value: &Value) -> Found {
    if let Some((reason, _)) = value.get("Type").and_then(|ty| one_of(ty, &["json-file", "local", "none"], Reason::LogDriver)) {
        return Some((reason, ".Type".to_owned()));
    }
    const OPTIONS: [&str; 10] =
        ["max-size", "max-file", "compress", "mode", "max-buffer-size", "labels", "labels-regex", "env", "env-regex", "tag"];
    let options = value.get("Config").map(Value::members).unwrap_or_default();
    let odd = options.iter().find(|(name, _)| !OPTIONS.contains(&name.as_ref()));
    odd.map(|(name, _)| (Reason::LogDriver, format!(".Config.{name}")))
}

/// `RestartPolicy` by name.
pub fn restart_policy(value: &Value) -> Found {
    let policies = ["no", "on-failure", "always", "unless-stopped"];
    value.get("Name").and_then(|name| one_of(name, &policies, Reason::RestartPolicy)).map(|(reason, _)| (reason, ".Name".to_owned()))
}

/// Options of a classic build; what is not set arrives empty.
pub fn build_option(key: &str, value: &str) -> Option<Reason> {
    let plain = match key {
        "networkmode" => matches!(value, "default" | "bridge" | "none"),
        "isolation" => value == "default",
        "version" => value == "1",
        // BuildKit's own arguments choose a frontend image that runs with its rights
        "buildargs" => !value.to_ascii_uppercase().contains("BUILDKIT_"),
        _ => false,
    };
    (!plain).then_some(Reason::BuildOption)
}
