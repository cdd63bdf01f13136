//! `[policy.X.create]`: the level and the grants, key by key.
//! Knows nothing of rules, nor of which policy inherits from which.

use std::collections::BTreeMap;

use crate::policy::{Act, Approved, BindGrant, CommandPattern, Create, Glob, Inject, Level, PortGrant, Reason, Targets};

use super::approved;
use super::binds;
use super::checks;
use super::error::{Diagnostic, Report};
use super::inject;
use super::profiles;
use super::rebind;
use super::suggest::{did_you_mean, listed};
use super::tree::{Item, Span, Table, Text};
use super::values;

/// A value that was written, and what is wrong with it below `unrestricted`.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) span: Span,
    strict: Vec<Diagnostic>,
}

macro_rules! grants {
    ($($field:ident: $ty:ty,)*) => {
        /// The keys that were written; the others are inherited, or have their defaults.
        #[derive(Debug, Clone, Default)]
        pub(super) struct Grants { $(pub(super) $field: Option<Given<$ty>>,)* }

        impl Grants {
            /// These, and beneath them what a farther policy gives.
            pub(super) fn over(self, far: &Self) -> Self {
                Self { $($field: self.$field.or_else(|| far.$field.clone()),)* }
            }

            fn strict(&self) -> impl Iterator<Item = &Diagnostic> {
                let all: Vec<&[Diagnostic]> = vec![$(self.$field.as_ref().map(|given| given.strict.as_slice()).unwrap_or_default(),)*];
                all.into_iter().flatten()
            }
        }
    };
}

grants! {
    level: Level,
    warn_level: Level,
    checks: BTreeMap<Reason, Act>,
    inject: Inject,
    rebind_socket: String,
    images: Vec<Glob>,
    require_digest: bool,
    approved: Approved,
    require_non_root: bool,
    binds: Vec<BindGrant>,
    volumes: Vec<Glob>,
    networks: Vec<Glob>,
    ports: Vec<PortGrant>,
    cap_add: Vec<String>,
    devices: Vec<String>,
    deny_env: Vec<Glob>,
    deny_labels: Vec<Glob>,
    sysctls: Vec<String>,
    runtimes: Vec<String>,
    security_opt: Vec<String>,
    secrets: Vec<Glob>,
    configs: Vec<Glob>,
    log_drivers: Vec<String>,
    users: Vec<Glob>,
    exec: Exec,
    targets: Targets,
}

/// What `exec = { … }` grants.
#[derive(Debug, Clone, Default)]
pub(super) struct Exec {
    commands: Vec<CommandPattern>,
    users: Vec<Glob>,
}

/// Every key.
pub(super) const KEYS: &[&str] = &[
    "level",
    "warn-level",
    "checks",
    "inject",
    "rebind-socket",
    "images",
    "require-digest",
    "approved",
    "require-non-root",
    "binds",
    "volumes",
    "networks",
    "ports",
    "cap-add",
    "devices",
    "env",
    "labels",
    "sysctls",
    "runtimes",
    "security-opt",
    "secrets",
    "configs",
    "log-drivers",
    "users",
    "exec",
    "targets",
];

impl Grants {
    pub(super) fn read(table: &Table<'_>, report: &mut Report<'_>) -> Self {
        table.only(KEYS, report);
        Self {
            level: given(table, "level", report, level),
            warn_level: given(table, "warn-level", report, level),
            checks: given(table, "checks", report, checks::read),
            inject: given(table, "inject", report, inject::read),
            rebind_socket: given(table, "rebind-socket", report, rebind::read),
            images: each(table, "images", report, values::image),
            require_digest: given(table, "require-digest", report, |item, report, _| item.flag(report)),
            approved: given(table, "approved", report, approved::read),
            require_non_root: given(table, "require-non-root", report, |item, report, _| item.flag(report)),
            binds: given(table, "binds", report, binds::read),
            volumes: each(table, "volumes", report, values::volume),
            networks: each(table, "networks", report, values::network),
            ports: each(table, "ports", report, |text, report, _| values::port(text, report)),
            cap_add: each(table, "cap-add", report, values::capability),
            devices: each(table, "devices", report, values::device),
            deny_env: given(table, "env", report, denied),
            deny_labels: given(table, "labels", report, denied),
            sysctls: each(table, "sysctls", report, profiles::sysctl),
            runtimes: each(table, "runtimes", report, profiles::runtime),
            security_opt: each(table, "security-opt", report, profiles::security_opt),
            secrets: each(table, "secrets", report, profiles::secret),
            configs: each(table, "configs", report, profiles::secret),
            log_drivers: each(table, "log-drivers", report, profiles::log_driver),
            users: given(table, "users", report, |item, report, strict| some(item, report, strict, profiles::user)),
            exec: given(table, "exec", report, exec),
            targets: given(table, "targets", report, targets),
        }
    }

    /// The keys that demand something and are not looked at, as the level is `unrestricted`.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let demands = [
            ("images", self.images.is_some()),
            ("require-digest", value(&self.require_digest)),
            ("approved", self.approved.is_some()),
            ("require-non-root", value(&self.require_non_root)),
            ("env", self.deny_env.is_some()),
            ("labels", self.deny_labels.is_some()),
            ("checks", self.checks.is_some()),
            ("users", self.users.is_some()),
            ("exec", self.exec.is_some()),
        ];
        let unrestricted = value(&self.level) == Level::Unrestricted;
        demands.into_iter().filter(|(_, written)| *written && unrestricted).map(|(key, _)| key).collect()
    }

    /// The values; what is wrong with them below `unrestricted` is reported there.
    pub(super) fn build(self, report: &mut Report<'_>) -> Create {
        let level = value(&self.level);
        if level != Level::Unrestricted {
            self.strict().for_each(|diagnostic| report.push(diagnostic.clone()));
        }
        let Exec { commands, users } = value(&self.exec);
        Create {
            level,
            warn_level: self.warn_level.map(|given| given.value),
            checks: value(&self.checks),
            inject: value(&self.inject),
            rebind_socket: self.rebind_socket.map(|given| given.value),
            images: self.images.map(|given| given.value),
            require_digest: value(&self.require_digest),
            approved: self.approved.map(|given| given.value),
            require_non_root: value(&self.require_non_root),
            binds: value(&self.binds),
            volumes: value(&self.volumes),
            networks: value(&self.networks),
            ports: value(&self.ports),
            cap_add: value(&self.cap_add),
            devices: value(&self.devices),
            deny_env: value(&self.deny_env),
            deny_labels: value(&self.deny_labels),
            sysctls: value(&self.sysctls),
            runtimes: value(&self.runtimes),
            security_opt: value(&self.security_opt),
            secrets: value(&self.secrets),
            configs: value(&self.configs),
            log_drivers: value(&self.log_drivers),
            users: value(&self.users),
            exec_users: users,
            exec_commands: commands,
            targets: value(&self.targets),
        }
    }
}

fn value<T: Clone + Default>(given: &Option<Given<T>>) -> T {
    given.as_ref().map(|given| given.value.clone()).unwrap_or_default()
}

/// Reads one key with a reader that may put aside what is wrong only below `unrestricted`.
fn given<'t, T>(
    table: &Table<'t>,
    key: &str,
    report: &mut Report<'_>,
    read: impl FnOnce(&Item<'t>, &mut Report<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<Given<T>> {
    let item = table.get(key)?;
    let mut strict = Vec::new();
    let value = read(&item, report, &mut strict)?;
    Some(Given { value, span: item.key.clone(), strict })
}

/// Reads a list of strings, each with the same reader.
fn each<T>(
    table: &Table<'_>,
    key: &str,
    report: &mut Report<'_>,
    read: impl Fn(&Text<'_>, &mut Report<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<Given<Vec<T>>> {
    given(table, key, report, |item, report, strict| all(item, report, strict, &read))
}

fn all<T>(
    item: &Item<'_>,
    report: &mut Report<'_>,
    strict: &mut Vec<Diagnostic>,
    read: impl Fn(&Text<'_>, &mut Report<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<Vec<T>> {
    Some(item.texts(report)?.iter().filter_map(|text| read(text, report, strict)).collect())
}

/// Like [`all`], of lists that name what is allowed and allow all where they are left out: an empty one could be meant either way.
fn some<T>(
    item: &Item<'_>,
    report: &mut Report<'_>,
    strict: &mut Vec<Diagnostic>,
    read: impl Fn(&Text<'_>, &mut Report<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<Vec<T>> {
    if item.list(report)?.is_empty() {
        report.error("bad-value", &item.span, format!("`{}` is empty, and would not limit anything", item.name)).hint =
            Some("name what is allowed, or leave the key out".to_owned());
    }
    all(item, report, strict, read)
}

/// `{ commands = [...], users = [...] }`
fn exec(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<Exec> {
    let table = item.table("`exec`", report)?;
    table.only(&["commands", "users"], report);
    let commands = table.get("commands").and_then(|list| some(&list, report, strict, profiles::command));
    let users = table.get("users").and_then(|list| some(&list, report, strict, profiles::user));
    Some(Exec { commands: commands.unwrap_or_default(), users: users.unwrap_or_default() })
}

fn level(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Level> {
    let text = item.text(report)?;
    let all = [Level::Restricted, Level::Baseline, Level::Unrestricted];
    let found = all.into_iter().find(|level| level.as_str() == text);
    found.or_else(|| word(item, "level", text, &all.map(Level::as_str), report))
}

fn targets(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Targets> {
    match item.text(report)? {
        "judged" => Some(Targets::Judged),
        "any" => Some(Targets::Any),
        other => word(item, "value of `targets`", other, &["judged", "any"], report),
    }
}

/// Reports a word that is not among the known ones.
pub(super) fn word<T>(item: &Item<'_>, what: &str, text: &str, known: &[&str], report: &mut Report<'_>) -> Option<T> {
    let hint = did_you_mean(text, known.iter().copied()).unwrap_or_else(|| format!("write one of {}", listed(known.iter().copied())));
    report.error("bad-value", &item.span, format!("there is no {what} `{}`", text.escape_debug())).hint = Some(hint);
    None
}

/// `{ deny = [...] }`
fn denied(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Vec<Glob>> {
    if !item.is_table() {
        report.error("wrong-type", &item.span, format!("`{}` must be a table", item.name)).hint =
            Some("write `{ deny = [\"NAME\"] }`".to_owned());
        return None;
    }
    let table = item.table(format!("`{}`", item.name), report)?;
    table.only(&["deny"], report);
    let list = table.require("deny", "write `{ deny = [\"NAME\"] }`", report)?;
    Some(list.texts(report)?.iter().filter_map(|text| values::deny_glob(text, report)).collect())
}
