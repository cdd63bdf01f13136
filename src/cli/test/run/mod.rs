//! A `docker run` or `docker create` line as the create request that the docker CLI sends.
//! Knows nothing of policies.

mod flags;
mod parts;
#[cfg(test)]
mod tests;
mod words;

use crate::docker::{Value, json};

use super::super::explain::Request;
use flags::Line;
use parts::{int, object, text};

/// What the CLI sends where no flag is given; it writes every field.
const SKELETON: &str = include_str!("skeleton.json");
/// What the CLI sends for each network.
const ENDPOINT: &str = r#"{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}"#;

/// The request of a line.
///
/// # Errors
/// What is wrong with the line, for people.
pub fn request(line: &str) -> Result<Request, String> {
    let Line { options, image, command } = flags::parse(words::split(line)?)?;
    let body = json::read(SKELETON.as_bytes()).map_err(|_| "the skeleton of a create is broken".to_owned())?;
    let mut create = Create { body, query: Vec::new(), networks: Vec::new(), aliases: Vec::new(), detached: false };
    create.body.edit("Image", |value| *value = text(&image));
    if !command.is_empty() {
        create.body.edit("Cmd", |value| *value = list(&command));
    }
    for (name, value) in &options {
        create.apply(name, value)?;
    }
    create.finish();
    let query: Vec<String> = create.query.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect();
    let path = if query.is_empty() { "/containers/create".to_owned() } else { format!("/containers/create?{}", query.join("&")) };
    Ok(Request { method: "POST".to_owned(), path, body: Some(create.body.encode().into_bytes()) })
}

struct Create {
    body: Value,
    query: Vec<(&'static str, String)>,
    networks: Vec<String>,
    aliases: Vec<String>,
    detached: bool,
}

impl Create {
    fn apply(&mut self, name: &str, value: &str) -> Result<(), String> {
        if self.of_config(name, value)? || self.of_lists(name, value)? || self.of_limits(name, value)? {
            return Ok(());
        }
        self.of_host(name, value)
    }

    /// The fields beside HostConfig, the query, and what only the CLI itself sees.
    fn of_config(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let on = value == "true";
        match name {
            "hostname" => self.config("Hostname", text(value)),
            "user" => self.config("User", text(value)),
            "workdir" => self.config("WorkingDir", text(value)),
            "entrypoint" => self.config("Entrypoint", list(&[value.to_owned()])),
            "stop-signal" => self.config("StopSignal", text(value)),
            "stop-timeout" => self.config("StopTimeout", parts::number(name, value)?),
            "tty" => self.config("Tty", Value::Bool(on)),
            "interactive" => ["OpenStdin", "AttachStdin", "StdinOnce"].into_iter().for_each(|key| self.config(key, Value::Bool(on))),
            "detach" => self.detached = on,
            "no-healthcheck" if on => self.config("Healthcheck", object([("Test", list(&["NONE".to_owned()]))])),
            "health-cmd" => self.config("Healthcheck", object([("Test", list(&["CMD-SHELL".to_owned(), value.to_owned()]))])),
            "label" => {
                let (key, label) = value.split_once('=').unwrap_or((value, ""));
                self.body.edit("Labels", |labels| labels.edit(key, |slot| *slot = text(label)));
            }
            "env" if value.contains('=') => self.body.edit("Env", |env| push(env, text(value))),
            "env" => return Err(format!("`--env {value}` takes the value of whoever runs it; write `--env {value}=VALUE`")),
            "expose" => self.expose(if value.contains('/') { value.to_owned() } else { format!("{value}/tcp") }),
            "name" => self.query.push(("name", value.to_owned())),
            "platform" => self.query.push(("platform", value.to_owned())),
            "network" if value.contains('=') => {
                return Err(format!("`--network {value}`: the long form is not understood; write the name"));
            }
            "network" => self.networks.push(value.to_owned()),
            "network-alias" => self.aliases.push(value.to_owned()),
            "pull" | "quiet" | "no-healthcheck" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Flags that may stand several times.
    fn of_lists(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let key = match name {
            "cap-add" => "CapAdd",
            "cap-drop" => "CapDrop",
            "dns" => "Dns",
            "dns-option" => "DnsOptions",
            "dns-search" => "DnsSearch",
            "group-add" => "GroupAdd",
            "link" => "Links",
            "volumes-from" => "VolumesFrom",
            "add-host" => return self.extra_host(value).map(|()| true),
            "security-opt" => return self.security(value).map(|()| true),
            "volume" => return self.volume(value).map(|()| true),
            "publish" => return self.publish(value).map(|()| true),
            "device" => return self.device(value).map(|()| true),
            "mount" => return parts::mount(value).map(|mount| self.push("Mounts", mount)).map(|()| true),
            "ulimit" => return parts::ulimit(value).map(|limit| self.push("Ulimits", limit)).map(|()| true),
            "gpus" => return parts::gpus(value).map(|request| self.push("DeviceRequests", request)).map(|()| true),
            "log-opt" | "sysctl" | "tmpfs" => return self.pair(name, value).map(|()| true),
            _ => return Ok(false),
        };
        self.push(key, text(value));
        Ok(true)
    }

    fn of_limits(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let (key, limit) = match name {
            "memory" => ("Memory", parts::bytes(name, value)?),
            "memory-reservation" => ("MemoryReservation", parts::bytes(name, value)?),
            "memory-swap" => ("MemorySwap", parts::bytes(name, value)?),
            "shm-size" => ("ShmSize", parts::bytes(name, value)?),
            "cpus" => ("NanoCpus", parts::nano_cpus(value)?),
            "cpu-shares" => ("CpuShares", parts::number(name, value)?),
            "cpu-period" => ("CpuPeriod", parts::number(name, value)?),
            "cpu-quota" => ("CpuQuota", parts::number(name, value)?),
            "pids-limit" => ("PidsLimit", parts::number(name, value)?),
            "oom-score-adj" => ("OomScoreAdj", parts::number(name, value)?),
            _ => return Ok(false),
        };
        self.host(key, limit);
        Ok(true)
    }

    fn of_host(&mut self, name: &str, value: &str) -> Result<(), String> {
        let switch = Value::Bool(value == "true");
        let (key, value) = match name {
            "privileged" => ("Privileged", switch),
            "publish-all" => ("PublishAllPorts", switch),
            "read-only" => ("ReadonlyRootfs", switch),
            "rm" => ("AutoRemove", switch),
            "init" => ("Init", switch),
            "oom-kill-disable" => ("OomKillDisable", switch),
            "restart" => ("RestartPolicy", parts::restart(value)?),
            "pid" => ("PidMode", text(value)),
            "ipc" => ("IpcMode", text(value)),
            "uts" => ("UTSMode", text(value)),
            "userns" => ("UsernsMode", text(value)),
            "cgroupns" => ("CgroupnsMode", text(value)),
            "cgroup-parent" => ("CgroupParent", text(value)),
            "cpuset-cpus" => ("CpusetCpus", text(value)),
            "runtime" => ("Runtime", text(value)),
            "volume-driver" => ("VolumeDriver", text(value)),
            "log-driver" => {
                self.body.edit("HostConfig", |host| host.edit("LogConfig", |log| log.edit("Type", |kind| *kind = text(value))));
                return Ok(());
            }
            other => return Err(format!("the flag `--{other}` is not understood")),
        };
        self.host(key, value);
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (separator, key) = if name == "tmpfs" { (':', "Tmpfs") } else { ('=', if name == "sysctl" { "Sysctls" } else { "LogConfig" }) };
        let (left, right) = match value.split_once(separator) {
            Some(pair) => pair,
            None if name == "tmpfs" => (value, ""),
            None => return Err(format!("`--{name} {value}` needs KEY=VALUE")),
        };
        self.body.edit("HostConfig", |host| {
            host.edit(key, |map| {
                let set = |map: &mut Value| map.edit(left, |slot| *slot = text(right));
                if name == "log-opt" { map.edit("Config", set) } else { set(map) }
            });
        });
        Ok(())
    }

    /// The CLI sends `name:address`, also for `name=address`.
    fn extra_host(&mut self, value: &str) -> Result<(), String> {
        let (name, address) =
            value.split_once('=').or_else(|| value.split_once(':')).ok_or_else(|| format!("`--add-host {value}` needs NAME:ADDRESS"))?;
        self.push("ExtraHosts", text(&format!("{name}:{}", address.trim_start_matches('[').trim_end_matches(']'))));
        Ok(())
    }

    /// `systempaths` is an option of the CLI alone, and profiles are files that the CLI reads.
    fn security(&mut self, value: &str) -> Result<(), String> {
        let (name, what) = value.split_once(['=', ':']).unwrap_or((value, ""));
        match (name, what) {
            ("systempaths", "unconfined") => {
                self.host("MaskedPaths", Value::List(Vec::new()));
                self.host("ReadonlyPaths", Value::List(Vec::new()));
            }
            ("seccomp", profile) if !matches!(profile, "unconfined" | "builtin") => {
                return Err(format!("`--security-opt {value}`: the profile's file is not read; write the request itself with `request`"));
            }
            _ => self.push("SecurityOpt", text(value)),
        }
        Ok(())
    }

    /// A path alone is an anonymous volume of the image's configuration, everything else a bind.
    fn volume(&mut self, value: &str) -> Result<(), String> {
        if !value.contains(':') {
            self.body.edit("Volumes", |volumes| volumes.edit(value, |slot| *slot = Value::Object(Vec::new())));
            return Ok(());
        }
        if value.starts_with(['.', '~']) {
            return Err(format!("`--volume {value}`: where this is depends on who runs it; write an absolute path"));
        }
        self.push("Binds", text(value));
        Ok(())
    }

    fn publish(&mut self, value: &str) -> Result<(), String> {
        for (port, binding) in parts::publish(value)? {
            self.body.edit("HostConfig", |host| host.edit("PortBindings", |ports| ports.edit(&port, |list| push(list, binding))));
            self.expose(port);
        }
        Ok(())
    }

    fn expose(&mut self, port: String) {
        self.body.edit("ExposedPorts", |ports| ports.edit(&port, |slot| *slot = Value::Object(Vec::new())));
    }

    fn device(&mut self, value: &str) -> Result<(), String> {
        let named = || {
            let ids = list(&[value.to_owned()]);
            object([
                ("Driver", text("cdi")),
                ("Count", int(0)),
                ("DeviceIDs", ids),
                ("Capabilities", Value::Null),
                ("Options", Value::Null),
            ])
        };
        match parts::device(value)? {
            Some(device) => self.push("Devices", device),
            None => self.push("DeviceRequests", named()),
        }
        Ok(())
    }

    fn finish(&mut self) {
        if self.detached {
            for key in ["AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"] {
                self.config(key, Value::Bool(false));
            }
        }
        if self.networks.is_empty() {
            self.networks.push("default".to_owned());
        }
        let first = self.networks.first().cloned().unwrap_or_default();
        self.host("NetworkMode", text(&first));
        let aliases = std::mem::take(&mut self.aliases);
        for name in std::mem::take(&mut self.networks) {
            let mut endpoint: Value = json::read(ENDPOINT.as_bytes()).unwrap_or(Value::Null);
            if name == first && !aliases.is_empty() {
                endpoint.edit("Aliases", |slot| *slot = list(&aliases));
            }
            self.body.edit("NetworkingConfig", |config| config.edit("EndpointsConfig", |all| all.edit(&name, |slot| *slot = endpoint)));
        }
    }

    fn config(&mut self, key: &str, value: Value) {
        self.body.edit(key, |slot| *slot = value);
    }

    fn host(&mut self, key: &str, value: Value) {
        self.body.edit("HostConfig", |host| host.edit(key, |slot| *slot = value));
    }

    fn push(&mut self, key: &str, value: Value) {
        self.body.edit("HostConfig", |host| host.edit(key, |slot| push(slot, value)));
    }
}

fn push(slot: &mut Value, value: Value) {
    match slot {
        Value::List(items) => items.push(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Object(_) => *slot = Value::List(vec![value]),
    }
}

fn list(words: &[String]) -> Value {
    Value::List(words.iter().map(|word| text(word)).collect())
}

/// As Go's `url.QueryEscape`, with `%20` for blanks.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
fn body(line: &str) -> parts::Part {
    let request = request(line)?;
    json::read(&request.body.unwrap_or_default()).map_err(|kind| kind.code().to_owned())
}
