//! The check `user`: runs as a user that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;
use crate::policy::{Create, Glob};

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "user",
    sentence: "runs as a user that is not granted",
    advice: "add it to `users` of [policy.{policy}.create]",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `User`, by the granted patterns where there are any; an exec may also use those that are granted to execs.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if !granted(context.create, value.as_text().unwrap_or_default(), context.in_exec) {
        out.push(Finding::at(Reason::User, place));
    }
}

/// An exec that names no user runs as the container does.
pub(super) fn exec(context: &Context<'_>, body: &Value, target_user: Option<&str>, out: &mut Vec<Finding>) {
    if body.text("User").is_empty() && !granted(context.create, target_user.unwrap_or_default(), true) {
        out.push(Finding::at(Reason::User, &Place::Key(&Place::Root, "User")));
    }
}

/// True where a user may be used; the empty text is the image's own, which is root for most.
pub(super) fn granted(create: &Create, user: &str, in_exec: bool) -> bool {
    let fits = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(user));
    let nobody_asked = create.users.is_empty() && (!in_exec || create.exec_users.is_empty());
    nobody_asked || fits(&create.users) || (in_exec && fits(&create.exec_users))
}
