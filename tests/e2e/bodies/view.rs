//! The engine's view of a container beside the body that was judged, and the settings that reach the host.
//! Works on `docker inspect` alone: knows nothing of policies, checks and tables.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// One field of one container: what was judged, what the engine shows, what it shows where nothing was asked for.
struct Look<'a> {
    key: &'a str,
    want: &'a Value,
    got: &'a Value,
    base: &'a Value,
    judged: &'a Value,
    seen: &'a Value,
    warnings: &'a str,
}

/// How engines write a field otherwise than it was asked for: the fields, why, and what is right there.
type Normal = (&'static [&'static str], &'static str, fn(&Look) -> bool);

const NORMALISED: &[Normal] = &[
    (&["Hostname"], "unsaid: the start of the id; the host's own or none beside another network namespace", |look| {
        let mode = look.judged["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
        let own = look.seen["Id"].as_str().and_then(|id| id.get(..12));
        none(look.want) && (look.got.as_str() == own || mode == "host" || mode.starts_with("container:"))
    }),
    (&["Env"], "added to the image's own, in any order", |look| {
        let all: BTreeSet<&str> = words(look.want).chain(words(look.base)).collect();
        all == words(look.got).collect()
    }),
    (&["Cmd"], "an entrypoint takes the image's command away", |look| {
        none(look.want) && none(look.got) && !none(&look.judged["Entrypoint"])
    }),
    (&["ExposedPorts"], "published ports are exposed", |look| {
        let published = look.judged["HostConfig"]["PortBindings"].as_object();
        let all: BTreeSet<&String> = names(look.want).chain(published.into_iter().flat_map(Map::keys)).collect();
        all == names(look.got).collect()
    }),
    (&["Volumes"], "a map of paths to nothing", |look| names(look.want).collect::<BTreeSet<_>>() == names(look.got).collect()),
    (&["CapAdd", "CapDrop"], "in upper case with `CAP_`, each once", |look| capabilities(look.want) == capabilities(look.got)),
    (&["NetworkMode"], "`default` is `bridge`", |look| {
        let name = |mode: &Value| mode.as_str().filter(|mode| !matches!(*mode, "" | "default")).unwrap_or("bridge").to_owned();
        name(look.want) == name(look.got)
    }),
    (&["Runtime"], "unsaid: the engine's own", |look| {
        let name = |value: &Value| value.as_str().filter(|name| !name.is_empty()).unwrap_or("runc").to_owned();
        name(look.want) == name(look.got)
    }),
    (&["Mounts"], "engines before 28 know no options of a tmpfs", |look| {
        let mut want = look.want.clone();
        for mount in want.as_array_mut().into_iter().flatten() {
            mount.get_mut("TmpfsOptions").and_then(Value::as_object_mut).map(|options| options.remove("Options"));
        }
        trimmed(&want) == trimmed(look.got)
    }),
    (&["LogConfig"], "the engine's driver where none is named", |look| {
        let driver = |value: &Value| value["Type"].as_str().filter(|name| !name.is_empty()).unwrap_or("json-file").to_owned();
        driver(look.want) == driver(look.got) && trimmed(&look.want["Config"]) == trimmed(&look.got["Config"])
    }),
    (&["RestartPolicy"], "no policy is `no`", |look| {
        let name = |value: &Value| value["Name"].as_str().filter(|name| !name.is_empty()).unwrap_or("no").to_owned();
        name(look.want) == name(look.got) && trimmed(&look.want["MaximumRetryCount"]) == trimmed(&look.got["MaximumRetryCount"])
    }),
    (&["MemorySwap"], "unsaid: twice the memory", |look| {
        none(look.want) && look.got.as_i64() == look.judged["HostConfig"]["Memory"].as_i64().and_then(|memory| memory.checked_mul(2))
    }),
    (&["SecurityOpt"], "no label where nothing is confined", |look| {
        none(look.want) && *look.got == json!(["label=disable"]) && unconfined(look.judged)
    }),
    (&["MaskedPaths", "ReadonlyPaths"], "none where nothing is confined", |look| {
        none(look.want) && none(look.got) && look.judged["HostConfig"]["Privileged"] == json!(true)
    }),
];

/// What differs between the engine's view and the judged body, in words: every field of both, and every mount and network.
pub fn differences(judged: &Value, seen: &Value, plain: &Value, warnings: &Value) -> Vec<String> {
    let warnings = warnings.to_string();
    let mut wrong = Vec::new();
    for part in ["Config", "HostConfig"] {
        let wanted = if part == "Config" { judged } else { &judged["HostConfig"] };
        let keys: BTreeSet<&String> = [wanted, &seen[part], &plain[part]].into_iter().flat_map(names).collect();
        for key in keys.into_iter().filter(|key| part != "Config" || !matches!(key.as_str(), "HostConfig" | "NetworkingConfig")) {
            let (want, got, base) = (&wanted[key.as_str()], &seen[part][key.as_str()], &plain[part][key.as_str()]);
            let look = Look { key, want, got, base, judged, seen, warnings: &warnings };
            if !look.right() {
                wrong.push(format!("{part}.{key} was judged {want}, and the engine shows {got} (unasked {base}; warnings {warnings})"));
            }
        }
    }
    wrong.extend(strangers(judged, seen));
    wrong
}

impl Look<'_> {
    fn right(&self) -> bool {
        let got = trimmed(self.got);
        let lists = ["MaskedPaths", "ReadonlyPaths"].contains(&self.key);
        let plainly = if self.want.is_null() {
            got == trimmed(self.base)
        } else {
            got == trimmed(self.want) || none(self.want) && !lists && got == trimmed(self.base)
        };
        let normal = NORMALISED.iter().any(|(keys, _, right)| keys.contains(&self.key) && right(self));
        plainly || normal || self.discarded()
    }

    /// What the kernel cannot do is left out, and the reply says so.
    fn discarded(&self) -> bool {
        none(self.got) && self.warnings.to_lowercase().contains("discarded") && self.want.is_number()
    }
}

/// Mounts and networks that nobody asked for.
fn strangers(judged: &Value, seen: &Value) -> Vec<String> {
    let host = &judged["HostConfig"];
    let mut places: BTreeSet<String> = names(&judged["Volumes"]).map(tidy).collect();
    for bind in words(&host["Binds"]) {
        places.extend(bind.split(':').map(tidy));
    }
    places.extend(items(&host["Mounts"]).filter_map(|mount| mount["Target"].as_str().map(tidy)));
    let inherits = !none(&host["VolumesFrom"]);
    let mounts =
        items(&seen["Mounts"]).filter(|mount| !inherits && !places.contains(&tidy(mount["Destination"].as_str().unwrap_or_default())));
    let mut wrong: Vec<String> = mounts.map(|mount| format!("a mount that was not judged: {mount}")).collect();
    let mode = seen["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
    let mode = if mode == "default" { "bridge" } else { mode };
    let asked = &judged["NetworkingConfig"]["EndpointsConfig"];
    let networks = names(&seen["NetworkSettings"]["Networks"]);
    let unasked = networks.filter(|network| *network != mode && asked.get(network.as_str()).is_none());
    wrong.extend(unasked.map(|network| format!("a network that was not judged: {network}")));
    wrong
}

/// Whether the engine shows something else at a judged place than where nothing was asked for.
pub fn shows(at: &str, seen: &Value, plain: &Value) -> bool {
    let (part, rest) = at.strip_prefix("HostConfig.").map_or(("Config", at), |rest| ("HostConfig", rest));
    let field = rest.split(['.', '[']).next().unwrap_or_default();
    trimmed(&seen[part][field]) != trimmed(&plain[part][field])
}

/// The capabilities that every container has.
const USUAL: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SYS_CHROOT",
    "MKNOD",
    "AUDIT_WRITE",
    "SETFCAP",
];

/// Fields of HostConfig that reach the host, or another's container, as soon as they hold something.
const EMPTY: [&str; 20] = [
    "Privileged",
    "PidMode",
    "UsernsMode",
    "UTSMode",
    "Cgroup",
    "CgroupParent",
    "Devices",
    "DeviceCgroupRules",
    "DeviceRequests",
    "VolumesFrom",
    "GroupAdd",
    "Links",
    "PortBindings",
    "PublishAllPorts",
    "OomKillDisable",
    "StorageOpt",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "Annotations",
    "ContainerIDFile",
];

/// What a container has that reaches the host, whatever was judged.
pub fn dangers(seen: &Value, plain: &Value) -> Vec<String> {
    let host = &seen["HostConfig"];
    let text = |key: &str| host[key].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = EMPTY.iter().filter(|key| !none(&host[**key])).map(|key| (*key).to_owned()).collect();
    let mut danger = |is: bool, what: &str| found.extend(is.then(|| what.to_owned()));
    for key in ["MaskedPaths", "ReadonlyPaths", "CgroupnsMode"] {
        danger(trimmed(&host[key]) != trimmed(&plain["HostConfig"][key]) && host[key] != json!("private"), key);
    }
    danger(!matches!(text("NetworkMode").as_str(), "default" | "bridge" | "none"), "NetworkMode");
    danger(text("IpcMode") == "host" || text("IpcMode").starts_with("container:"), "IpcMode");
    danger(!matches!(text("Runtime").as_str(), "" | "runc"), "Runtime");
    danger(!matches!(text("VolumeDriver").as_str(), "" | "local"), "VolumeDriver");
    danger(host["OomScoreAdj"].as_i64().unwrap_or_default() < 0, "OomScoreAdj");
    danger(capabilities(&host["CapAdd"]).iter().any(|name| !USUAL.contains(&name.as_str())), "CapAdd");
    let loose = |option: &str| ["unconfined", "disable", "false", "label"].iter().any(|word| option.contains(word));
    danger(words(&host["SecurityOpt"]).any(loose), "SecurityOpt");
    danger(words(&host["Binds"]).any(|bind| bind.contains(':')), "Binds");
    danger(items(&host["Mounts"]).any(|mount| !matches!(mount["Type"].as_str(), Some("tmpfs" | "volume"))), "HostConfig.Mounts");
    danger(items(&seen["Mounts"]).any(|mount| mount["Type"] == json!("bind")), "a bind mount");
    danger(items(&seen["Mounts"]).any(|mount| mount["Type"] == json!("volume") && mount["Driver"] != json!("local")), "a volume's driver");
    found
}

/// Whether a create alone harms neither the machine nor the engine: options of a volume's driver could make it mount something,
/// and `"Ulimits":[null]` makes every inspect of that container panic with its lock held, after which no list ever answers.
pub fn safe_to_try(body: &str) -> bool {
    let body = body.to_lowercase();
    ["driverconfig", "\\u", "[null", ",null"].iter().all(|text| !body.contains(text))
}

fn unconfined(judged: &Value) -> bool {
    let host = &judged["HostConfig"];
    host["Privileged"] == json!(true) || host["PidMode"] == json!("host") || host["IpcMode"] == json!("host")
}

fn capabilities(list: &Value) -> BTreeSet<String> {
    let name = |word: &str| word.to_uppercase().trim_start_matches("CAP_").to_owned();
    words(list).map(name).collect()
}

fn tidy(place: impl AsRef<str>) -> String {
    let parts = place.as_ref().split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>();
    format!("/{}", parts.join("/"))
}

fn names(map: &Value) -> impl Iterator<Item = &String> {
    map.as_object().into_iter().flat_map(Map::keys)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    items(list).filter_map(Value::as_str)
}

fn none(value: &Value) -> bool {
    trimmed(value).is_null()
}

/// Without what is empty: engines write the same nothing as null, `false`, zero or an empty text, list or map.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::Array(list) if list.iter().all(none) => Value::Null,
        Value::Array(list) => list.iter().map(trimmed).collect(),
        Value::Object(map) => {
            let kept: Map<String, Value> =
                map.iter().filter(|(_, value)| !none(value)).map(|(key, value)| (key.clone(), trimmed(value))).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Number(number) if number.as_f64() == Some(0.0) => Value::Null,
        Value::Bool(false) => Value::Null,
        Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
