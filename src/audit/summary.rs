//! What matters of a body that changes something: the same words for containers, services and execs.
//! Knows nothing of secrets: it reads bodies from which they are gone already.

use std::borrow::Cow;

use super::restore;
use crate::docker::json::{Object, Value};
use crate::docker::{Action, Operation};

/// Elements of a list, and members of an object, that a summary shows.
const MOST: usize = 64;

/// A name in the summary, and the path in the body.
pub(super) type Pick = (&'static str, &'static str);

const CONTAINER: &[Pick] = &[
    ("image", "Image"),
    ("user", "User"),
    ("entrypoint", "Entrypoint"),
    ("command", "Cmd"),
    ("healthcheck", "Healthcheck.Test"),
    ("working_dir", "WorkingDir"),
    ("hostname", "Hostname"),
    ("env", "Env"),
    ("labels", "Labels"),
    ("privileged", "HostConfig.Privileged"),
    ("cap_add", "HostConfig.CapAdd"),
    ("cap_drop", "HostConfig.CapDrop"),
    ("security_opt", "HostConfig.SecurityOpt"),
    ("read_only", "HostConfig.ReadonlyRootfs"),
    ("publish_all", "HostConfig.PublishAllPorts"),
    ("volumes_from", "HostConfig.VolumesFrom"),
    ("volume_driver", "HostConfig.VolumeDriver"),
    ("group_add", "HostConfig.GroupAdd"),
    ("sysctls", "HostConfig.Sysctls"),
    ("runtime", "HostConfig.Runtime"),
    ("cgroup_parent", "HostConfig.CgroupParent"),
    ("extra_hosts", "HostConfig.ExtraHosts"),
    ("log_driver", "HostConfig.LogConfig.Type"),
    ("log_options", "HostConfig.LogConfig.Config"),
    ("restart", "HostConfig.RestartPolicy.Name"),
    ("memory", "HostConfig.Memory"),
    ("pids_limit", "HostConfig.PidsLimit"),
];

const SERVICE: &[Pick] = &[
    ("name", "Name"),
    ("image", "TaskTemplate.ContainerSpec.Image"),
    ("user", "TaskTemplate.ContainerSpec.User"),
    ("entrypoint", "TaskTemplate.ContainerSpec.Command"),
    ("command", "TaskTemplate.ContainerSpec.Args"),
    ("healthcheck", "TaskTemplate.ContainerSpec.Healthcheck.Test"),
    ("working_dir", "TaskTemplate.ContainerSpec.Dir"),
    ("hostname", "TaskTemplate.ContainerSpec.Hostname"),
    ("env", "TaskTemplate.ContainerSpec.Env"),
    ("labels", "Labels"),
    ("container_labels", "TaskTemplate.ContainerSpec.Labels"),
    ("cap_add", "TaskTemplate.ContainerSpec.CapabilityAdd"),
    ("cap_drop", "TaskTemplate.ContainerSpec.CapabilityDrop"),
    ("read_only", "TaskTemplate.ContainerSpec.ReadOnly"),
    ("group_add", "TaskTemplate.ContainerSpec.Groups"),
    ("sysctls", "TaskTemplate.ContainerSpec.Sysctls"),
    ("extra_hosts", "TaskTemplate.ContainerSpec.Hosts"),
    ("log_driver", "TaskTemplate.LogDriver.Name"),
    ("log_options", "TaskTemplate.LogDriver.Options"),
    ("runtime", "TaskTemplate.Runtime"),
    ("plugin", "TaskTemplate.PluginSpec"),
    ("constraints", "TaskTemplate.Placement.Constraints"),
    ("privileges", "TaskTemplate.ContainerSpec.Privileges"),
];

const EXEC: &[Pick] =
    &[("command", "Cmd"), ("user", "User"), ("privileged", "Privileged"), ("working_dir", "WorkingDir"), ("env", "Env"), ("tty", "Tty")];

const UPDATE: &[Pick] = &[
    ("restart", "RestartPolicy.Name"),
    ("memory", "Memory"),
    ("memory_swap", "MemorySwap"),
    ("nano_cpus", "NanoCpus"),
    ("pids_limit", "PidsLimit"),
    ("device_rules", "DeviceCgroupRules"),
];

const NETWORK: &[Pick] = &[
    ("name", "Name"),
    ("driver", "Driver"),
    ("scope", "Scope"),
    ("internal", "Internal"),
    ("attachable", "Attachable"),
    ("ingress", "Ingress"),
    ("config_from", "ConfigFrom.Network"),
    ("ipam_driver", "IPAM.Driver"),
    ("subnets", "IPAM.Config"),
    ("options", "Options"),
    ("labels", "Labels"),
];

const CONNECT: &[Pick] = &[
    ("container", "Container"),
    ("force", "Force"),
    ("aliases", "EndpointConfig.Aliases"),
    ("links", "EndpointConfig.Links"),
    ("addresses", "EndpointConfig.IPAMConfig"),
    ("options", "EndpointConfig.DriverOpts"),
];

const VOLUME: &[Pick] = &[
    ("name", "Name"),
    ("driver", "Driver"),
    ("options", "DriverOpts"),
    ("labels", "Labels"),
    ("cluster", "ClusterVolumeSpec"),
    ("cluster", "Spec"),
];

const SECRET: &[Pick] = &[("name", "Name"), ("labels", "Labels"), ("data", "Data"), ("driver", "Driver"), ("templating", "Templating")];

const SWARM: &[Pick] = &[
    ("listen", "ListenAddr"),
    ("advertise", "AdvertiseAddr"),
    ("data_path", "DataPathAddr"),
    ("managers", "RemoteAddrs"),
    ("join_token", "JoinToken"),
    ("unlock_key", "UnlockKey"),
    ("force_new_cluster", "ForceNewCluster"),
    ("availability", "Availability"),
    ("address_pools", "DefaultAddrPool"),
    ("auto_lock", "AutoLockManagers"),
    ("name", "Name"),
    ("labels", "Labels"),
    ("authority", "CAConfig"),
    ("encryption", "EncryptionConfig"),
    ("log_driver", "TaskDefaults.LogDriver"),
    ("spec", "Spec"),
];

const NODE: &[Pick] = &[("name", "Name"), ("role", "Role"), ("availability", "Availability"), ("labels", "Labels")];

const LOGIN: &[Pick] = &[
    ("server", "serveraddress"),
    ("user", "username"),
    ("password", "password"),
    ("auth", "auth"),
    ("identity_token", "identitytoken"),
    ("registry_token", "registrytoken"),
];

const CHECKPOINT: &[Pick] = &[("checkpoint", "CheckpointID"), ("directory", "CheckpointDir"), ("exit", "Exit")];
const EXEC_START: &[Pick] = &[("detach", "Detach"), ("tty", "Tty")];

/// The namespaces of a container, within its `HostConfig`.
pub(super) const NAMESPACES: [Pick; 6] = [
    ("network", "NetworkMode"),
    ("pid", "PidMode"),
    ("ipc", "IpcMode"),
    ("uts", "UTSMode"),
    ("userns", "UsernsMode"),
    ("cgroup", "CgroupnsMode"),
];

/// The summary of an action whose body, without its secrets, is `body`.
pub(super) fn of(action: &Action, body: &Value) -> Value {
    of_body(action.endpoint.operation, body)
}

/// The same of a body alone.
pub(super) fn of_body(operation: Operation, body: &Value) -> Value {
    let mut out = Vec::new();
    let schema = operation.row().body.object().map_or("", |schema| schema.name);
    picked(table(schema), body, &mut out);
    match schema {
        "ContainerCreate" => container(body, &mut out),
        "ServiceSpec" => service(body, &mut out),
        "" => put(&mut out, "settings", body.clone()),
        _ => {}
    }
    let out = match operation.row().body.object() {
        Some(schema) => restore::with_other(schema, body, out),
        None => out,
    };
    Value::Object(out.into_iter().map(|(name, value)| (name, capped(value))).collect())
}

pub(super) fn table(schema: &str) -> &'static [Pick] {
    match schema {
        "ContainerCreate" | "ImageCommit" => CONTAINER,
        "ServiceSpec" => SERVICE,
        "ExecCreate" => EXEC,
        "ExecStart" => EXEC_START,
        "ContainerUpdate" => UPDATE,
        "NetworkCreate" => NETWORK,
        "NetworkConnect" | "NetworkDisconnect" => CONNECT,
        "VolumeCreate" | "VolumeUpdate" => VOLUME,
        "SecretSpec" | "ConfigSpec" => SECRET,
        "SwarmInit" | "SwarmJoin" | "SwarmSpec" | "SwarmUnlock" => SWARM,
        "NodeSpec" => NODE,
        "AuthConfig" => LOGIN,
        "CheckpointCreate" => CHECKPOINT,
        _ => &[], // lists, and no body at all; a test holds this against the table of operations
    }
}

fn picked(picks: &[Pick], body: &Value, out: &mut Object) {
    for (name, path) in picks {
        if let Some(value) = at(body, path) {
            put(out, name, value.clone());
        }
    }
}

pub(super) fn at<'v>(body: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(body, |value, key| value.get(key))
}

/// Empty values say nothing.
fn put(out: &mut Object, name: &'static str, value: Value) {
    if !value.is_empty() {
        out.push((Cow::Borrowed(name), value));
    }
}

fn texts(lines: Vec<String>) -> Value {
    Value::List(lines.into_iter().map(Value::Text).collect())
}

fn container(body: &Value, out: &mut Object) {
    let none = Value::Null;
    let host = body.get("HostConfig").unwrap_or(&none);
    let mut mounts: Vec<String> = items(host, "Binds").filter_map(Value::as_text).map(str::to_owned).collect();
    mounts.extend(items(host, "Mounts").map(mount));
    mounts.extend(members(host, "Tmpfs").map(|(target, options)| format!("tmpfs=:{target}:{}", options.as_text().unwrap_or_default())));
    mounts.extend(members(body, "Volumes").map(|(target, _)| format!(":{target}:rw")));
    put(out, "mounts", texts(mounts));
    put(out, "namespaces", namespaces(host));
    let networks = body.get("NetworkingConfig").map(|config| members(config, "EndpointsConfig")).into_iter().flatten();
    put(out, "networks", texts(networks.map(|(name, _)| name.to_string()).collect()));
    put(
        out,
        "ports",
        texts(
            members(host, "PortBindings").flat_map(|(port, bindings)| bindings.items().iter().map(move |to| published(port, to))).collect(),
        ),
    );
    put(out, "devices", texts(devices(host)));
}

fn service(body: &Value, out: &mut Object) {
    let none = Value::Null;
    let task = body.get("TaskTemplate").unwrap_or(&none);
    let container = task.get("ContainerSpec").unwrap_or(&none);
    put(out, "mounts", texts(items(container, "Mounts").map(mount).collect()));
    let targets = items(task, "Networks").chain(items(body, "Networks")).map(|network| network.text("Target").to_owned());
    put(out, "networks", texts(targets.collect()));
    let ports = body.get("EndpointSpec").map(|spec| items(spec, "Ports")).into_iter().flatten();
    put(out, "ports", texts(ports.map(service_port).collect()));
    put(out, "secrets", texts(items(container, "Secrets").map(|secret| secret.text("SecretName").to_owned()).collect()));
    put(out, "configs", texts(items(container, "Configs").map(|config| config.text("ConfigName").to_owned()).collect()));
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).map(Value::items).unwrap_or_default().iter()
}

fn members<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v str, &'v Value)> {
    value.get(key).map(Value::members).unwrap_or_default().iter().map(|(name, value)| (name.as_ref(), value))
}

/// `source:target:mode`, as in `Binds`; other types than binds and volumes say theirs first.
fn mount(mount: &Value) -> String {
    let kind = match mount.text("Type") {
        "" | "bind" | "volume" => String::new(),
        other => format!("{other}="),
    };
    let mode = if mount.get("ReadOnly").is_some_and(Value::is_true) { "ro" } else { "rw" };
    format!("{kind}{}:{}:{mode}", mount.text("Source"), mount.text("Target"))
}

fn namespaces(host: &Value) -> Value {
    let mut out = Vec::new();
    picked(&NAMESPACES, host, &mut out);
    Value::Object(out)
}

/// `address:port:80/tcp`
fn published(port: &str, to: &Value) -> String {
    let address = to.text("HostIp");
    format!("{address}{}{}:{port}", if address.is_empty() { "" } else { ":" }, to.text("HostPort"))
}

/// `8080:80/tcp`, and `host` where it is not the swarm's
fn service_port(port: &Value) -> String {
    let number = |key: &str| port.get(key).and_then(Value::as_int).unwrap_or_default();
    let mode = if port.text("PublishMode") == "host" { ":host" } else { "" };
    let protocol = if port.text("Protocol").is_empty() { "tcp" } else { port.text("Protocol") };
    format!("{}:{}/{protocol}{mode}", number("PublishedPort"), number("TargetPort"))
}

fn devices(host: &Value) -> Vec<String> {
    let paths = items(host, "Devices")
        .map(|device| format!("{}:{}:{}", device.text("PathOnHost"), device.text("PathInContainer"), device.text("CgroupPermissions")));
    let asked = items(host, "DeviceRequests").map(|request| {
        let count = request.get("Count").and_then(Value::as_int).unwrap_or_default();
        let ids: Vec<&str> = items(request, "DeviceIDs").filter_map(Value::as_text).collect();
        format!("driver={} count={count} ids={}", request.text("Driver"), ids.join(","))
    });
    let rules = items(host, "DeviceCgroupRules").filter_map(Value::as_text).map(|rule| format!("rule={rule}"));
    paths.chain(asked).chain(rules).collect()
}

/// Long lists are cut, and say by how much.
fn capped(value: Value) -> Value {
    match value {
        Value::List(items) if items.len() > MOST => {
            let more = items.len() - MOST;
            let kept = items.into_iter().take(MOST).map(capped);
            Value::List(kept.chain([Value::Text(format!("…(+{more})"))]).collect())
        }
        Value::Object(members) if members.len() > MOST => {
            let more = members.len() - MOST;
            let kept = members.into_iter().take(MOST).map(|(name, value)| (name, capped(value)));
            Value::Object(kept.chain([(Cow::Borrowed("…"), Value::Text(format!("(+{more})")))]).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(capped).collect()),
        Value::Object(members) => Value::Object(members.into_iter().map(|(name, value)| (name, capped(value))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::json;
    use crate::docker::operations::TABLE;

    #[test]
    fn every_operation_with_a_json_object_has_a_table() {
        for operation in TABLE {
            let schema = operation.row().body.object();
            assert!(schema.is_none_or(|schema| !table(schema.name).is_empty()), "{}", operation.name());
        }
    }

    #[test]
    fn every_path_of_a_table_stands_in_its_schema() {
        use crate::docker::schema::Type;
        let mut missing = Vec::new();
        let mut used = std::collections::BTreeMap::new();
        for operation in TABLE {
            let Some(schema) = operation.row().body.object() else { continue };
            for (_, path) in table(schema.name) {
                let mut at = Some(schema);
                let mut found = true;
                for key in path.split('.') {
                    let field = at.and_then(|schema| schema.fields.iter().find(|field| field.name == key));
                    found &= field.is_some();
                    at = field.and_then(|field| if let Type::Object(schema) = field.ty { Some(schema) } else { None });
                }
                *used.entry((table(schema.name).as_ptr() as usize, *path)).or_insert(false) |= found;
            }
        }
        missing.extend(used.iter().filter(|(_, found)| !**found).map(|((_, path), _)| *path));
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn mounts_ports_and_devices_of_a_container_are_one_line_each() {
        let body = json::read(
            br#"{"Image":"a","HostConfig":{"Binds":["/a:/b:ro"],"Mounts":[{"Type":"volume","Source":"v","Target":"/v"},{"Type":"image","Source":"i","Target":"/i","ReadOnly":true}],
            "PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostPort":"81"}]},"Devices":[{"PathOnHost":"/dev/x","PathInContainer":"/dev/y","CgroupPermissions":"r"}],
            "PidMode":"host","NetworkMode":"none","Tmpfs":{"/t":"size=1m"}},"Volumes":{"/w":{}}}"#,
        )
        .unwrap();
        let mut out = Vec::new();
        container(&body, &mut out);
        let text = Value::Object(out).encode();
        assert_eq!(
            text,
            concat!(
                r#"{"mounts":["/a:/b:ro","v:/v:rw","image=i:/i:ro","tmpfs=:/t:size=1m",":/w:rw"],"namespaces":{"network":"none","pid":"host"},"#,
                r#""ports":["127.0.0.1:8080:80/tcp","81:80/tcp"],"devices":["/dev/x:/dev/y:r"]}"#
            )
        );
    }

    #[test]
    fn long_lists_say_how_much_is_missing() {
        let list = Value::List((0..MOST + 3).map(|n| Value::Text(n.to_string())).collect());
        let Value::List(items) = capped(list) else { panic!() };
        assert_eq!((items.len(), items.last().unwrap().as_text()), (MOST + 1, Some("…(+3)")));
    }
}
