//! The check `tmpfs`: a tmpfs here, of this size or with these options is refused.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::clean_path;
use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "tmpfs",
    sentence: "a tmpfs here, of this size or with these options is refused",
    advice: "at most 1 GiB, options rw, ro, noexec, nosuid, nodev, size, mode, uid, gid, and not on /, /proc, /sys or /dev",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// The largest tmpfs.
const MAX_BYTES: u64 = 1 << 30;
/// Where a tmpfs would hide or shadow what the runtime set up; `/dev/shm` is meant for one.
const NOT_HERE: [&str; 3] = ["/proc", "/sys", "/dev"];

/// `Tmpfs`: target to comma-separated options.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (target, options) in value.members() {
        let plain = options.as_text().unwrap_or_default().split(',').all(option);
        if !allowed_at(target) || !plain {
            out.push(Finding::at(Reason::Tmpfs, &Place::Key(place, target)));
        }
    }
}

/// A mount of type tmpfs.
pub(super) fn mount(mount: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let options = mount.get("TmpfsOptions").unwrap_or(&Value::Null);
    let size = options.get("SizeBytes").and_then(Value::as_int).unwrap_or(0);
    let flags = options.get("Options").map(Value::items).unwrap_or_default();
    let plain = |flag: &Value| matches!(flag.texts().collect::<Vec<_>>().as_slice(), ["noexec" | "nosuid" | "nodev" | "ro" | "rw"]);
    let small = (0..=i128::from(MAX_BYTES)).contains(&size);
    for (good, key) in [
        (mount.text("Source").is_empty(), "Source"),
        (small && flags.iter().all(plain), "TmpfsOptions"),
        (allowed_at(mount.text("Target")), "Target"),
    ] {
        if !good {
            out.push(Finding::at(Reason::Tmpfs, &Place::Key(place, key)));
        }
    }
}

fn allowed_at(target: &str) -> bool {
    let Some(path) = clean_path(target) else { return false };
    let below = |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    path == "/dev/shm" || (path != "/" && !NOT_HERE.into_iter().any(below))
}

fn option(option: &str) -> bool {
    match option.split_once('=') {
        Some(("size", size)) => bytes(size).is_some_and(|bytes| (1..=MAX_BYTES).contains(&bytes)),
        Some(("mode" | "uid" | "gid", digits)) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        Some(_) => false,
        None => matches!(option, "" | "rw" | "ro" | "noexec" | "nosuid" | "nodev"),
    }
}

/// Bytes, or with the suffixes that the kernel reads (`k`, `m`, `g`); per cent of memory has no bound here.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
