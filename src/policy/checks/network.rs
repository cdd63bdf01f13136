//! Networks, endpoints, published ports and the hosts file.
//! Knows nothing of namespaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::docker::Value;
use crate::docker::endpoint::is_object_name;
use crate::policy::Create;
use crate::policy::examine::Context;
use crate::policy::verdict::Reason;

use super::{Found, here, hollow, one_of, refuse};

/// A network by name. Text of hex digits could be the start of any network's id, so only a literal grant opens it.
pub fn network_name(create: &Create, name: &str) -> Option<Reason> {
    let hex = name.bytes().all(|b| b.is_ascii_hexdigit());
    let granted = create.networks.iter().any(|grant| grant.matches(name) && (!hex || grant.is_literal()));
    (name == "host" || !is_object_name(name) || !granted).then_some(Reason::Network)
}

/// `EndpointsConfig` maps networks to settings; `EndpointConfig` of a connect is one entry of it.
pub fn endpoints(context: &Context<'_>, value: &Value) -> Found {
    if context.parent.get("EndpointConfig").is_some_and(|single| std::ptr::eq(single, value)) {
        return settings(value);
    }
    value.members().iter().find_map(|(name, entry)| {
        let own = matches!(name.as_ref(), "default" | "bridge" | "none");
        let reason = if own { None } else { network_name(context.create, name) };
        let found = reason.map(here).or_else(|| settings(entry));
        found.map(|(reason, rest)| (reason, format!(".{name}{rest}")))
    })
}

/// Only aliases: addresses, links, driver options (they set sysctls) and ids reach further.
fn settings(entry: &Value) -> Found {
    let odd = entry.members().iter().find(|(key, value)| key != "Aliases" && !hollow(value));
    odd.map(|(key, _)| (Reason::Endpoint, format!(".{key}")))
}

/// The fields of a network that is created: a bridge without options, under a granted name.
pub fn create(context: &Context<'_>, value: &Value, place: &str) -> Found {
    match place {
        "Name" => network_name(context.create, value.as_text().unwrap_or_default()).map(here),
        "Driver" => one_of(value, &["bridge"], Reason::NetworkOption),
        "Scope" => one_of(value, &["local"], Reason::NetworkOption),
        "IPAM" => ipam(value),
        "Attachable" => None,
        _ => {
            if hollow(value) {
                None
            } else {
                refuse(Reason::NetworkOption)
            }
        }
    }
}

fn ipam(value: &Value) -> Found {
    let plain = matches!(value.text("Driver"), "" | "default") && ["Options", "Config"].iter().all(|key| value.get(key).is_none_or(hollow));
    (!plain).then(|| here(Reason::NetworkOption))
}

/// `PortBindings`: every binding by address and port. An empty or missing list is filled in by the engine
/// with a random port on every address (moby `handlePortBindingsBC`).
pub fn ports(context: &Context<'_>, value: &Value) -> Found {
    value.members().iter().find_map(|(port, bindings)| {
        let granted = !bindings.items().is_empty() && bindings.items().iter().all(|binding| published(context.create, binding));
        (!granted).then(|| (Reason::Ports, format!(".{port}")))
    })
}

fn published(create: &Create, binding: &Value) -> bool {
    let addresses = match binding.text("HostIp") {
        "" => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        text => text.parse().map(|address| vec![address]).unwrap_or_default(),
    };
    let Some((first, last)) = port_range(binding.text("HostPort")) else { return false };
    addresses.iter().any(|address| create.ports.iter().any(|grant| grant.covers(*address, first, last)))
}

/// A port, a range, or nothing: then the engine takes any port from 1024 on.
fn port_range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match text.split_once('-') {
        Some((first, last)) => Some((port(first)?, port(last)?)).filter(|(first, last)| first <= last),
        None if text.is_empty() || text == "0" => Some((1024, u16::MAX)),
        None => port(text).map(|port| (port, port)),
    }
}

/// `ExtraHosts`: `name:address` with a literal address; `host-gateway` opens the host's own services.
pub fn extra_hosts(value: &Value) -> Found {
    let literal =
        |entry: &str| entry.split_once([':', '=']).is_some_and(|(_, address)| address.trim_matches(['[', ']']).parse::<IpAddr>().is_ok());
    value.texts().position(|entry| !literal(entry)).map(|at| (Reason::ExtraHosts, format!("[{at}]")))
}
