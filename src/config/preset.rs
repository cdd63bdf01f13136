//! The policies that are built in.
//! Knows nothing of files on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use toml::de::DeTable;

use crate::policy::Policy;

use super::error::Report;
use super::header::Header;
use super::policy::{Draft, Drafts, whole};
use super::tree::Table;

/// A policy that is built in, as a file of exactly the configuration's form.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
    /// What it is for, on one line.
    pub summary: &'static str,
    /// What the file says about itself.
    pub header: Header,
}

/// Names and texts of files in `config/presets`.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../config/presets/", $name, ".toml")))),*]
    };
}

/// Those for any client first, then the clients by kind.
static FILES: &[(&str, &str)] = files! {
    "read-only" "ping" "deny-all" "unrestricted"
    "traefik" "traefik-swarm" "nginx-proxy" "acme-companion" "caddy-docker-proxy"
    "portainer-read-only" "portainer"
    "watchtower" "watchtower-fork" "diun" "wud" "wud-update"
    "homepage" "homarr"
    "dozzle" "dozzle-actions" "alloy" "crowdsec" "vector" "fluent-bit"
    "uptime-kuma" "beszel" "prometheus" "prometheus-swarm" "glances" "telegraf" "cadvisor" "netdata" "datadog"
    "autoheal" "ofelia"
    "docker-cli-read" "docker-cli-run" "compose"
    "gitlab-runner" "github-runner" "testcontainers" "ryuk"
    "devcontainer" "dockerspawner"
    "trivy" "docker-bench"
};

/// Every preset.
pub fn presets() -> &'static [Preset] {
    static READ: OnceLock<Vec<Preset>> = OnceLock::new();
    let read = |(name, text): &(&'static str, &'static str)| {
        let header = Header::read(text);
        Preset { name, text, summary: header.summary, header }
    };
    READ.get_or_init(|| FILES.iter().map(read).collect())
}

/// The preset of this name, as a policy; always the same one.
pub fn preset(name: &str) -> Option<Arc<Policy>> {
    static BUILT: OnceLock<BTreeMap<&'static str, Arc<Policy>>> = OnceLock::new();
    BUILT.get_or_init(|| FILES.iter().filter_map(|(name, text)| Some((*name, build(name, text)?))).collect()).get(name).cloned()
}

/// The preset of this name, as written.
pub(super) fn draft(name: &str) -> Option<&'static Draft> {
    drafts().get(name)
}

fn drafts() -> &'static Drafts {
    static READ: OnceLock<Drafts> = OnceLock::new();
    READ.get_or_init(|| FILES.iter().filter_map(|(name, text)| Some(((*name).to_owned(), read(name, text)?))).collect())
}

/// A preset with a mistake would be missing; a test loads each.
fn read(name: &str, text: &str) -> Option<Draft> {
    let mut report = Report::new(&format!("preset {name}"), text);
    let parsed = DeTable::parse(text).ok()?;
    let policies = Table::root(&parsed).get("policy")?.table("`[policy]`", &mut report)?;
    let draft = Draft::read(&policies.get(name)?, true, &mut report)?;
    (!report.has_errors()).then_some(draft)
}

fn build(name: &str, text: &str) -> Option<Arc<Policy>> {
    let mut report = Report::new(&format!("preset {name}"), text);
    let policy = whole(draft(name)?, &Drafts::new(), &mut report).build(&mut report);
    (!report.has_errors()).then_some(policy)
}
