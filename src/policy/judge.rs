//! The judge: rules, checks, facts and mode to a verdict. Pure, total and clockless.
//! Knows nothing of how a verdict is carried out.

use std::sync::Arc;

use crate::docker::{Action, Endpoint, Operation};

use super::checks;
use super::examine::{Examination, Finding, Keep, examine};
use super::facts::Facts;
use super::inject;
use super::rebind;
use super::rule::Rule;
use super::verdict::{Denial, Permit, Reason, Verdict, operation_place};
use super::{Level, Mode, Policy, Subject};

/// Whether an operation can be allowed at all, before its body is read: a denial here needs no body.
///
/// # Errors
/// The denial that no body and no fact could change.
pub fn admits(policy: &Policy, endpoint: &Endpoint) -> Result<(), Denial> {
    let operation = endpoint.operation;
    if let Some(rule) = policy.rules.denies_always(operation) {
        return Err(by_rule(policy, operation, rule));
    }
    if !policy.rules.may_allow(operation) && policy.mode == Mode::Enforce {
        return Err(denial(policy, Reason::NotAllowed, operation_place(operation)));
    }
    Ok(())
}

/// Judges an action. Who asks decides which policy this is; within a policy all subjects are alike.
pub fn judge(policy: &Policy, _subject: &Subject, mut action: Action, facts: &Facts) -> Verdict {
    let injected = inject::apply(&policy.create, &mut action, facts);
    let operation = action.endpoint.operation;
    if let Some(denial) = absolute(policy, &action, facts) {
        return Verdict::Deny(denial);
    }
    let rule = policy.rules.allowing(&action, facts).cloned();
    let mut denials = Vec::new();
    if rule.is_none() {
        denials.push(denial(policy, Reason::NotAllowed, operation_place(operation)));
    }
    let found = examine(&policy.create, &action, facts, Keep::Findings);
    denials.extend(found.findings.into_iter().map(|Finding { reason, at }| denial(policy, reason, at)));
    // what no mode forwards decides first, so that no lesser denial hides it from `warn` and `observe`
    denials.sort_by_key(|denial| !denial.absolute);
    let first = denials.into_iter().next();
    let refused = first.as_ref().is_some_and(|denial| denial.absolute || policy.mode == Mode::Enforce);
    match first {
        Some(denial) if refused => Verdict::Deny(denial),
        would_deny => {
            let mut permit = Permit::new(pinned(action, facts), rule, policy.mode);
            permit.warnings = found.warnings.into_iter().map(|Finding { reason, at }| denial(policy, reason, at)).collect();
            permit.would_deny = would_deny;
            permit.injected = injected;
            Verdict::Allow(permit)
        }
    }
}

/// Every check that an action runs through, for people who want to know all of it at once.
pub fn explain(policy: &Policy, action: &Action, facts: &Facts) -> (Vec<Denial>, Examination) {
    let found = examine(&policy.create, action, facts, Keep::All);
    let mut denials: Vec<Denial> = absolute(policy, action, facts).into_iter().collect();
    if policy.rules.allowing(action, facts).is_none() {
        denials.push(denial(policy, Reason::NotAllowed, operation_place(action.endpoint.operation)));
    }
    denials.extend(found.findings.iter().map(|finding| denial(policy, finding.reason, finding.at.clone())));
    (denials, found)
}

/// What no mode lets through: explicit denies, the daemon's socket where a door stands in for it, and dockgate itself.
fn absolute(policy: &Policy, action: &Action, facts: &Facts) -> Option<Denial> {
    if let Some(rule) = policy.rules.denying(action, facts) {
        return Some(by_rule(policy, action.endpoint.operation, rule));
    }
    if let Some(at) = rebind::left(&policy.create, action, facts) {
        return Some(denial(policy, Reason::SocketMount, at));
    }
    if policy.create.level == Level::Unrestricted {
        return None;
    }
    let at = checks::reaches_self(action, facts)?;
    Some(denial(policy, Reason::SelfProtection, at))
}

fn is_absolute(reason: Reason) -> bool {
    matches!(reason, Reason::SocketMount | Reason::SelfProtection | Reason::DeniedByRule)
}

fn denial(policy: &Policy, reason: Reason, at: String) -> Denial {
    Denial { reason, at, policy: policy.name.clone(), rule: None, absolute: is_absolute(reason) }
}

fn by_rule(policy: &Policy, operation: Operation, rule: &Arc<Rule>) -> Denial {
    let rule = Some((rule.text.clone(), rule.origin.clone()));
    Denial { rule, ..denial(policy, Reason::DeniedByRule, operation_place(operation)) }
}

/// An object that was looked up goes upstream by its full id: a name could point elsewhere a moment later.
fn pinned(mut action: Action, facts: &Facts) -> Action {
    if let (Some(id), Some(name)) = (facts.pinned_id(&action), action.endpoint.names.first_mut()) {
        *name = id;
    }
    action
}
