//! The check `image`: uses an image that is not granted.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::reference::ImageName;
use crate::policy::Create;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check, approved, image_digest, latest_tag};

pub(super) const CHECK: Check = Check {
    id: "image",
    sentence: "uses an image that is not granted",
    advice: "add the repository to `images` of [policy.{policy}.create]",
    cis: Some("4.2"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `Image` of a container or service.
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let found = reasons(context.create, value.as_text().unwrap_or_default(), None, context.facts.now);
    out.extend(found.into_iter().map(|reason| Finding::at(reason, place)));
}

/// What is wrong with an image at `now` (seconds since 1970); a pull may carry tag or digest apart.
pub(super) fn reasons(create: &Create, text: &str, tag: Option<&str>, now: i64) -> Vec<Reason> {
    let Ok(name) = text.parse::<ImageName>() else { return vec![Reason::Image] };
    let refused = (!granted(create, &name)).then_some(Reason::Image);
    let digest = image_digest::missing(create, &name, tag);
    let approved = approved::missing(create, &name, tag, now);
    let latest = latest_tag::floating(&name, tag).then_some(Reason::LatestTag);
    refused.into_iter().chain(digest).chain(approved).chain(latest).collect()
}

/// True for an image, as a client names it, whose repository is granted; where none are named, for any.
pub fn granted_name(create: &Create, text: &str) -> bool {
    text.parse::<ImageName>().is_ok_and(|name| granted(create, &name))
}

/// By its completed repository. Ids say nothing about where an image came from, and text of hex digits could be
/// the start of one, so neither passes where repositories are granted.
fn granted(create: &Create, name: &ImageName) -> bool {
    let Some(grants) = &create.images else { return true };
    match name {
        ImageName::Named(reference) => !reference.hex_like && grants.iter().any(|glob| glob.matches(&reference.repository)),
        ImageName::Id(_) => false,
    }
}
