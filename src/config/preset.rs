//! The policies that are built in.
//! Knows nothing of files on disk.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use toml::de::DeTable;

use crate::policy::Policy;

use super::error::Report;
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
}

static PRESETS: &[Preset] = &[
    Preset {
        name: "read-only",
        text: include_str!("../../config/presets/read-only.toml"),
        summary: "what dashboards read: lists, inspects, events, stats; no logs, no files, no changes",
    },
    Preset { name: "ping", text: include_str!("../../config/presets/ping.toml"), summary: "whether the engine answers, and its version" },
    Preset { name: "deny-all", text: include_str!("../../config/presets/deny-all.toml"), summary: "nothing at all" },
    Preset {
        name: "traefik",
        text: include_str!("../../config/presets/traefik.toml"),
        summary: "service discovery by Traefik's docker and swarm providers",
    },
    Preset {
        name: "portainer-read-only",
        text: include_str!("../../config/presets/portainer-read-only.toml"),
        summary: "Portainer as a viewer: pages, logs and stats, no changes",
    },
    Preset {
        name: "unrestricted",
        text: include_str!("../../config/presets/unrestricted.toml"),
        summary: "every operation, nothing checked: as good as root, only recorded",
    },
];

/// Every preset.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

/// The preset of this name, as a policy; always the same one.
pub fn preset(name: &str) -> Option<Arc<Policy>> {
    static BUILT: OnceLock<BTreeMap<&'static str, Arc<Policy>>> = OnceLock::new();
    BUILT.get_or_init(|| PRESETS.iter().filter_map(|preset| Some((preset.name, build(preset)?))).collect()).get(name).cloned()
}

/// The preset of this name, as written.
pub(super) fn draft(name: &str) -> Option<&'static Draft> {
    drafts().get(name)
}

fn drafts() -> &'static Drafts {
    static READ: OnceLock<Drafts> = OnceLock::new();
    READ.get_or_init(|| PRESETS.iter().filter_map(|preset| Some((preset.name.to_owned(), read(preset)?))).collect())
}

/// A preset with a mistake would be missing; a test loads each.
fn read(preset: &Preset) -> Option<Draft> {
    let mut report = Report::new(&format!("preset {}", preset.name), preset.text);
    let parsed = DeTable::parse(preset.text).ok()?;
    let policies = Table::root(&parsed).get("policy")?.table("`[policy]`", &mut report)?;
    let draft = Draft::read(&policies.get(preset.name)?, true, &mut report)?;
    (!report.has_errors()).then_some(draft)
}

fn build(preset: &Preset) -> Option<Arc<Policy>> {
    let mut report = Report::new(&format!("preset {}", preset.name), preset.text);
    let policy = whole(draft(preset.name)?, &Drafts::new(), &mut report).build(&mut report);
    (!report.has_errors()).then_some(policy)
}
