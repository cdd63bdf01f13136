//! What one would add to a configuration to allow a request. Every proposal is loaded and judged before it is shown.
//! Knows nothing of printing.

use std::collections::BTreeMap;

use crate::config;
use crate::docker::Value;
use crate::docker::reference::ImageName;
use crate::policy::{BindAccess, Denial, Glob, Policy, Reason};

use super::build::{Explanation, Request, Word, explanation};

/// The policy in which a proposal is tried.
const TRIED: &str = "explain-tries-this";
/// One request needs few grants; a proposal that goes on growing never helps.
const MOST_STEPS: usize = 32;

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Configuration that allows the request, tried out; empty where there is none.
    pub lines: Vec<String>,
    /// What stands in the way, where no grant helps.
    pub hindrances: Vec<String>,
}

/// Entries by key: `allow` of the policy, and the keys of its `create`.
#[derive(Debug, Default)]
struct Proposal {
    allow: Vec<String>,
    grants: BTreeMap<&'static str, Vec<String>>,
}

/// The advice for a denied request; `file` is the text of the configuration and `own` says whether the policy is in it.
pub fn advice(policy: &Policy, file: Option<&str>, own: bool, request: &Request, explained: &Explanation) -> Advice {
    let mut advice = Advice::default();
    if explained.word != Word::Deny {
        return advice;
    }
    let own = own && file.is_some();
    let mut proposal = Proposal::default();
    let (mut grown, mut left) = tried(policy, explained, &mut proposal);
    let mut steps = 0..MOST_STEPS;
    while grown && steps.next().is_some() {
        let Some(config) = config::load("proposal", &proposal.text(policy, file)).config else { break };
        let Some(wider) = config.policy(TRIED) else { break };
        let next = explanation(&wider, request, config.limits.max_json_body);
        if next.word != Word::Deny {
            advice.lines = proposal.shown(policy, own);
            advice.hindrances.extend(next.refusal.map(|(_, message)| message));
            return advice;
        }
        (grown, left) = tried(policy, &next, &mut proposal);
    }
    let hindering = if left.is_empty() { &explained.denials } else { &left };
    advice.hindrances = hindering.iter().map(|denial| Denial { policy: policy.name.clone(), ..denial.clone() }.advice()).collect();
    advice.hindrances.dedup();
    advice
}

/// Puts what would answer each denial into the proposal; says whether that grew, and which denials nothing answers.
fn tried(policy: &Policy, explained: &Explanation, proposal: &mut Proposal) -> (bool, Vec<Denial>) {
    let (mut grown, mut left) = (false, Vec::new());
    for denial in &explained.denials {
        let known = match (denial.reason, explained.row) {
            (Reason::NotAllowed, Some(row)) => Some(("allow", quoted(row.operation.name()))),
            _ => grant(denial, explained),
        };
        let added = known.is_some_and(|(key, entry)| proposal.add(policy, key, entry));
        grown |= added;
        if !added {
            left.push(denial.clone());
        }
    }
    (grown, left)
}

impl Proposal {
    /// True where the entry is new.
    fn add(&mut self, policy: &Policy, key: &'static str, entry: String) -> bool {
        let list = if key == "allow" { &mut self.allow } else { self.grants.entry(key).or_insert_with(|| present(policy, key)) };
        let new = !list.contains(&entry);
        if new {
            list.push(entry);
        }
        new
    }

    /// A configuration in which a policy of its own has the entries.
    fn text(&self, policy: &Policy, file: Option<&str>) -> String {
        let mut text = file.map_or_else(|| "version = 1".to_owned(), str::to_owned);
        text.push('\n');
        for line in self.tables(TRIED, Some(&policy.name)) {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn tables(&self, name: &str, extends: Option<&str>) -> Vec<String> {
        let mut lines = Vec::new();
        if extends.is_some() || !self.allow.is_empty() {
            lines.push(format!("[policy.{name}]"));
            lines.extend(extends.map(|extends| format!("extends = [{}]", quoted(extends))));
        }
        if !self.allow.is_empty() {
            lines.push(format!("allow = [{}]", self.allow.join(", ")));
        }
        if !self.grants.is_empty() {
            lines.push(format!("[policy.{name}.create]"));
            lines.extend(self.grants.iter().map(|(key, entries)| format!("{key} = [{}]", entries.join(", "))));
        }
        lines
    }

    /// As the user would write it: into the policy, where it is theirs, else into one that extends the preset.
    fn shown(&self, policy: &Policy, own: bool) -> Vec<String> {
        if own { self.tables(&policy.name, None) } else { self.tables("mine", Some(&policy.name)) }
    }
}

/// What a policy grants already: keys of `create` are replaced, so a proposal must hold it too.
fn present(policy: &Policy, key: &str) -> Vec<String> {
    let create = &policy.create;
    let globs = |globs: &[Glob]| globs.iter().map(|glob| quoted(glob.as_str())).collect();
    match key {
        "images" => globs(create.images.as_deref().unwrap_or_default()),
        "volumes" => globs(&create.volumes),
        "networks" => globs(&create.networks),
        "cap-add" => create.cap_add.iter().map(|name| quoted(name)).collect(),
        "devices" => create.devices.iter().map(|path| quoted(path)).collect(),
        "binds" => {
            create.binds.iter().map(|bind| bind_entry(&below(&bind.source, bind.below), bind.access == BindAccess::ReadOnly)).collect()
        }
        "ports" => create.ports.iter().map(|port| quoted(&port_entry(port.address, port.first, port.last))).collect(),
        _ => Vec::new(),
    }
}

/// The reasons that a grant answers, and its key.
const GRANTS: [(Reason, &str); 7] = [
    (Reason::HostPath, "binds"),
    (Reason::Volume, "volumes"),
    (Reason::Network, "networks"),
    (Reason::CapAdd, "cap-add"),
    (Reason::Devices, "devices"),
    (Reason::Ports, "ports"),
    (Reason::Image, "images"),
];

/// The key and entry that would grant what was denied.
fn grant(denial: &Denial, explained: &Explanation) -> Option<(&'static str, String)> {
    let (_, key) = GRANTS.into_iter().find(|(reason, _)| *reason == denial.reason)?;
    let body = explained.body.as_ref();
    let value = || value_at(body?, &denial.at);
    let text = || value().and_then(Value::as_text);
    let entry = match key {
        "binds" => bind(body?, &denial.at)?,
        "volumes" => quoted(text()?.split(':').next()?),
        "networks" => quoted(network(denial, text())?),
        "cap-add" => quoted(&text()?.to_ascii_uppercase().replace("CAP_", "")),
        "devices" => quoted(value()?.text("PathOnHost")),
        "ports" => port(value()?)?,
        _ => image(query(denial, explained).or_else(text)?)?,
    };
    Some((key, entry))
}

/// The value of a query key that was denied.
fn query<'a>(denial: &Denial, explained: &'a Explanation) -> Option<&'a str> {
    let key = denial.at.strip_prefix('?')?;
    explained.query.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
}

fn image(text: &str) -> Option<String> {
    match text.parse().ok()? {
        ImageName::Named(reference) => Some(quoted(&reference.repository)),
        ImageName::Id(_) => None,
    }
}

fn network<'a>(denial: &'a Denial, text: Option<&'a str>) -> Option<&'a str> {
    let named = denial.at.strip_prefix("network `").and_then(|rest| rest.strip_suffix('`'));
    named.or(text).or_else(|| denial.at.strip_prefix("NetworkingConfig.EndpointsConfig."))
}

/// `Binds[0]` holds source and options, `Mounts[0].Source` has its access beside it.
fn bind(body: &Value, at: &str) -> Option<String> {
    let text = value_at(body, at)?.as_text()?;
    if let Some(mount) = at.strip_suffix(".Source") {
        let read_only = value_at(body, mount)?.get("ReadOnly").is_some_and(Value::is_true);
        return Some(bind_entry(text, read_only));
    }
    let mut parts = text.split(':');
    let source = parts.next()?;
    let read_only = parts.nth(1).is_some_and(|options| options.split(',').any(|option| option == "ro"));
    Some(bind_entry(source, read_only))
}

fn below(source: &str, below: bool) -> String {
    if below { format!("{source}/**") } else { source.to_owned() }
}

fn bind_entry(source: &str, read_only: bool) -> String {
    format!("{{ source = {}, mode = \"{}\" }}", quoted(source), if read_only { "ro" } else { "rw" })
}

fn port(bindings: &Value) -> Option<String> {
    let binding = bindings.items().first()?;
    let ports = binding.text("HostPort");
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let address = Some(binding.text("HostIp")).filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
    Some(quoted(&port_entry(address.parse().ok()?, first.parse().ok()?, last.parse().ok()?)))
}

fn port_entry(address: std::net::IpAddr, first: u16, last: u16) -> String {
    let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
    if address.is_ipv6() { format!("[{address}]:{range}") } else { format!("{address}:{range}") }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
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
