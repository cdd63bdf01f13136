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

/// `ExtraHosts` of a container: `name:address` with a literal address; `host-gateway` opens the host's own services.
pub(super) fn container(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    refuse_all_but(|entry| entry.split_once(':').is_some_and(|(name, text)| is_name(name) && is_address(text)), value, place, out);
}

/// `Hosts` of a service: the address, a blank, and names.
pub(super) fn service(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let literal = |entry: &str| {
        let mut words = entry.split(' ');
        words.next().is_some_and(is_address) && words.all(is_name)
    };
    refuse_all_but(literal, value, place, out);
}

fn refuse_all_but(literal: impl Fn(&str) -> bool, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let refused = value.texts().enumerate().filter(|(_, entry)| !literal(entry));
    out.extend(refused.map(|(at, _)| Finding::at(Reason::ExtraHosts, &Place::Index(place, at))));
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_address(text: &str) -> bool {
    text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}
