//! `[policy.NAME]`: what is written in one, and what it is with everything that it extends.
//! Knows nothing of doors.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::{Mode, Origin, Policy, Rule, RuleTable};

use super::error::Report;
use super::grants::{Grants, word};
use super::lint;
use super::preset;
use super::rule::{self, Entry, List};
use super::suggest::did_you_mean;
use super::tree::{Item, Span, Table, Text};

/// One policy as written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) span: Span,
    /// True for those that are built in: their places are not in the file.
    pub(super) preset: bool,
    pub(super) mode: Mode,
    pub(super) extends: Vec<(String, Span)>,
    pub(super) allow: Vec<Entry>,
    pub(super) deny: Vec<Entry>,
    pub(super) grants: Grants,
}

/// A policy with everything that it extends.
pub(super) struct Whole<'d> {
    pub(super) draft: &'d Draft,
    /// What is inherited, nearest first.
    pub(super) allow: Vec<&'d Entry>,
    pub(super) deny: Vec<&'d Entry>,
    pub(super) grants: Grants,
}

/// The policies of the file by name.
pub(super) type Drafts = BTreeMap<String, Draft>;

impl Draft {
    /// Reads `[policy.NAME]`; mistakes are reported and left out.
    pub(super) fn read(item: &Item<'_>, preset: bool, report: &mut Report<'_>) -> Option<Self> {
        let name = item.name.clone();
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            report.error("bad-value", &item.key, format!("`{}` is no name for a policy", name.escape_debug())).hint =
                Some("use up to 64 letters, digits, `-` and `_`".to_owned());
        }
        let table = item.table(format!("`[policy.{name}]`"), report)?;
        table.only(&["extends", "mode", "allow", "deny", "create"], report);
        let mode = table.get("mode").and_then(|item| mode(&item, report)).unwrap_or_default();
        let extends = table.get("extends").and_then(|item| extended(&item, report)).unwrap_or_default();
        let (allow, deny) = (entries(&table, List::Allow, report), entries(&table, List::Deny, report));
        let create = table.get("create").and_then(|create| create.table(format!("`[policy.{name}.create]`"), report));
        let grants = create.map(|create| Grants::read(&create, report)).unwrap_or_default();
        Some(Self { span: item.key.clone(), name, preset, mode, extends, allow, deny, grants })
    }
}

fn mode(item: &Item<'_>, report: &mut Report<'_>) -> Option<Mode> {
    match item.text(report)? {
        "enforce" => Some(Mode::Enforce),
        "warn" => Some(Mode::Warn),
        "observe" => Some(Mode::Observe),
        other => word(item, "mode", other, &["enforce", "warn", "observe"], report),
    }
}

fn extended(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<(String, Span)>> {
    let owned = |text: Text<'_>| (text.value.to_owned(), text.span);
    Some(item.texts(report)?.into_iter().map(owned).collect())
}

fn entries(table: &Table<'_>, list: List, report: &mut Report<'_>) -> Vec<Entry> {
    let items = table.get(list.key()).and_then(|item| item.list(report)).unwrap_or_default();
    items.iter().filter_map(|item| rule::read(item, list, report)).collect()
}

/// The draft of a name, as `from` sees it: a policy that extends its own name means the preset.
pub(super) fn find<'d>(drafts: &'d Drafts, name: &str, from: Option<&Draft>) -> Option<&'d Draft> {
    let own = from.is_some_and(|from| from.preset || from.name == name);
    let in_file = if own { None } else { drafts.get(name) };
    in_file.or_else(|| preset::draft(name))
}

/// Reports a policy that does not exist.
pub(super) fn unknown(drafts: &Drafts, name: &str, span: &Span, report: &mut Report<'_>) {
    if drafts.contains_key(name) {
        report.error("cycle", span, format!("`{name}` extends itself")).hint = Some("take its name out of its `extends`".to_owned());
        return;
    }
    let presets: Vec<&str> = preset::presets().iter().map(|preset| preset.name).collect();
    let known = drafts.keys().map(String::as_str).chain(presets.iter().copied());
    let hint = did_you_mean(name, known)
        .unwrap_or_else(|| "write `[policy.NAME]` for it, or name a preset: `dockgate preset list` shows them".to_owned());
    report.error("unknown-policy", span, format!("there is no policy and no preset `{}`", name.escape_debug())).hint = Some(hint);
}

/// The policy with everything that it extends; unknown names and circles are reported.
pub(super) fn whole<'d>(draft: &'d Draft, drafts: &'d Drafts, report: &mut Report<'_>) -> Whole<'d> {
    let mut order = Vec::new();
    let grants = climb(draft, drafts, &mut Vec::new(), &mut order, report);
    let far = order.iter().skip(1);
    let (mut allow, mut deny): (Vec<&Entry>, Vec<&Entry>) = (Vec::new(), Vec::new());
    for ancestor in far {
        allow.extend(&ancestor.allow);
        deny.extend(&ancestor.deny);
    }
    Whole { draft, allow, deny, grants }
}

/// Visits a policy and what it extends, each once, and returns the grants: of two that a policy
/// extends, the later one is nearer.
fn climb<'d>(
    draft: &'d Draft,
    drafts: &'d Drafts,
    trail: &mut Vec<&'d Draft>,
    order: &mut Vec<&'d Draft>,
    report: &mut Report<'_>,
) -> Grants {
    if !order.iter().any(|seen| std::ptr::eq(*seen, draft)) {
        order.push(draft);
    }
    trail.push(draft);
    let mut far = Grants::default();
    for (name, span) in &draft.extends {
        let Some(next) = find(drafts, name, Some(draft)) else {
            unknown(drafts, name, span, report);
            continue;
        };
        if let Some(start) = trail.iter().position(|seen| std::ptr::eq(*seen, next)) {
            let circle: Vec<&str> = trail.iter().skip(start).chain([&next]).map(|draft| draft.name.as_str()).collect();
            report.error("cycle", span, format!("`{name}` extends itself: {}", circle.join(" → "))).hint =
                Some("take one of these names out of its `extends`".to_owned());
            continue;
        }
        far = climb(next, drafts, trail, order, report).over(&far);
    }
    trail.pop();
    draft.grants.clone().over(&far)
}

impl Whole<'_> {
    /// Checks the policy as a whole and makes it.
    pub(super) fn build(self, report: &mut Report<'_>) -> Arc<Policy> {
        lint::rules(&self, report);
        lint::idle(&self, report);
        lint::warn_level(&self, report);
        let rules = |own: &[Entry], far: &[&Entry]| -> Vec<Rule> {
            own.iter().chain(far.iter().copied()).map(|entry| entry.rule.clone()).collect()
        };
        let table = RuleTable::new(rules(&self.draft.allow, &self.allow), rules(&self.draft.deny, &self.deny));
        let images = self.grants.images.as_ref().map(|given| given.span.clone()).filter(|_| self.draft.grants.images.is_some());
        let inject = self.draft.grants.inject.as_ref().map(|given| given.span.clone());
        let create = self.grants.build(report);
        let origin = Origin { source: Arc::clone(&report.source), line: report.line(&self.draft.span) };
        let (name, digest) = (self.draft.name.clone(), Arc::clone(&report.digest));
        let policy = Policy { name, origin, digest, mode: self.draft.mode, rules: table, create };
        lint::allowlist(&policy, images.as_ref().unwrap_or(&self.draft.span), report);
        lint::injected(&policy, inject.as_ref().unwrap_or(&self.draft.span), report);
        Arc::new(policy)
    }
}
