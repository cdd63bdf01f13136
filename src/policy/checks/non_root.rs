//! The check `non-root`: must run as a user and group other than 0, given by number.
//! Knows nothing of other checks' grants.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::docker::reference::ImageName;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;
use crate::policy::{Create, Level};

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "non-root",
    sentence: "must run as a user and group other than 0, given by number",
    advice: "set `User` to uid:gid in the request or as the image's USER, or `inject.user` of [policy.{policy}.create]",
    cis: Some("4.1, 5.24"),
    baseline: Act::Off,
    restricted: Act::Deny,
};

/// The user that an exec asks for; without one it runs as the container does, which is judged as its target.
pub(super) fn exec(body: &Value, out: &mut Vec<Finding>) {
    let user = body.text("User");
    if !user.is_empty() && !by_number(user) {
        out.push(Finding::at(Reason::NonRoot, &Place::Key(&Place::Root, "User")));
    }
}

/// The image whose own user would decide, where the request names none and one is demanded.
pub fn image_user<'a>(create: &Create, body: &'a Value) -> Option<&'a str> {
    let asked = create.level != Level::Unrestricted && create.act(Reason::NonRoot) == Act::Deny && create.inject.user.is_none();
    let image = body.text("Image");
    (asked && body.text("User").is_empty() && image.parse::<ImageName>().is_ok()).then_some(image)
}

/// True for `uid:gid`, both numbers above 0. Names are resolved inside the image, which nobody has read, and `+0`,
/// `00` and the empty text are root to the engine.
pub(in crate::policy) fn by_number(user: &str) -> bool {
    let (uid, gid) = user.split_once(':').unwrap_or((user, ""));
    let above_zero = |id: &str| id.len() <= 10 && id.bytes().all(|b| b.is_ascii_digit()) && id.parse::<u32>().is_ok_and(|id| id > 0);
    above_zero(uid) && above_zero(gid)
}
