//! The Dockerfile of a classic build, held against the checks of images and of build options.
//! Knows nothing of how it was read out of a build context.

use crate::docker::tar::{Dockerfile, Image};
use crate::policy::verdict::{Denial, Reason};
use crate::policy::{Create, Policy};

use super::{Act, image};

/// What is denied about a Dockerfile at `now` (seconds since 1970), first things first.
pub fn dockerfile(policy: &Policy, file: &Dockerfile, now: i64) -> Option<Denial> {
    let images = file.images.iter().flat_map(|named| from(&policy.create, named, now));
    // an address may hold a password, which has no business in a record
    let remotes = file.remotes.iter().map(|_| (Reason::BuildOption, "Dockerfile ADD of an address".to_owned()));
    let mut denied = images.chain(remotes).filter(|(reason, _)| policy.create.act(*reason) == Act::Deny);
    denied.next().map(|(reason, at)| Denial { reason, at, policy: policy.name.clone(), rule: None, absolute: false })
}

/// An image whose name is not known could be any: it passes only where any may.
fn from(create: &Create, named: &Image, now: i64) -> Vec<(Reason, String)> {
    let (reasons, text) = match named {
        Image::Named(text) => (image::reasons(create, text, None, now), text),
        Image::Unresolved(text) => {
            let granted = create.images.as_ref().map(|_| Reason::Image);
            let digest = create.require_digest.then_some(Reason::ImageDigest);
            let approved = create.approved.as_ref().map(|_| Reason::Approved);
            (granted.into_iter().chain(digest).chain(approved).chain([Reason::LatestTag]).collect(), text)
        }
    };
    reasons.into_iter().map(|reason| (reason, format!("Dockerfile FROM `{text}`"))).collect()
}
