//! What one would add to a configuration to allow a request. Every proposal is loaded and judged before it is shown.
//! Knows nothing of printing.

use std::collections::BTreeMap;

use crate::config;
use crate::learn::grant::{Entry, answers, ports, quoted};
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
        let Some(config) = config::load_to_judge("proposal", &proposal.text(policy, file)).config else { break };
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
        let known: Vec<(&'static str, String)> = match (denial.reason, explained.row) {
            (Reason::NotAllowed, Some(row)) => vec![("allow", quoted(row.operation.name()))],
            _ => answers(denial, explained.body.as_ref(), &explained.query).into_iter().map(|(key, entry)| (key, entry.toml())).collect(),
        };
        let mut added = false;
        for (key, entry) in known {
            added |= proposal.add(policy, key, entry);
        }
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
    let names = |names: &[String]| names.iter().map(|name| quoted(name)).collect();
    match key {
        "images" => globs(create.images.as_deref().unwrap_or_default()),
        "volumes" => globs(&create.volumes),
        "networks" => globs(&create.networks),
        "secrets" => globs(&create.secrets),
        "configs" => globs(&create.configs),
        "cap-add" => names(&create.cap_add),
        "devices" => names(&create.devices),
        "sysctls" => names(&create.sysctls),
        "runtimes" => names(&create.runtimes),
        "security-opt" => names(&create.security_opt),
        "log-drivers" => names(&create.log_drivers),
        "binds" => create
            .binds
            .iter()
            .map(|bind| Entry::Bind { source: below(&bind.source, bind.below), writable: bind.access == BindAccess::ReadWrite }.toml())
            .collect(),
        "ports" => create.ports.iter().map(|port| quoted(&ports(port.address, port.first, port.last))).collect(),
        _ => Vec::new(),
    }
}

fn below(source: &str, below: bool) -> String {
    if below { format!("{source}/**") } else { source.to_owned() }
}
