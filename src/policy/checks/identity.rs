//! Images, users, environment, labels, working directories and ps arguments.
//! Knows nothing of capabilities and mounts.

use crate::docker::Value;
use crate::docker::reference::ImageName;
use crate::policy::Create;
use crate::policy::examine::{Context, Source};
use crate::policy::verdict::Reason;

use super::{Found, clean_path, here};

/// An image by its completed repository. Ids say nothing about where an image came from, and text of hex digits
/// could be the start of one, so neither passes where repositories are granted.
pub fn image(create: &Create, text: &str, tag: Option<&str>) -> Option<Reason> {
    let Ok(name) = text.parse::<ImageName>() else { return Some(Reason::Image) };
    let Some(granted) = &create.images else {
        return (create.require_digest && !has_digest(&name, tag)).then_some(Reason::ImageDigest);
    };
    let known = match &name {
        ImageName::Named(reference) => !reference.hex_like && granted.iter().any(|glob| glob.matches(&reference.repository)),
        ImageName::Id(_) => false,
    };
    let undigested = create.require_digest && !has_digest(&name, tag);
    if known { undigested.then_some(Reason::ImageDigest) } else { Some(Reason::Image) }
}

/// A pull may carry the digest in `tag`.
fn has_digest(name: &ImageName, tag: Option<&str>) -> bool {
    let in_tag = tag.is_some_and(|tag| tag.starts_with("sha256:"));
    match name {
        ImageName::Named(reference) => reference.digest.is_some() || in_tag,
        ImageName::Id(_) => true,
    }
}

/// `User`, where a number other than 0 is asked for: names are resolved inside the image, which nobody has read.
pub fn user(context: &Context<'_>, value: &Value) -> Found {
    let text = value.as_text().unwrap_or_default();
    let (uid, gid) = text.split_once(':').unwrap_or((text, ""));
    let above_zero = |id: &str| id.len() <= 10 && id.bytes().all(|b| b.is_ascii_digit()) && id.parse::<u32>().is_ok_and(|id| id > 0);
    (context.create.require_non_root && !(above_zero(uid) && above_zero(gid))).then(|| here(Reason::NonRoot))
}

/// `Env` by the names of its variables.
pub fn env(context: &Context<'_>, value: &Value) -> Found {
    let refused = |entry: &str| {
        let name = entry.split('=').next().unwrap_or_default();
        context.create.deny_env.iter().any(|glob| glob.matches(name))
    };
    if context.source == Source::Engine {
        return None; // an image's own variables are not the client's doing
    }
    value.texts().position(refused).map(|at| (Reason::Env, format!("[{at}]")))
}

/// `Labels` by their keys.
pub fn labels(context: &Context<'_>, value: &Value) -> Found {
    if context.source == Source::Engine {
        return None; // an image's own labels are not the client's doing
    }
    let refused = |key: &str| context.create.deny_labels.iter().any(|glob| glob.matches(key));
    value.members().iter().find(|(key, _)| refused(key)).map(|(key, _)| (Reason::Labels, format!(".{key}")))
}

/// `WorkingDir`: `/proc/self/fd/N` was a way out to the host (CVE-2024-21626).
pub fn working_dir(value: &Value) -> Found {
    let text = value.as_text().unwrap_or_default();
    let kernel = |path: &str| ["/proc", "/sys", "/dev"].iter().any(|root| path == *root || path.starts_with(&format!("{root}/")));
    let safe = match clean_path(text) {
        Some(path) => !kernel(&path),
        None => !text.starts_with('/') && !text.split('/').any(|part| part == ".."),
    };
    (!safe).then(|| here(Reason::WorkingDir))
}

/// `ps_args` run on the host's ps; some of them print other processes' environments.
pub fn ps_args(value: &str) -> Option<Reason> {
    let plain = matches!(value, "-ef" | "ef" | "aux" | "-aux" | "-o pid,comm" | "-eo pid,comm" | "-eo pid,ppid,user,comm");
    (!plain).then_some(Reason::PsArgs)
}
