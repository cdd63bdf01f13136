//! Injection: hardening that a policy adds where the client left it out, before anything is judged.
//! Knows nothing of checks: what was injected is judged like the rest.

use crate::docker::action::Body;
use crate::docker::{Action, Operation, Value};

use super::Create;
use super::checks::{self, non_root::by_number};
use super::facts::{Facts, Need};
use super::rebind;

/// What is set where the client left it out. Nothing here loosens anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inject {
    /// The security option no-new-privileges, as the last of its kind: the engine takes the last.
    pub no_new_privileges: bool,
    /// `CapDrop: ["ALL"]`; capabilities that are added come back.
    pub cap_drop_all: bool,
    /// Processes.
    pub pids_limit: Option<i64>,
    /// Bytes of memory; swap is forbidden with it.
    pub memory: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// A read-only root file system, with a tmpfs at `/tmp`.
    pub read_only_rootfs: bool,
    /// `uid:gid`
    pub user: Option<String>,
    /// A private ipc namespace.
    pub ipc_private: bool,
    /// A private cgroup namespace.
    pub cgroupns_private: bool,
    /// `max-size` and `max-file` of the json-file log.
    pub log_rotation: Option<(String, u32)>,
    /// Labels; they win over the client's.
    pub labels: Vec<(String, String)>,
    /// The address of published ports that name none.
    pub host_ip: Option<String>,
}

/// The tmpfs that comes with a read-only root.
const SCRATCH: &str = "rw,noexec,nosuid,nodev,size=64m";

/// Injects into the creation of a container or a service; returns the JSON paths of what was set.
pub fn apply(create: &Create, action: &mut Action, facts: &Facts) -> Vec<String> {
    let mut done = match (&mut action.body, action.endpoint.operation) {
        (Body::Json(body), Operation::ContainerCreate) => user_of_image(create, body, facts),
        (Body::Json(_) | Body::None | Body::Opaque(_), _) => Vec::new(),
    };
    done.extend(rebind::apply(create, action, facts));
    done.extend(configured(create, action));
    done
}

/// The image's own user, where it is a number and decides: the image could be another one when the engine looks.
fn user_of_image(create: &Create, body: &mut Value, facts: &Facts) -> Vec<String> {
    let image = checks::image_user(create, body).and_then(|image| facts.get(&Need::Image(image.to_owned())));
    let user = image.and_then(|image| image.get("Config")).map(|config| config.text("User").to_owned());
    let mut done = Vec::new();
    if let Some(user) = user.filter(|user| by_number(user)) {
        default(body, "User", text(&user), "", &mut done);
    }
    done
}

fn configured(create: &Create, action: &mut Action) -> Vec<String> {
    let inject = &create.inject;
    match (&mut action.body, action.endpoint.operation) {
        (Body::Json(body), Operation::ContainerCreate) if *inject != Inject::default() => {
            let mut done = Vec::new();
            config(inject, body, &mut done);
            let scratch = mounts_scratch(body);
            body.edit("HostConfig", |host| host_config(inject, host, scratch, &mut done));
            done
        }
        (Body::Json(_) | Body::None | Body::Opaque(_), _) => Vec::new(),
    }
}

type Done = Vec<String>;

/// True where the client mounts something at `/tmp` itself: the engine refuses two mounts at one place.
fn mounts_scratch(body: &Value) -> bool {
    let host = body.get("HostConfig").unwrap_or(&Value::Null);
    let is_tmp = |path: &str| path.trim_end_matches('/') == "/tmp";
    let binds = host.get("Binds").map(Value::items).unwrap_or_default().iter().filter_map(Value::as_text);
    let mut targets = binds.map(|bind| bind.split(':').nth(usize::from(bind.contains(':'))).unwrap_or_default());
    let mounts = host.get("Mounts").map(Value::items).unwrap_or_default();
    let volumes = body.get("Volumes").map(Value::members).unwrap_or_default();
    targets.any(is_tmp) || mounts.iter().any(|mount| is_tmp(mount.text("Target"))) || volumes.iter().any(|(path, _)| is_tmp(path))
}

fn config(inject: &Inject, body: &mut Value, done: &mut Done) {
    if let Some(user) = &inject.user {
        default(body, "User", text(user), "", done);
    }
    for (key, value) in &inject.labels {
        body.edit("Labels", |labels| labels.edit(key, |label| *label = text(value)));
        done.push(format!("Labels.{key}"));
    }
}

fn host_config(inject: &Inject, host: &mut Value, mounts_scratch: bool, done: &mut Done) {
    if inject.no_new_privileges {
        host.edit("SecurityOpt", |options| no_new_privileges(options, done));
    }
    if inject.cap_drop_all {
        host.edit("CapDrop", |dropped| drop_all(dropped, done));
    }
    limits(inject, host, done);
    if inject.read_only_rootfs && !host.get("ReadonlyRootfs").is_some_and(Value::is_true) {
        host.edit("ReadonlyRootfs", |flag| *flag = Value::Bool(true));
        done.push("HostConfig.ReadonlyRootfs".to_owned());
        if !mounts_scratch {
            host.edit("Tmpfs", |tmpfs| default(tmpfs, "/tmp", text(SCRATCH), "HostConfig.Tmpfs.", done));
        }
    }
    for (wanted, key) in [(inject.ipc_private, "IpcMode"), (inject.cgroupns_private, "CgroupnsMode")] {
        if wanted {
            default(host, key, text("private"), "HostConfig.", done);
        }
    }
    if let Some((size, files)) = &inject.log_rotation {
        host.edit("LogConfig", |log| log_rotation(log, size, *files, done));
    }
    if let Some(address) = &inject.host_ip {
        host_ip(host, address, done);
    }
}

fn limits(inject: &Inject, host: &mut Value, done: &mut Done) {
    if let Some(pids) = inject.pids_limit.filter(|_| !positive(host, "PidsLimit")) {
        set(host, "PidsLimit", pids, done);
    }
    if let Some(memory) = inject.memory {
        let own = host.get("Memory").and_then(Value::as_int).and_then(|bytes| i64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        if own.is_none() {
            set(host, "Memory", memory, done);
        }
        if own.is_none() || !positive(host, "MemorySwap") {
            set(host, "MemorySwap", own.unwrap_or(memory), done);
        }
    }
    if let Some(cpus) = inject.nano_cpus.filter(|_| !positive(host, "NanoCpus") && !positive(host, "CpuQuota")) {
        cpu(host, cpus, done);
    }
}

/// The engine takes either NanoCpus or a quota in a period, never both.
fn cpu(host: &mut Value, nano_cpus: i64, done: &mut Done) {
    match host.get("CpuPeriod").and_then(Value::as_int).filter(|period| *period > 0) {
        Some(period) => {
            let quota = i128::from(nano_cpus) * period / 1_000_000_000;
            set(host, "CpuQuota", i64::try_from(quota).unwrap_or(i64::MAX), done);
        }
        None => set(host, "NanoCpus", nano_cpus, done),
    }
}

fn set(host: &mut Value, key: &str, limit: i64, done: &mut Done) {
    host.edit(key, |value| *value = number(limit));
    done.push(format!("HostConfig.{key}"));
}

fn default(object: &mut Value, key: &str, value: Value, prefix: &str, done: &mut Done) {
    object.edit(key, |slot| {
        if slot.is_empty() {
            *slot = value;
            done.push(format!("{prefix}{key}"));
        }
    });
}

/// The client's own words about it go: the engine takes the last.
fn no_new_privileges(options: &mut Value, done: &mut Done) {
    let asked = |option: &Value| option.as_text().is_some_and(|text| text.starts_with("no-new-privileges"));
    let same = options.items().iter().filter(|option| asked(option)).map(Value::as_text).eq([Some("no-new-privileges")]);
    if !same {
        let others = options.items().iter().filter(|option| !asked(option)).cloned();
        *options = Value::List(others.chain([text("no-new-privileges")]).collect());
        done.push("HostConfig.SecurityOpt".to_owned());
    }
}

fn drop_all(dropped: &mut Value, done: &mut Done) {
    if !dropped.texts().any(|name| name.eq_ignore_ascii_case("all")) {
        *dropped = Value::List(vec![text("ALL")]);
        done.push("HostConfig.CapDrop".to_owned());
    }
}

/// Only where the client left the log as it is by default.
fn log_rotation(log: &mut Value, size: &str, files: u32, done: &mut Done) {
    if !matches!(log.text("Type"), "" | "json-file") || log.get("Config").is_some_and(|config| !config.is_empty()) {
        return;
    }
    let options = vec![("max-size".into(), text(size)), ("max-file".into(), text(&files.to_string()))];
    *log = Value::Object(vec![("Type".into(), text("json-file")), ("Config".into(), Value::Object(options))]);
    done.push("HostConfig.LogConfig".to_owned());
}

fn host_ip(host: &mut Value, address: &str, done: &mut Done) {
    if host.get("PortBindings").is_none_or(Value::is_empty) {
        return;
    }
    host.edit("PortBindings", |ports| {
        let Value::Object(ports) = ports else { return };
        for (port, bindings) in ports {
            let Value::List(bindings) = bindings else { continue };
            for (at, binding) in bindings.iter_mut().enumerate() {
                default(binding, "HostIp", text(address), &format!("HostConfig.PortBindings.{port}[{at}]."), done);
            }
        }
    });
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn number(number: i64) -> Value {
    Value::Number(number.to_string())
}

fn positive(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_int).is_some_and(|limit| limit > 0)
}
