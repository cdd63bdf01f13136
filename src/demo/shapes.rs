//! Containers in the engine's JSON: the defaults of a create, the inspect answer and the list entry.
//! It must not know HTTP, nor start or stop anything.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::state::{Container, Phase, State, Status};
use super::toys::Console;
use super::wire::Fail;

pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// An array of strings; a single string counts as one.
pub(super) fn list(value: &Value, key: &str) -> Vec<String> {
    match value.get(key) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Sets what is absent, null, empty or zero to its default.
fn fill(target: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else { return };
    for (key, default) in defaults {
        let unset = matches!(target.get(&key), None | Some(Value::Null)) || target.get(&key).is_some_and(|value| value == "" || value == 0);
        if unset {
            target.insert(key, default);
        }
    }
}

/// Both objects in one.
pub(super) fn merged(one: Value, other: Value) -> Value {
    Value::Object(object(Some(&one)).into_iter().chain(object(Some(&other))).collect())
}

fn host_defaults(privileged: bool) -> Value {
    let masked = json!([
        "/proc/asound",
        "/proc/acpi",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap"
    ]);
    let readonly = json!(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
    // in two parts: the macro's recursion is limited
    let first = json!({
        "Binds": null, "ContainerIDFile": "", "NetworkMode": "bridge", "PortBindings": {},
        "RestartPolicy": { "Name": "no", "MaximumRetryCount": 0 }, "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null,
        "ConsoleSize": [0, 0], "CapAdd": null, "CapDrop": null, "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [],
        "ExtraHosts": null, "GroupAdd": null, "IpcMode": "private", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "",
        "Privileged": false, "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "", "UsernsMode": "",
        "ShmSize": 67_108_864, "Runtime": "runc", "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "",
    });
    let second = json!({
        "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteIOps": [], "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "",
        "CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null, "MemoryReservation": 0, "MemorySwap": 0,
        "MemorySwappiness": null, "OomKillDisable": null, "PidsLimit": null, "Ulimits": [], "CpuCount": 0, "CpuPercent": 0,
        "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
        "MaskedPaths": if privileged { Value::Null } else { masked },
        "ReadonlyPaths": if privileged { Value::Null } else { readonly },
    });
    merged(first, second)
}

fn host_config(sent: Option<&Value>) -> Value {
    let mut host = object(sent);
    if host.get("NetworkMode").is_some_and(|mode| mode == "default") {
        host.remove("NetworkMode");
    }
    let privileged = host.get("Privileged").is_some_and(|value| value == true);
    fill(&mut host, host_defaults(privileged));
    let mut log = object(host.get("LogConfig"));
    fill(&mut log, json!({ "Type": "json-file", "Config": {} }));
    host.insert("LogConfig".to_owned(), Value::Object(log));
    Value::Object(host)
}

fn config(sent: &Value, image: &Value, id: &str) -> Value {
    let mut config = object(Some(sent));
    config.remove("HostConfig");
    config.remove("NetworkingConfig");
    let env = [list(image, "Env"), list(sent, "Env")].concat();
    config.insert("Env".to_owned(), json!(env));
    if list(sent, "Entrypoint").is_empty() {
        let command = json!({ "Cmd": image.get("Cmd"), "Entrypoint": image.get("Entrypoint") });
        fill(&mut config, command);
    }
    let hostname = id.get(..12).unwrap_or(id);
    fill(
        &mut config,
        json!({
            "Hostname": hostname, "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
            "Tty": false, "OpenStdin": false, "StdinOnce": false, "Cmd": null, "Image": "", "Volumes": null, "WorkingDir": "",
            "Entrypoint": null, "OnBuild": null, "Labels": {},
        }),
    );
    Value::Object(config)
}

/// The mounts that a create asks for; named volumes come to be.
fn mounts(state: &mut State, sent: &Value, host: &Value) -> Result<Vec<Value>, Fail> {
    let mut mounts = Vec::new();
    let mut asked: Vec<(String, String, String, bool)> = Vec::new();
    for bind in list(host, "Binds") {
        let mut parts = bind.splitn(3, ':');
        let (source, target, mode) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let kind = if source.starts_with('/') { "bind" } else { "volume" };
        asked.push((kind.to_owned(), source.to_owned(), target.to_owned(), mode.split(',').any(|word| word == "ro")));
    }
    for mount in host.get("Mounts").and_then(Value::as_array).into_iter().flatten() {
        let field = |key| text(mount, key).to_owned();
        asked.push((field("Type"), field("Source"), field("Target"), flag(mount, "ReadOnly")));
    }
    for target in object(sent.get("Volumes")).keys() {
        asked.push(("volume".to_owned(), String::new(), target.clone(), false));
    }
    for (kind, source, target, read_only) in asked {
        let mut mount = json!({
            "Type": kind, "Source": source, "Destination": target, "Mode": if read_only { "ro" } else { "" }, "RW": !read_only,
            "Propagation": if kind == "bind" { "rprivate" } else { "" },
        });
        if let Some(map) = mount.as_object_mut()
            && kind == "volume"
        {
            let volume = state.add_volume(&source, &json!({}))?;
            map.insert("Name".to_owned(), json!(text(&volume, "Name")));
            map.insert("Source".to_owned(), json!(text(&volume, "Mountpoint")));
            map.insert("Driver".to_owned(), json!("local"));
        }
        mounts.push(mount);
    }
    Ok(mounts)
}

/// Adds the container that a create body describes and returns its id.
pub(super) fn create(state: &mut State, name: &str, sent: &Value) -> Result<String, Fail> {
    State::room(&state.containers)?;
    let image = state.image(text(sent, "Image"))?.clone();
    let id = state.new_id();
    let name = name.strip_prefix('/').unwrap_or(name);
    let name = if name.is_empty() { format!("toy_{}", id.get(..6).unwrap_or(&id)) } else { name.to_owned() };
    if let Some(other) = state.containers.iter().find(|one| one.name == name) {
        return Err(Fail(
            409,
            format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". \
            You have to remove (or rename) that container to be able to reuse that name.",
                other.id
            ),
        ));
    }
    let config = config(sent, &image.config, &id);
    if [list(&config, "Entrypoint"), list(&config, "Cmd")].concat().is_empty() {
        return Err(Fail(400, "no command specified".to_owned()));
    }
    let host = host_config(sent.get("HostConfig"));
    let mounts = mounts(state, sent, &host)?;
    let mode = text(&host, "NetworkMode");
    let mut networks = object(sent.pointer("/NetworkingConfig/EndpointsConfig"));
    if networks.is_empty() && !mode.starts_with("container:") {
        networks.insert(mode.to_owned(), json!({}));
    }
    // the CLI names the default network so
    let named = |network: String| if network == "default" { "bridge".to_owned() } else { network };
    let networks: Map<_, _> = networks.into_iter().map(|(network, sent)| (named(network), endpoint(state, &sent))).collect();
    let phase = Phase { status: Status::Created, code: 0, exits: 0, removed: false, started: None, finished: None };
    state.containers.push(Container {
        id: id.clone(),
        name,
        created: Timestamp::now(),
        image: image.id,
        config,
        host,
        networks: Value::Object(networks),
        mounts,
        console: Arc::new(Console::new()),
        phase: Arc::new(watch::Sender::new(phase)),
    });
    Ok(id)
}

/// A container's end of a network.
pub(super) fn endpoint(state: &mut State, sent: &Value) -> Value {
    let mut endpoint = object(Some(sent));
    fill(
        &mut endpoint,
        json!({
            "IPAMConfig": null, "Links": null, "Aliases": null, "MacAddress": "", "DriverOpts": null, "GwPriority": 0, "NetworkID": "",
            "EndpointID": state.new_id(), "Gateway": "172.17.0.1", "IPAddress": format!("172.17.0.{}", 2 + state.containers.len() % 250),
            "IPPrefixLen": 16, "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": null,
        }),
    );
    Value::Object(endpoint)
}

fn word(phase: &Phase) -> &'static str {
    match phase.status {
        Status::Created => "created",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Exited => "exited",
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

fn state(phase: &Phase) -> Value {
    json!({
        "Status": word(phase), "Running": phase.runs(), "Paused": phase.status == Status::Paused, "Restarting": false,
        "OOMKilled": false, "Dead": false, "Pid": if phase.runs() { 4242 } else { 0 }, "ExitCode": phase.code, "Error": "",
        "StartedAt": moment(phase.started), "FinishedAt": moment(phase.finished),
    })
}

fn networks(state: &State, container: &Container) -> Value {
    let mut networks = container.networks.clone();
    for (name, endpoint) in networks.as_object_mut().into_iter().flatten() {
        if let (Ok(network), Some(endpoint)) = (state.network(name), endpoint.as_object_mut()) {
            endpoint.insert("NetworkID".to_owned(), json!(text(network, "Id")));
        }
    }
    networks
}

/// What `GET /containers/{id}/json` answers.
pub(super) fn inspect(objects: &State, container: &Container) -> Value {
    let argv = container.argv();
    json!({
        "Id": container.id, "Created": container.created.to_string(), "Path": argv.first(), "Args": argv.get(1..),
        "State": state(&container.now()), "Image": container.image, "ResolvConfPath": "", "HostnamePath": "", "HostsPath": "", "LogPath": "",
        "Name": format!("/{}", container.name), "RestartCount": 0, "Driver": "overlay2", "Platform": "linux", "MountLabel": "",
        "ProcessLabel": "", "AppArmorProfile": "", "ExecIDs": null, "HostConfig": container.host,
        "GraphDriver": { "Name": "overlay2", "Data": null }, "Mounts": container.mounts, "Config": container.config,
        "NetworkSettings": {
            "Bridge": "", "SandboxID": "", "SandboxKey": "",
            "Ports": if container.now().runs() { container.host.get("PortBindings").cloned() } else { Some(json!({})) },
            "Networks": networks(objects, container),
        },
    })
}

fn ports(container: &Container) -> Vec<Value> {
    let mut ports = Vec::new();
    for (port, bindings) in object(container.host.get("PortBindings")) {
        let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
        for binding in bindings.as_array().into_iter().flatten() {
            let address = match text(binding, "HostIp") {
                "" => "0.0.0.0",
                address => address,
            };
            let public = text(binding, "HostPort").parse().unwrap_or(32_768_u16);
            let private = number.parse().unwrap_or(0_u16);
            ports.push(json!({ "IP": address, "PrivatePort": private, "PublicPort": public, "Type": protocol }));
        }
    }
    ports
}

fn ago(at: Option<Timestamp>) -> String {
    let seconds = at.map_or(0, |at| Timestamp::now().as_second().saturating_sub(at.as_second()));
    if seconds < 120 { format!("{seconds} seconds") } else { format!("{} minutes", seconds / 60) }
}

/// One entry of `GET /containers/json`.
pub(super) fn summary(objects: &State, container: &Container) -> Value {
    let phase = container.now();
    let status = match phase.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", ago(phase.started)),
        Status::Paused => format!("Up {} (Paused)", ago(phase.started)),
        Status::Exited => format!("Exited ({}) {} ago", phase.code, ago(phase.finished)),
    };
    json!({
        "Id": container.id, "Names": [format!("/{}", container.name)], "Image": text(&container.config, "Image"), "ImageID": container.image,
        "Command": container.argv().join(" "), "Created": container.created.as_second(),
        "Ports": if phase.runs() { ports(container) } else { Vec::new() },
        "Labels": container.config.get("Labels"), "State": word(&phase), "Status": status,
        "HostConfig": { "NetworkMode": text(&container.host, "NetworkMode") },
        "NetworkSettings": { "Networks": networks(objects, container) }, "Mounts": container.mounts,
    })
}
