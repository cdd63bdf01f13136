//! What the levels ask of a container or service even where its body says nothing.
//! Knows nothing of single fields that are forbidden.

use crate::docker::Value;
use crate::docker::schema::{CONTAINER_CREATE, SERVICE_SPEC, Schema};
use crate::policy::Create;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::workload::Workload;
use super::{non_root, user};

/// The demands of a body, by its schema; other bodies have none.
pub fn demands(schema: &'static Schema, create: &Create, body: &Value, out: &mut Vec<Finding>) {
    if std::ptr::eq(schema, &CONTAINER_CREATE) {
        of(&Workload::container(body), create, out);
    } else if std::ptr::eq(schema, &SERVICE_SPEC) {
        of(&Workload::service(body), create, out);
    }
}

fn of(workload: &Workload<'_>, create: &Create, out: &mut Vec<Finding>) {
    let drops_all = workload.dropped.is_some_and(|dropped| dropped.texts().any(|name| name.eq_ignore_ascii_case("all")));
    let limits_files = workload.ulimits.is_some_and(|limits| limits.items().iter().any(|limit| limit.text("Name") == "nofile"));
    let check_off = workload.healthcheck.is_some_and(|test| test.texts().next() == Some("NONE"));
    for (missing, reason, key) in [
        (workload.user.is_empty() && !user::granted(create, "", false), Reason::User, "User"),
        (!non_root::by_number(workload.user), Reason::NonRoot, "User"),
        (!drops_all, Reason::CapDropAll, "CapDrop"),
        (!workload.no_new_privileges, Reason::NoNewPrivileges, "SecurityOpt"),
        (workload.memory == 0, Reason::MemoryLimit, "Memory"),
        (!workload.cpus, Reason::CpuLimit, "NanoCpus"),
        (workload.pids == 0, Reason::PidsLimit, "PidsLimit"),
        (!limits_files, Reason::NoFileLimit, "Ulimits"),
        (!workload.read_only, Reason::ReadOnlyRootfs, "ReadonlyRootfs"),
        (check_off, Reason::Healthcheck, "Healthcheck.Test"),
        (workload.default_bridge, Reason::DefaultBridge, "NetworkMode"),
    ] {
        if missing {
            out.push(Finding { reason, at: place(workload, key) });
        }
    }
}

/// The field that would have to say it, as the container's key names it.
fn place(workload: &Workload<'_>, key: &str) -> String {
    if !workload.service {
        return if matches!(key, "User" | "Healthcheck.Test") { key.to_owned() } else { format!("HostConfig.{key}") };
    }
    let (part, key) = match key {
        "Memory" => ("Resources.Limits", "MemoryBytes"),
        "NanoCpus" => ("Resources.Limits", "NanoCPUs"),
        "PidsLimit" => ("Resources.Limits", "Pids"),
        "CapDrop" => ("ContainerSpec", "CapabilityDrop"),
        "SecurityOpt" => ("ContainerSpec", "Privileges.NoNewPrivileges"),
        "ReadonlyRootfs" => ("ContainerSpec", "ReadOnly"),
        same => ("ContainerSpec", same),
    };
    format!("TaskTemplate.{part}.{key}")
}
