//! A container or a service as the demands of the levels see it.
//! Knows nothing of what is demanded.

use crate::docker::Value;

/// The same questions, answered by a container body or by a service body.
pub(super) struct Workload<'a> {
    /// `User`
    pub user: &'a str,
    /// `CapDrop`, `CapabilityDrop`
    pub dropped: Option<&'a Value>,
    /// The last word about no-new-privileges.
    pub no_new_privileges: bool,
    /// Bytes of memory; 0 for no limit.
    pub memory: i128,
    /// True where a CPU limit is set; shares are none.
    pub cpus: bool,
    /// Processes; 0 for no limit.
    pub pids: i128,
    /// `Ulimits`
    pub ulimits: Option<&'a Value>,
    /// `ReadonlyRootfs`, `ReadOnly`
    pub read_only: bool,
    /// `Healthcheck.Test`
    pub healthcheck: Option<&'a Value>,
    /// True where it joins the default bridge.
    pub default_bridge: bool,
    /// True for a service.
    pub service: bool,
}

impl<'a> Workload<'a> {
    /// Of `POST /containers/create`.
    pub(super) fn container(body: &'a Value) -> Self {
        let host = body.get("HostConfig").unwrap_or(&Value::Null);
        let number = |key: &str| host.get(key).and_then(Value::as_int).unwrap_or(0).max(0);
        Self {
            user: body.text("User"),
            dropped: host.get("CapDrop"),
            no_new_privileges: last_word(host.get("SecurityOpt")),
            memory: number("Memory"),
            cpus: number("NanoCpus") > 0 || number("CpuQuota") > 0,
            pids: number("PidsLimit"),
            ulimits: host.get("Ulimits"),
            read_only: host.get("ReadonlyRootfs").is_some_and(Value::is_true),
            healthcheck: body.get("Healthcheck").and_then(|check| check.get("Test")),
            default_bridge: matches!(host.text("NetworkMode"), "" | "default" | "bridge"),
            service: false,
        }
    }

    /// Of `POST /services/create` and `/services/{id}/update`.
    pub(super) fn service(body: &'a Value) -> Self {
        let task = body.get("TaskTemplate").unwrap_or(&Value::Null);
        let spec = task.get("ContainerSpec").unwrap_or(&Value::Null);
        let limits = task.get("Resources").and_then(|resources| resources.get("Limits")).unwrap_or(&Value::Null);
        let number = |key: &str| limits.get(key).and_then(Value::as_int).unwrap_or(0).max(0);
        Self {
            user: spec.text("User"),
            dropped: spec.get("CapabilityDrop"),
            no_new_privileges: spec.get("Privileges").and_then(|set| set.get("NoNewPrivileges")).is_some_and(Value::is_true),
            memory: number("MemoryBytes"),
            cpus: number("NanoCPUs") > 0,
            pids: number("Pids"),
            ulimits: spec.get("Ulimits"),
            read_only: spec.get("ReadOnly").is_some_and(Value::is_true),
            healthcheck: spec.get("Healthcheck").and_then(|check| check.get("Test")),
            default_bridge: false,
            service: true,
        }
    }
}

/// The engine takes the last of several.
fn last_word(options: Option<&Value>) -> bool {
    let words = options.map(Value::items).unwrap_or_default().iter().rev().filter_map(Value::as_text);
    let mut of_it = words.filter(|word| word.starts_with("no-new-privileges"));
    matches!(of_it.next(), Some("no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true"))
}
