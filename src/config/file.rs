//! A whole file: the top-level keys, and what doors and policies say together.
//! Knows nothing of where the text came from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeTable;

use crate::policy::Policy;

use super::audit;
use super::door::{self, Written};
use super::error::Report;
use super::limits;
use super::places::canonical;
use super::policy::{self, Draft, Drafts};
use super::preset;
use super::root;
use super::suggest::did_you_mean;
use super::tls::{self, EngineTls};
use super::tree::{Item, Table};
use super::url::{Listen, UpstreamUrl, UrlError};
use super::{Config, Loaded, Purpose};

const KEYS: &[&str] = &["version", "protected", "upstream", "door", "policy", "audit", "limits"];

/// Syntax errors after the first few are mostly the first one's echoes.
const MOST_SYNTAX_ERRORS: usize = 5;

/// Reads a file's text. All mistakes are found at once; `source_name` is how messages call the file.
pub fn load(source_name: &str, text: &str) -> Loaded {
    load_for(Purpose::Serve, source_name, text)
}

/// As [`load`], for commands that judge and open no door.
pub fn load_to_judge(source_name: &str, text: &str) -> Loaded {
    load_for(Purpose::Judge, source_name, text)
}

fn load_for(purpose: Purpose, source_name: &str, text: &str) -> Loaded {
    let mut report = Report::new(source_name, text);
    report.purpose = purpose;
    let (parsed, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MOST_SYNTAX_ERRORS) {
        let span = error.span().unwrap_or(0..0);
        let mut letters = error.message().chars();
        let message: String = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
        report.error("syntax", &span, message.trim_end_matches('.')).hint = Some("the file must be TOML, as on https://toml.io".to_owned());
    }
    let config = if errors.is_empty() { Some(whole(&Table::root(&parsed), &mut report)) } else { None };
    Loaded { config: config.filter(|_| !report.has_errors()), diagnostics: report.finish() }
}

fn whole(file: &Table<'_>, report: &mut Report<'_>) -> Config {
    file.only(KEYS, report);
    version(file, report);
    let drafts = drafts(file, report);
    let doors = doors(file, report);
    let policies = policies(&drafts, &doors, report);
    let (upstream, engine_tls) = file.get("upstream").and_then(|item| upstream(&item, report)).unzip();
    own_socket(upstream.as_ref(), &doors, report);
    wide(&doors, &policies, report);
    unused(&drafts, &doors, report);
    Config {
        upstream,
        engine_tls: engine_tls.flatten(),
        doors: doors.into_iter().map(|written| written.door).collect(),
        policies,
        audit: file.get("audit").and_then(|item| audit::read(&item, report)).unwrap_or_default(),
        limits: file.get("limits").and_then(|item| Some(limits::read(&item.table("`[limits]`", report)?, report))).unwrap_or_default(),
        protected: file.get("protected").and_then(|item| protected(&item, report)).unwrap_or_default(),
        path: None,
        watched: report.files.clone(),
        digest: report.digest.as_ref().to_owned(),
        purpose: report.purpose,
    }
}

fn version(file: &Table<'_>, report: &mut Report<'_>) {
    let Some(item) = file.require("version", "add `version = 1` as the first line: it pins what defaults mean", report) else { return };
    if let Some(version) = item.integer(report).filter(|version| *version != 1) {
        report
            .error("unsupported-version", &item.span, format!("this dockgate does not know version {version} of the configuration"))
            .hint = Some("write `version = 1`".to_owned());
    }
}

fn drafts(file: &Table<'_>, report: &mut Report<'_>) -> Drafts {
    let Some(table) = file.get("policy").and_then(|item| item.table("`[policy]`", report)) else { return Drafts::new() };
    table.items().filter_map(|item| Draft::read(&item, false, report)).map(|draft| (draft.name.clone(), draft)).collect()
}

fn doors(file: &Table<'_>, report: &mut Report<'_>) -> Vec<Written> {
    let Some(item) = file.get("door") else { return Vec::new() };
    if item.is_table() {
        report.error("wrong-type", &item.key, "`[door]` is one table, and doors are a list of them").hint =
            Some("write `[[door]]`".to_owned());
        return Vec::new();
    }
    let items = item.list(report).unwrap_or_default();
    let doors: Vec<Written> = items.iter().filter_map(|item| door::read(item, report)).collect();
    door::together(&doors, report);
    doors
}

/// The file's policies, and the presets that its doors and their clients name.
fn policies(drafts: &Drafts, doors: &[Written], report: &mut Report<'_>) -> BTreeMap<String, Arc<Policy>> {
    let mut policies = BTreeMap::new();
    for draft in drafts.values() {
        let policy = policy::whole(draft, drafts, report).build(report);
        root::warn(&policy, &draft.span, report);
        policies.insert(draft.name.clone(), policy);
    }
    for (name, span) in doors.iter().flat_map(Written::policies) {
        if drafts.contains_key(name) {
            continue;
        }
        match preset::preset(name) {
            Some(preset) => {
                root::warn(&preset, span, report);
                policies.insert(name.clone(), preset);
            }
            None => policy::unknown(drafts, name, span, report),
        }
    }
    policies
}

/// Warns of policies that no door reaches; without doors the command line names one.
fn unused(drafts: &Drafts, doors: &[Written], report: &mut Report<'_>) {
    // A door that could not be read may name any of them.
    if report.has_errors() {
        return;
    }
    let extended = drafts.values().flat_map(|draft| draft.extends.iter().filter(|(name, _)| *name != draft.name).map(|(name, _)| name));
    let used: BTreeSet<&String> = doors.iter().flat_map(|door| door.door.policies()).chain(extended).collect();
    for draft in drafts.values().filter(|draft| !doors.is_empty() && !used.contains(&draft.name)) {
        let near = did_you_mean(
            &draft.name,
            doors.iter().flat_map(|door| door.door.policies()).map(String::as_str).filter(|name| !drafts.contains_key(*name)),
        );
        report.warning("unused-policy", &draft.span, format!("no door uses the policy `{}`, and no policy extends it", draft.name)).hint =
            Some(near.unwrap_or_else(|| "name it in a `[[door]]`, or take it out".to_owned()));
    }
}

/// Warns of doors that give most to those of whom they know least: what is not found out about a client fits no entry.
fn wide(doors: &[Written], policies: &BTreeMap<String, Arc<Policy>>, report: &mut Report<'_>) {
    for written in doors.iter().filter(|written| !written.door.clients.is_empty() && written.door.policy.is_some()) {
        let Some((name, span)) = written.policies().next() else { continue };
        if policies.get(name).is_some_and(|policy| !root::ways_to_root(policy).is_empty()) {
            report.warning("wide-default", span, "clients of whom nothing is known have this policy, which is as good as root").hint =
                Some("name the wide policy in a `[[door.client]]`, and give the door a narrow one or none".to_owned());
        }
    }
}

fn upstream(item: &Item<'_>, report: &mut Report<'_>) -> Option<(UpstreamUrl, Option<EngineTls>)> {
    let table = item.table("`[upstream]`", report)?;
    let known: Vec<&str> = ["url"].iter().chain(tls::ENGINE).copied().collect();
    table.only(&known, report);
    let url = table.require("url", "add `url = \"unix:///var/run/docker.sock\"`, or leave the table out", report)?;
    let upstream = match url.text(report)?.parse() {
        Ok(upstream) => upstream,
        Err(UrlError { message, hint }) => {
            report.error("bad-url", &url.span, message).hint = Some(hint);
            return None;
        }
    };
    let tls = match &upstream {
        UpstreamUrl::Https(authority) => tls::upstream(&table, authority, report),
        UpstreamUrl::Unix(_) | UpstreamUrl::Tcp(_) => {
            for item in tls::ENGINE.iter().filter_map(|key| table.get(key)) {
                report.error("conflicting-keys", &item.key, format!("`{}` is for engines with https:// only", item.name)).hint =
                    Some("leave it out, or write `url = \"https://host:2376\"`".to_owned());
            }
            None
        }
    };
    Some((upstream, tls))
}

fn own_socket(upstream: Option<&UpstreamUrl>, doors: &[Written], report: &mut Report<'_>) {
    for written in doors {
        if let (Some(UpstreamUrl::Unix(engine)), Listen::Unix(door)) = (upstream, &written.door.listen)
            && engine == door
        {
            report.error("duplicate-door", &written.listen, "a door cannot listen on the engine's own socket").hint =
                Some("give the door another path".to_owned());
        }
    }
}

fn protected(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    Some(item.list(report)?.iter().filter_map(|item| path(item, report)).collect())
}

/// An absolute path.
pub(super) fn path(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text(report)?;
    if !canonical(text) || text == "/" {
        let hint = if text == "-" {
            "leave it out for standard output"
        } else {
            "write an absolute path without `.`, `..`, doubled or final slashes"
        };
        report.error("bad-path", &item.span, format!("`{}` is no plain path", text.escape_debug())).hint = Some(hint.to_owned());
        return None;
    }
    Some(text.to_owned())
}
