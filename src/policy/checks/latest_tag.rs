//! The check `latest-tag`: the image has no fixed version.
//! Knows nothing of other checks' grants.

use crate::docker::reference::ImageName;

use super::image_digest::pinned;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "latest-tag",
    sentence: "the image has no fixed version",
    advice: "name a tag other than latest, or a digest",
    cis: Some("5.28"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};

/// True where the image is whatever the registry calls latest at the moment.
pub(super) fn floating(name: &ImageName, tag: Option<&str>) -> bool {
    let written = match name {
        ImageName::Named(reference) => tag.filter(|tag| !tag.is_empty()).or(reference.tag.as_deref()),
        ImageName::Id(_) => None,
    };
    !pinned(name, tag) && matches!(written, None | Some("latest"))
}
