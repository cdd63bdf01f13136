//! From a denial to the entry of `[policy.X.create]` that answers it.
//! Knows nothing of how dangerous that entry is.

use std::net::IpAddr;

use crate::docker::Value;
use crate::docker::reference::ImageName;
use crate::policy::{Denial, Reason};

/// The reasons that an entry answers, and its key.
const GRANTS: [(Reason, &str); 11] = [
    (Reason::HostPath, "binds"),
    (Reason::Volume, "volumes"),
    (Reason::Network, "networks"),
    (Reason::CapAdd, "cap-add"),
    (Reason::Devices, "devices"),
    (Reason::Image, "images"),
    (Reason::Sysctls, "sysctls"),
    (Reason::Runtime, "runtimes"),
    (Reason::SecurityOpt, "security-opt"),
    (Reason::Secrets, "secrets"),
    (Reason::LogDriver, "log-drivers"),
];

/// An entry of a list of grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A name or pattern.
    Text(String),
    /// A host path, `/**` at its end included.
    Bind {
        /// The path.
        source: String,
        /// True where it may be written.
        writable: bool,
    },
    /// Published ports.
    Ports {
        /// The host's address.
        address: IpAddr,
        /// The first.
        first: u16,
        /// The last.
        last: u16,
    },
}

impl Entry {
    /// As TOML.
    pub fn toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Bind { source, writable } => {
                format!("{{ source = {}, mode = \"{}\" }}", quoted(source), if *writable { "rw" } else { "ro" })
            }
            Self::Ports { address, first, last } => quoted(&ports(*address, *first, *last)),
        }
    }
}

/// A basic string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// The keys and entries that would grant what was denied of a request with this body and query; none where no entry helps.
pub fn answers(denial: &Denial, body: Option<&Value>, query: &[(&'static str, String)]) -> Vec<(&'static str, Entry)> {
    if denial.reason == Reason::Ports {
        let bindings = body.and_then(|body| value_at(body, &denial.at));
        let single = bindings.filter(|value| value.items().is_empty());
        let all = bindings.map(Value::items).unwrap_or_default().iter().chain(single);
        return all.filter_map(port).map(|entry| ("ports", entry)).collect();
    }
    answer(denial, body, query).into_iter().collect()
}

fn answer(denial: &Denial, body: Option<&Value>, query: &[(&'static str, String)]) -> Option<(&'static str, Entry)> {
    let (_, key) = GRANTS.into_iter().find(|(reason, _)| *reason == denial.reason)?;
    let value = || value_at(body?, &denial.at);
    let text = || value().and_then(Value::as_text);
    let named = |text: &str| (!text.is_empty()).then(|| Entry::Text(text.to_owned()));
    let entry = match key {
        "binds" => bind(body?, &denial.at)?,
        "volumes" => named(text()?.split(':').next()?)?,
        "networks" => named(network(denial, text())?)?,
        "cap-add" => named(&text()?.to_ascii_uppercase().replace("CAP_", ""))?,
        "devices" => named(value()?.text("PathOnHost"))?,
        "sysctls" => named(denial.at.rsplit_once("Sysctls.")?.1)?,
        "secrets" => return swarm(value()?),
        "log-drivers" => named(driver(body?, &denial.at)?)?,
        "images" => image(asked(denial, query).or_else(text)?)?,
        _ => named(text()?)?,
    };
    Some((key, entry))
}

/// The value of a query key that was denied.
fn asked<'a>(denial: &Denial, query: &'a [(&'static str, String)]) -> Option<&'a str> {
    let key = denial.at.strip_prefix('?')?;
    query.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
}

fn image(text: &str) -> Option<Entry> {
    match text.parse().ok()? {
        ImageName::Named(reference) => Some(Entry::Text(reference.repository)),
        ImageName::Id(_) => None,
    }
}

fn network<'a>(denial: &'a Denial, text: Option<&'a str>) -> Option<&'a str> {
    let named = denial.at.strip_prefix("network `").and_then(|rest| rest.strip_suffix('`'));
    named.or(text).or_else(|| denial.at.strip_prefix("NetworkingConfig.EndpointsConfig."))
}

/// A secret or config, which have their names in different members.
fn swarm(value: &Value) -> Option<(&'static str, Entry)> {
    let (secret, config) = (value.text("SecretName"), value.text("ConfigName"));
    let (key, name) = if secret.is_empty() { ("configs", config) } else { ("secrets", secret) };
    (!name.is_empty()).then(|| (key, Entry::Text(name.to_owned())))
}

/// A log driver, also where one of its options was denied.
fn driver<'a>(body: &'a Value, at: &str) -> Option<&'a str> {
    let config = at.rsplit_once(".Config.").or_else(|| at.rsplit_once(".Options.")).or_else(|| at.rsplit_once('.'))?.0;
    let config = value_at(body, config)?;
    ["Type", "Name"].into_iter().map(|key| config.text(key)).find(|name| !name.is_empty())
}

/// `Binds[0]` holds source and options, `Mounts[0].Source` has its access beside it.
fn bind(body: &Value, at: &str) -> Option<Entry> {
    let text = value_at(body, at)?.as_text()?;
    let entry = |source: &str, read_only: bool| Entry::Bind { source: source.to_owned(), writable: !read_only };
    if let Some(mount) = at.strip_suffix(".Source") {
        return Some(entry(text, value_at(body, mount)?.get("ReadOnly").is_some_and(Value::is_true)));
    }
    let mut parts = text.split(':');
    let source = parts.next()?;
    Some(entry(source, parts.nth(1).is_some_and(|options| options.split(',').any(|option| option == "ro"))))
}

/// One binding of a container, or one port of a service.
fn port(binding: &Value) -> Option<Entry> {
    if let Some(published) = binding.get("PublishedPort") {
        let port = u16::try_from(published.as_int()?).ok()?;
        return Some(Entry::Ports { address: IpAddr::from([0, 0, 0, 0]), first: port, last: port });
    }
    let text = binding.text("HostPort");
    let (first, last) = match text {
        // the engine takes a free one
        "" | "0" => (1024, u16::MAX),
        text => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            (first.parse().ok()?, last.parse().ok()?)
        }
    };
    let address = Some(binding.text("HostIp")).filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
    Some(Entry::Ports { address: address.parse().ok()?, first, last })
}

/// An address with a port or a range.
pub fn ports(address: IpAddr, first: u16, last: u16) -> String {
    let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
    if address.is_ipv6() { format!("[{address}]:{range}") } else { format!("{address}:{range}") }
}

/// The value at a place such as `HostConfig.Mounts[0].Source`. Keys may hold dots, so the longest one that fits is taken.
fn value_at<'a>(value: &'a Value, at: &str) -> Option<&'a Value> {
    if at.is_empty() {
        return Some(value);
    }
    if let Some((index, rest)) = at.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return value_at(value.items().get(index.parse::<usize>().ok()?)?, rest);
    }
    let at = at.strip_prefix('.').unwrap_or(at);
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
    let fitting = value
        .members()
        .iter()
        .filter_map(|(key, member)| at.strip_prefix(key.as_ref()).filter(|rest| ends(rest)).map(|rest| (rest, member)));
    let (rest, member) = fitting.min_by_key(|(rest, _)| rest.len())?;
    value_at(member, rest)
}
