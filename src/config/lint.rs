//! Mistakes that only show when a policy is whole: rules without effect, contradictions, allowlists with a way around.
//! Knows nothing of how things are written.

use std::collections::BTreeSet;

use crate::docker::Operation;
use crate::policy::{Level, Policy};

use super::error::Report;
use super::policy::Whole;
use super::rule::Entry;
use super::suggest::listed;
use super::tree::Span;

/// Warns of entries of the policy's own lists that change nothing.
pub(super) fn rules(whole: &Whole<'_>, report: &mut Report<'_>) {
    for (at, entry) in whole.draft.allow.iter().enumerate() {
        let opposite = whole.draft.deny.iter().find(|deny| deny.rule.text == entry.rule.text);
        if let Some(deny) = opposite {
            let line = deny.rule.origin.line;
            report.warning("contradiction", &entry.span, format!("`{}` stands in `allow` and in `deny`", entry.rule.text)).hint =
                Some(format!("take it out of one of them: the deny of line {line} wins"));
        } else if let Some(deny) = denied(entry, whole) {
            let (text, origin) = (&deny.rule.text, &deny.rule.origin);
            report
                .warning("unreachable-rule", &entry.span, format!("`{}` can never match: `{text}` denies all of it", entry.rule.text))
                .hint = Some(format!("take it out, or the deny at {origin}"));
        } else if let Some(cover) =
            covered(entry, at, whole).filter(|cover| !entry.rule.text.starts_with('@') || cover.rule.text == entry.rule.text)
        {
            // Groups overlap by nature, and what they hold may grow.
            let (text, origin) = (&cover.rule.text, &cover.rule.origin);
            report
                .warning("unused-rule", &entry.span, format!("`{}` adds nothing: `{text}` at {origin} allows it already", entry.rule.text))
                .hint = Some("take it out".to_owned());
        }
    }
}

/// The last of the denies that leave nothing of an entry.
fn denied<'w>(entry: &Entry, whole: &'w Whole<'_>) -> Option<&'w Entry> {
    let denies: Vec<&Entry> = whole.draft.deny.iter().chain(whole.deny.iter().copied()).collect();
    together(entry, &denies)
}

/// The last of the allows that give all of an entry: an earlier one, an inherited one, or a later one that gives more.
fn covered<'w>(entry: &Entry, at: usize, whole: &'w Whole<'_>) -> Option<&'w Entry> {
    let own = whole.draft.allow.iter().enumerate();
    let wider = |other: &Entry| other.rule.operations.len() > entry.rule.operations.len() || !entry.rule.conditions.is_empty();
    let others = own.filter(|(index, other)| *index < at || (*index > at && wider(other))).map(|(_, other)| other);
    let allows: Vec<&Entry> = others.chain(whole.allow.iter().copied()).collect();
    together(entry, &allows)
}

/// One of the unconditional entries that name all operations of an entry between them.
fn together<'w>(entry: &Entry, others: &[&'w Entry]) -> Option<&'w Entry> {
    let always: Vec<&&Entry> = others.iter().filter(|other| other.rule.conditions.is_empty()).collect();
    let holds = |other: &Entry, operation: &Operation| other.rule.operations.contains(operation);
    let wanted: BTreeSet<&Operation> = entry.rule.operations.iter().collect();
    let all = wanted.iter().all(|operation| always.iter().any(|other| holds(other, operation)));
    let whole = always.iter().find(|other| wanted.iter().all(|operation| holds(other, operation)));
    let part = always.iter().find(|other| wanted.iter().any(|operation| holds(other, operation)));
    whole.or(part).filter(|_| all && !wanted.is_empty()).map(|other| **other)
}

/// Warns of demands that nothing looks at.
pub(super) fn idle(whole: &Whole<'_>, report: &mut Report<'_>) {
    let keys = whole.grants.idle();
    if !keys.is_empty() {
        let message = format!("{} of policy `{}` change nothing at level `unrestricted`", listed(keys), whole.draft.name);
        report.warning("no-effect", &whole.draft.span, message).hint = Some("take them out, or use `level = \"baseline\"`".to_owned());
    }
}

/// Warns of a second level that warns of nothing; where it is inherited, the policy's own level is what is meant.
pub(super) fn warn_level(whole: &Whole<'_>, report: &mut Report<'_>) {
    let level = whole.grants.level.as_ref().map(|given| given.value).unwrap_or_default();
    let Some(written) = whole.draft.grants.warn_level.as_ref().filter(|written| written.value <= level && level != Level::Unrestricted)
    else {
        return;
    };
    let hint = match level {
        Level::Restricted => "take it out: no level is stricter".to_owned(),
        Level::Baseline | Level::Unrestricted => "write `warn-level = \"restricted\"`, or take it out".to_owned(),
    };
    let message = format!("`warn-level` changes nothing: `{}` is not stricter than level `{}`", written.value.as_str(), level.as_str());
    report.warning("no-effect", &written.span, message).hint = Some(hint);
}

/// Warns of injected values that the policy's own grants refuse: nothing could be created.
pub(super) fn injected(policy: &Policy, span: &Span, report: &mut Report<'_>) {
    let create = &policy.create;
    if create.level == Level::Unrestricted {
        return;
    }
    let labels = create.inject.labels.iter().map(|(key, _)| key).filter(|key| create.deny_labels.iter().any(|glob| glob.matches(key)));
    for key in labels {
        report.warning("contradiction", span, format!("`inject` sets the label `{key}`, which `labels.deny` refuses")).hint =
            Some("take it out of one of them".to_owned());
    }
    let user = create.inject.user.as_ref().filter(|user| !create.users.is_empty() && !create.users.iter().any(|glob| glob.matches(user)));
    if let Some(user) = user {
        report.warning("contradiction", span, format!("`inject` sets the user `{user}`, which `users` does not name")).hint =
            Some("add it to `users`, or inject one that is named there".to_owned());
    }
    let apart = |address: &&String| !create.ports.is_empty() && !create.ports.iter().any(|port| port.address.to_string() == **address);
    if let Some(address) = create.inject.host_ip.as_ref().filter(apart) {
        report.warning("contradiction", span, format!("`inject` publishes at `{address}`, where `ports` grants nothing")).hint =
            Some("grant ports of this address, or inject one that has some".to_owned());
    }
}

/// What puts any image under any name.
const RENAMERS: &[Operation] = &[Operation::ImageTag, Operation::ImageLoad, Operation::ImageCommit, Operation::ImageBuild];

/// An allowlist of images says nothing where a client may give its own image a listed name.
pub(super) fn allowlist(policy: &Policy, span: &Span, report: &mut Report<'_>) {
    if policy.create.images.is_none() || policy.create.require_digest || policy.create.level == Level::Unrestricted {
        return;
    }
    let open = |operation: &&Operation| policy.rules.may_allow(**operation) && policy.rules.denies_always(**operation).is_none();
    let names: Vec<&str> = RENAMERS.iter().filter(open).map(|operation| operation.name()).collect();
    if !names.is_empty() {
        let message =
            format!("`images` of policy `{}` is defeated by {}, which can give any image a listed name", policy.name, listed(names));
        report.error("allowlist-defeated", span, message).hint = Some("set `require-digest = true`, or deny what defeats it".to_owned());
    }
}
