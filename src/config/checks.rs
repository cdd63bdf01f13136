//! `checks = { … }`: single checks that are switched.
//! Knows nothing of what a check looks at.

use std::collections::BTreeMap;

use crate::policy::{Act, Reason};

use super::error::{Diagnostic, Report};
use super::grants::word;
use super::suggest::did_you_mean;
use super::tree::Item;

/// Reads the switches; what must not be switched below `unrestricted` is put aside.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>, strict: &mut Vec<Diagnostic>) -> Option<BTreeMap<Reason, Act>> {
    let table = item.table("`checks`", report)?;
    let mut found = BTreeMap::new();
    for entry in table.items() {
        let reason = check(&entry, report);
        if let Some((reason, act)) = reason.zip(act(&entry, report)) {
            if reason == Reason::SocketMount && act != Act::Deny {
                strict.push(fixed(&entry, report));
            }
            found.insert(reason, act);
        }
    }
    Some(found)
}

fn check(entry: &Item<'_>, report: &mut Report<'_>) -> Option<Reason> {
    let id = entry.name.as_str();
    let found = Reason::of_check(id);
    if found.is_none() {
        let decision = Reason::ALL.iter().find(|reason| reason.code() == id);
        let known = Reason::ALL.iter().filter(|reason| reason.is_check()).map(|reason| reason.code());
        let (message, hint) = match decision {
            Some(decision) => (format!("`{id}` is no check, and nothing switches it"), decided(*decision).to_owned()),
            None => (
                format!("there is no check `{}`", id.escape_debug()),
                did_you_mean(id, known)
                    .unwrap_or_else(|| "write the id that stands in brackets in a refusal, such as `host-path`".to_owned()),
            ),
        };
        report.error("unknown-check", &entry.key, message).hint = Some(hint);
    }
    found
}

/// What to do instead of switching a decision.
fn decided(reason: Reason) -> &'static str {
    if reason == Reason::NotAllowed {
        "add the operation to `allow`"
    } else if reason == Reason::DeniedByRule {
        "take the entry out of `deny`"
    } else {
        "leave it out: it always holds below level `unrestricted`"
    }
}

fn act(entry: &Item<'_>, report: &mut Report<'_>) -> Option<Act> {
    let Some(text) = entry.maybe_text() else {
        report.error("wrong-type", &entry.span, format!("a switch of `{}` must be a string", entry.name.escape_debug())).hint =
            Some("write `\"deny\"`, `\"warn\"` or `\"off\"`".to_owned());
        return None;
    };
    let all = [Act::Deny, Act::Warn, Act::Off];
    let found = all.into_iter().find(|act| act.as_str() == text);
    found.or_else(|| word(entry, "switch", text, &all.map(Act::as_str), report))
}

fn fixed(entry: &Item<'_>, report: &Report<'_>) -> Diagnostic {
    let message = format!("`{}` cannot be switched below level `unrestricted`", entry.name);
    let mut diagnostic = report.later("bad-value", &entry.key, message);
    diagnostic.hint = Some("leave it out: the engine's socket is root on the host, so give the client a door of its own".to_owned());
    diagnostic
}
