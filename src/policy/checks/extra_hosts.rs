//! The check `extra-hosts`: only literal addresses may be added to the hosts file.
//! Knows nothing of other checks' grants.

use std::net::IpAddr;

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::Finding;
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "extra-hosts",
    sentence: "only literal addresses may be added to the hosts file",
    advice: "leave out `host-gateway`",
    cis: None,
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `name:address` (or `address name` in services) with a literal address; `host-gateway` opens the host's own services.
pub(super) fn field(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let literal = |entry: &str| {
        let named = entry.split_once([':', '=']).is_some_and(|(_, text)| address(text));
        named || entry.split_once(' ').is_some_and(|(text, _)| address(text))
    };
    let refused = value.texts().enumerate().filter(|(_, entry)| !literal(entry));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::ExtraHosts, &Place::Index(place, at))));
}
