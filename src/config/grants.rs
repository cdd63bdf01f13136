//! `[policy.X.create]`: the level and the grants, key by key.
//! Knows nothing of rules, nor of which policy inherits from which.

use crate::policy::{BindAccess, BindGrant, Create, Glob, Level, PortGrant, Targets};

use super::error::{Diagnostic, Report};
use super::places::{canonical, danger};
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
    images: Vec<Glob>,
    require_digest: bool,
    require_non_root: bool,
    binds: Vec<BindGrant>,
    volumes: Vec<Glob>,
    networks: Vec<Glob>,
    ports: Vec<PortGrant>,
    cap_add: Vec<String>,
    devices: Vec<String>,
    deny_env: Vec<Glob>,
    deny_labels: Vec<Glob>,
    targets: Targets,
}

const KEYS: &[&str] = &[
    "level",
    "images",
    "require-digest",
    "require-non-root",
    "binds",
    "volumes",
    "networks",
    "ports",
    "cap-add",
    "devices",
    "env",
    "labels",
    "targets",
];

impl Grants {
    pub(super) fn read(table: &Table<'_>, report: &mut Report<'_>) -> Self {
        if let Some(inject) = table.get("inject") {
            report.error("not-supported", &inject.key, "`inject` is not supported yet").hint = Some("leave it out".to_owned());
        }
        let known: Vec<&str> = KEYS.iter().copied().chain(table.get("inject").map(|_| "inject")).collect();
        table.only(&known, report);
        Self {
            level: given(table, "level", report, level),
            images: each(table, "images", report, values::image),
            require_digest: given(table, "require-digest", report, |item, report, _| item.flag(report)),
            require_non_root: given(table, "require-non-root", report, |item, report, _| item.flag(report)),
            binds: given(table, "binds", report, binds),
            volumes: each(table, "volumes", report, values::volume),
            networks: each(table, "networks", report, values::network),
            ports: each(table, "ports", report, |text, report, _| values::port(text, report)),
            cap_add: each(table, "cap-add", report, values::capability),
            devices: each(table, "devices", report, values::device),
            deny_env: given(table, "env", report, denied),
            deny_labels: given(table, "labels", report, denied),
            targets: given(table, "targets", report, targets),
        }
    }

    /// The keys that demand something and are not looked at, as the level is `unrestricted`.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let demands = [
            ("images", self.images.is_some()),
            ("require-digest", value(&self.require_digest)),
            ("require-non-root", value(&self.require_non_root)),
            ("env", self.deny_env.is_some()),
            ("labels", self.deny_labels.is_some()),
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
        Create {
            level,
            images: self.images.map(|given| given.value),
            require_digest: value(&self.require_digest),
            require_non_root: value(&self.require_non_root),
            binds: value(&self.binds),
            volumes: value(&self.volumes),
            networks: value(&self.networks),
            ports: value(&self.ports),
            cap_add: value(&self.cap_add),
            devices: value(&self.devices),
            deny_env: value(&self.deny_env),
            deny_labels: value(&self.deny_labels),
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
    given(table, key, report, |item, report, strict| {
        Some(item.texts(report)?.iter().filter_map(|text| read(text, report, strict)).collect())
    })
}

fn level(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<Level> {
    match item.text(report)? {
        "baseline" => Some(Level::Baseline),
        "unrestricted" => Some(Level::Unrestricted),
        "restricted" => {
            report.error("not-supported", &item.span, "level `restricted` does not exist yet").hint = Some("use `baseline`".to_owned());
            None
        }
        other => word(item, "level", other, &["baseline", "unrestricted"], report),
    }
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
    Some(list.texts(report)?.iter().filter_map(|text| values::glob(text, report)).collect())
}

fn binds(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<Vec<BindGrant>> {
    Some(item.list(report)?.iter().filter_map(|entry| bind(entry, report, strict)).collect())
}

fn bind(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<BindGrant> {
    if let Some(text) = item.maybe_text() {
        let path = text.split(':').next().unwrap_or_default();
        report.error("wrong-type", &item.span, "an entry of `binds` must be a table").hint =
            Some(format!("write `{{ source = \"{path}\", mode = \"ro\" }}`"));
        return None;
    }
    let table = item.table("an entry of `binds`", report)?.at(item.span.clone());
    table.only(&["source", "mode"], report);
    let access = table.get("mode").map_or(Some(BindAccess::ReadOnly), |mode| access(&mode, report));
    let source = table.require("source", "write `{ source = \"/srv/data\", mode = \"ro\" }`", report)?.string(report)?;
    let (path, below) = source.value.strip_suffix("/**").map_or((source.value, false), |path| (path, true));
    let whole = if below && path.is_empty() { "/" } else { path };
    if path.contains('*') || !canonical(whole) {
        let shown = source.value.escape_debug();
        let hint = if path.contains('*') {
            "a star stands only at the end, as `/**`"
        } else {
            "write an absolute path without `.`, `..`, doubled or final slashes"
        };
        report.error("bad-path", &source.span, format!("`{shown}` is no plain path")).hint = Some(hint.to_owned());
        return None;
    }
    if let Some(why) = danger(whole) {
        let mut diagnostic = report.later("host-path", &source.span, why);
        diagnostic.hint = Some("name the one folder that is needed, or set `level = \"unrestricted\"`".to_owned());
        strict.push(diagnostic);
    }
    Some(BindGrant { source: path.to_owned(), below, access: access? })
}

fn access(item: &Item<'_>, report: &mut Report<'_>) -> Option<BindAccess> {
    match item.text(report)? {
        "ro" => Some(BindAccess::ReadOnly),
        "rw" => Some(BindAccess::ReadWrite),
        other => word(item, "bind mode", other, &["ro", "rw"], report),
    }
}
