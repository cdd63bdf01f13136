//! The values of single flags of `docker run` as the parts of a create body, as the docker CLI writes them.
//! Knows nothing of the body as a whole.

use crate::docker::Value;
use crate::docker::json::Object;

/// A part, or what is wrong with the flag's value.
pub type Part<T = Value> = Result<T, String>;

/// A string.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An integer.
pub fn int(number: i64) -> Value {
    Value::Number(number.to_string())
}

/// An object; keys are in the API's spelling.
pub fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// An integer as a flag has it.
pub fn number(flag: &str, value: &str) -> Part {
    value.parse().map(int).map_err(|_| format!("`--{flag} {value}`: this is no whole number"))
}

/// Bytes with a unit of 1024: `512m`, `1.5g`; `-1` stays.
pub fn bytes(flag: &str, value: &str) -> Part {
    let wrong = || format!("`--{flag} {value}`: write a size such as 512m");
    if value == "-1" {
        return Ok(int(-1));
    }
    let lower = value.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
    let unit = lower.get(digits.len()..).unwrap_or_default().trim();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    let size = digits.parse::<f64>().ok().filter(|size| size.is_finite() && *size >= 0.0).ok_or_else(wrong)?;
    let bytes = (size * 1024_f64.powi(power)).trunc();
    format!("{bytes:.0}").parse().map(int).map_err(|_| wrong())
}

/// CPUs as billionths.
pub fn nano_cpus(value: &str) -> Part {
    let wrong = || format!("`--cpus {value}`: write a number such as 1.5");
    let cpus = value.parse::<f64>().ok().filter(|cpus| cpus.is_finite() && *cpus >= 0.0).ok_or_else(wrong)?;
    format!("{:.0}", cpus * 1e9).parse().map(int).map_err(|_| wrong())
}

/// `no`, `always`, `unless-stopped`, `on-failure[:N]`.
pub fn restart(value: &str) -> Part {
    let (name, count) = value.split_once(':').unwrap_or((value, "0"));
    let known = matches!((name, value.contains(':')), ("no" | "" | "always" | "unless-stopped", false) | ("on-failure", _));
    let count = count.parse().ok().filter(|_| known).ok_or_else(|| format!("`--restart {value}` is no restart policy"))?;
    Ok(object([("Name", text(name)), ("MaximumRetryCount", int(count))]))
}

/// `NAME=SOFT[:HARD]`.
pub fn ulimit(value: &str) -> Part {
    let wrong = || format!("`--ulimit {value}`: write NAME=SOFT:HARD");
    let (name, limits) = value.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let limit = |text: &str| text.parse().map(int).map_err(|_| wrong());
    Ok(object([("Name", text(name)), ("Hard", limit(hard)?), ("Soft", limit(soft)?)]))
}

/// `HOST[:CONTAINER[:PERMISSIONS]]`; `None` for a name of the container device interface.
pub fn device(value: &str) -> Part<Option<Value>> {
    if !value.starts_with('/') && value.contains('=') {
        return Ok(None);
    }
    let mut parts = value.split(':');
    let host = parts.next().unwrap_or_default();
    let permissions = |text: &str| !text.is_empty() && text.bytes().all(|b| b"rwm".contains(&b));
    let (inside, access) = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => (host, "rwm"),
        (Some(access), None, _) if permissions(access) => (host, access),
        (Some(inside), None, _) => (inside, "rwm"),
        (Some(inside), Some(access), None) => (inside, access),
        _ => return Err(format!("`--device {value}` has too many parts")),
    };
    Ok(Some(object([("PathOnHost", text(host)), ("PathInContainer", text(inside)), ("CgroupPermissions", text(access))])))
}

/// `all`, a count, or `device=0,1`.
pub fn gpus(value: &str) -> Part {
    let capabilities = Value::List(vec![Value::List(vec![text("gpu")])]);
    let of = |count: i64, ids: Value| {
        let rest = [("Capabilities", capabilities), ("Options", Value::Object(Vec::new()))];
        object([("Driver", text("")), ("Count", int(count)), ("DeviceIDs", ids)].into_iter().chain(rest))
    };
    let plain = value.trim_matches('"');
    match (plain, plain.strip_prefix("device="), plain.parse()) {
        ("all", ..) => Ok(of(-1, Value::Null)),
        (_, Some(ids), _) => Ok(of(0, Value::List(ids.split(',').map(text).collect()))),
        (_, None, Ok(count)) => Ok(of(count, Value::Null)),
        (_, None, Err(_)) => Err(format!("`--gpus {value}`: write all, a number, or device=ID,…")),
    }
}

/// A published port: key of `PortBindings`, and the binding.
type Published = (String, Value);

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]` with ranges.
pub fn publish(value: &str) -> Part<Vec<Published>> {
    let wrong = |why: &str| format!("`--publish {value}`: {why}");
    if value.contains('=') {
        return Err(wrong("the long form is not understood; write IP:HOST:CONTAINER"));
    }
    let (ports, protocol) = value.rsplit_once('/').unwrap_or((value, "tcp"));
    let mut parts = ports.rsplitn(3, ':');
    let inside = range(parts.next().unwrap_or_default()).ok_or_else(|| wrong("the container's port is no port"))?;
    let outside = parts.next().unwrap_or_default();
    let ip = parts.next().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let binding = |port: &str| object([("HostIp", text(ip)), ("HostPort", text(port))]);
    if outside.is_empty() {
        return Ok((inside.0..=inside.1).map(|port| (format!("{port}/{protocol}"), binding(""))).collect());
    }
    let (first, last) = range(outside).ok_or_else(|| wrong("the host's port is no port"))?;
    if inside.0 == inside.1 {
        return Ok(vec![(format!("{}/{protocol}", inside.0), binding(outside))]);
    }
    if inside.1 - inside.0 != last - first {
        return Err(wrong("the ranges differ in length"));
    }
    Ok((inside.0..=inside.1).zip(first..=last).map(|(port, host)| (format!("{port}/{protocol}"), binding(&host.to_string()))).collect())
}

/// `PORT` or `FIRST-LAST`.
pub fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// `type=bind,source=/a,target=/b,readonly`.
pub fn mount(value: &str) -> Part {
    let mut mount = Mount { kind: "volume".to_owned(), ..Mount::default() };
    for field in fields(value) {
        let (key, given) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        mount.set(&key.to_ascii_lowercase(), given).map_err(|why| format!("`--mount {value}`: {why}"))?;
    }
    Ok(mount.value())
}

#[derive(Default)]
struct Mount {
    kind: String,
    source: String,
    target: String,
    read_only: bool,
    consistency: String,
    bind: Object,
    volume: Object,
    driver: Object,
    driver_options: Object,
    labels: Object,
    tmpfs: Object,
    image: Object,
}

impl Mount {
    fn set(&mut self, key: &str, given: Option<&str>) -> Result<(), String> {
        let value = given.unwrap_or_default();
        let flag = || match given {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(format!("`{key}` is true or false, not `{other}`")),
        };
        let pair = || {
            value.split_once('=').map(|(key, value)| (key.to_owned().into(), text(value))).ok_or_else(|| format!("`{key}` needs KEY=VALUE"))
        };
        match key {
            "type" => self.kind = value.to_ascii_lowercase(),
            "source" | "src" => self.source = value.to_owned(),
            "target" | "dst" | "destination" => self.target = value.to_owned(),
            "readonly" | "ro" => self.read_only = flag()?,
            "consistency" => self.consistency = value.to_owned(),
            "bind-propagation" => self.bind.push(("Propagation".into(), text(value))),
            "bind-create-src" => self.bind.push(("CreateMountpoint".into(), Value::Bool(flag()?))),
            "bind-recursive" => match value {
                "enabled" => {}
                "disabled" => self.bind.push(("NonRecursive".into(), Value::Bool(true))),
                "writable" => self.bind.push(("ReadOnlyNonRecursive".into(), Value::Bool(true))),
                "readonly" => self.bind.push(("ReadOnlyForceRecursive".into(), Value::Bool(true))),
                other => return Err(format!("`{other}` is no kind of recursion")),
            },
            "bind-nonrecursive" => self.bind.push(("NonRecursive".into(), Value::Bool(flag()?))),
            "volume-subpath" => self.volume.push(("Subpath".into(), text(value))),
            "volume-nocopy" => self.volume.push(("NoCopy".into(), Value::Bool(flag()?))),
            "volume-label" => self.labels.push(pair()?),
            "volume-driver" => self.driver.push(("Name".into(), text(value))),
            "volume-opt" => self.driver_options.push(pair()?),
            "image-subpath" => self.image.push(("Subpath".into(), text(value))),
            "tmpfs-size" => self.tmpfs.push(("SizeBytes".into(), bytes("mount tmpfs-size", value)?)),
            "tmpfs-mode" => {
                let mode = i64::from_str_radix(value, 8).map_err(|_| format!("`{value}` is no mode"))?;
                self.tmpfs.push(("Mode".into(), int(mode)));
            }
            other => return Err(format!("`{other}` is no field of a mount")),
        }
        Ok(())
    }

    fn value(mut self) -> Value {
        if !self.driver_options.is_empty() {
            self.driver.push(("Options".into(), Value::Object(self.driver_options)));
        }
        for (key, members) in [("Labels", self.labels), ("DriverConfig", self.driver)] {
            if !members.is_empty() {
                self.volume.push((key.into(), Value::Object(members)));
            }
        }
        let mut members: Object = vec![("Type".into(), text(&self.kind))];
        for (key, value) in [("Source", &self.source), ("Target", &self.target), ("Consistency", &self.consistency)] {
            if !value.is_empty() {
                members.push((key.into(), text(value)));
            }
        }
        if self.read_only {
            members.push(("ReadOnly".into(), Value::Bool(true)));
        }
        let options =
            [("BindOptions", self.bind), ("VolumeOptions", self.volume), ("TmpfsOptions", self.tmpfs), ("ImageOptions", self.image)];
        members.extend(
            options.into_iter().filter(|(_, options)| !options.is_empty()).map(|(key, options)| (key.into(), Value::Object(options))),
        );
        Value::Object(members)
    }
}

/// One record of comma-separated values; a field in double quotes may hold commas.
fn fields(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in record.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.last_mut().into_iter().for_each(|field| field.push(letter)),
        }
    }
    fields
}
