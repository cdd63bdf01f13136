//! The check `ports`: publishes a port that is not granted.
//! Knows nothing of other checks' grants.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::Create;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "ports",
    sentence: "publishes a port that is not granted",
    advice: "add address and port to `ports` of [policy.{policy}.create], such as \"127.0.0.1:8080\"",
    cis: Some("5.9, 5.14"),
    baseline: Act::Deny,
    restricted: Act::Deny,
};

/// `PortBindings`: every binding by address and port. An empty or missing list is filled in by the engine
/// with a random port on every address (moby `handlePortBindingsBC`).
pub(super) fn field(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (port, bindings) in value.members() {
        let here = Place::Key(place, port);
        let bindings = bindings.items();
        if bindings.is_empty()
            || !bindings.iter().all(|binding| published(context.create, binding.text("HostIp"), binding.text("HostPort")))
        {
            out.push(Finding::at(Reason::Ports, &here));
        }
        if bindings.iter().filter_map(|binding| range(binding.text("HostPort"))).any(|(first, _)| first < 1024) {
            out.push(Finding::at(Reason::LowPort, &here));
        }
    }
}

/// True where the grants cover an address (`""` is every address) and a port or range.
pub(super) fn published(create: &Create, address: &str, ports: &str) -> bool {
    let addresses = match address {
        "" => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        text => text.parse().map(|address| vec![address]).unwrap_or_default(),
    };
    let Some((first, last)) = range(ports) else { return false };
    addresses.iter().any(|address| create.ports.iter().any(|grant| grant.covers(*address, first, last)))
}

/// A port, a range, or nothing: then the engine takes any port from 1024 on.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match text.split_once('-') {
        Some((first, last)) => Some((port(first)?, port(last)?)).filter(|(first, last)| first <= last),
        None if text.is_empty() || text == "0" => Some((1024, u16::MAX)),
        None => port(text).map(|port| (port, port)),
    }
}
