//! The check `image-digest`: the image must be named by digest.
//! Knows nothing of other checks' grants.

use crate::docker::reference::ImageName;
use crate::policy::Create;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "image-digest",
    sentence: "the image must be named by digest",
    advice: "name it as repository@sha256:…, or unset `require-digest` of [policy.{policy}.create]",
    cis: Some("4.5"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The reason, where a digest is asked for and there is none.
pub(super) fn missing(create: &Create, name: &ImageName, tag: Option<&str>) -> Option<Reason> {
    (create.require_digest && !pinned(name, tag)).then_some(Reason::ImageDigest)
}

/// True for ids, and for references with a digest; a pull may carry it in `tag`.
pub(super) fn pinned(name: &ImageName, tag: Option<&str>) -> bool {
    let in_tag = tag.is_some_and(|tag| tag.starts_with("sha256:"));
    match name {
        ImageName::Named(reference) => reference.digest.is_some() || in_tag,
        ImageName::Id(_) => true,
    }
}
