//! The check `approved`: the image is not on the list of approved digests, or its scan is too old or too bad.
//! Knows nothing of other checks' grants.

use crate::docker::reference::ImageName;
use crate::policy::Create;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "approved",
    sentence: "the image is not approved by its digest",
    advice: "name it as repository@sha256:… and scan that image anew, or change `approved` of [policy.{policy}.create]",
    cis: Some("4.4"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The reason, where there is a list and it does not cover the image at `now` (seconds since 1970).
pub(super) fn missing(create: &Create, name: &ImageName, tag: Option<&str>, now: i64) -> Option<Reason> {
    let list = create.approved.as_ref()?;
    let covered = digest(name, tag).is_some_and(|digest| list.covers(&digest, now));
    (!covered).then_some(Reason::Approved)
}

/// What names the content itself: a digest, which a pull may carry in `tag`, or an image's id.
fn digest(name: &ImageName, tag: Option<&str>) -> Option<String> {
    let in_tag = tag.filter(|tag| tag.starts_with("sha256:")).map(str::to_owned);
    match name {
        ImageName::Named(reference) => reference.digest.clone().or(in_tag),
        ImageName::Id(id) => Some(if id.starts_with("sha256:") { id.clone() } else { format!("sha256:{id}") }),
    }
}
