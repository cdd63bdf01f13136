//! The check `exec-command`: runs a command that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "exec-command",
    sentence: "runs a command that is not granted",
    advice: "add it to `exec.commands` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The command of an exec, word by word, by the granted patterns where there are any.
pub(super) fn body(context: &Context<'_>, body: &Value, out: &mut Vec<Finding>) {
    let words: Vec<&str> = body.get("Cmd").map(|cmd| cmd.texts().collect()).unwrap_or_default();
    let granted = context.create.exec_commands.is_empty() || context.create.exec_commands.iter().any(|pattern| pattern.matches(&words));
    if !granted {
        out.push(Finding::at(Reason::ExecCommand, &Place::Key(&Place::Root, "Cmd")));
    }
}
