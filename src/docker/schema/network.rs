//! The bodies of network create, connect and disconnect, and the endpoints that container create shares.
//! Knows nothing of which networks a policy grants.

use super::{INT64, STRING_MAP, STRINGS, Schema, Type, field, since, until};
use crate::docker::Class::{Gated, Inert, Part};
use crate::docker::Gate;

/// The body of `POST /networks/create`.
pub static NETWORK_CREATE: Schema = Schema {
    name: "NetworkCreate",
    fields: &[
        // The check of the name sees the whole body.
        field("Name", Type::Str, Gated(Gate::Network)),
        until(51, "CheckDuplicate", Type::Bool, Inert),
        field("Driver", Type::Str, Gated(Gate::Network)),
        field("Scope", Type::Str, Gated(Gate::Network)),
        since(48, "EnableIPv4", Type::Bool, Inert),
        field("EnableIPv6", Type::Bool, Inert),
        field("IPAM", Type::Object(&IPAM), Gated(Gate::Network)),
        field("Internal", Type::Bool, Inert),
        field("Attachable", Type::Bool, Inert),
        since(29, "Ingress", Type::Bool, Gated(Gate::Network)),
        // In the daemon's code years before the API's documents had them (1.43).
        field("ConfigOnly", Type::Bool, Gated(Gate::Network)),
        field("ConfigFrom", Type::Object(&CONFIG_REFERENCE), Gated(Gate::Network)),
        field("Options", STRING_MAP, Gated(Gate::Network)),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
    ],
    ignored: &[],
};

/// The body of `POST /networks/{id}/connect`.
pub static NETWORK_CONNECT: Schema = Schema {
    name: "NetworkConnect",
    fields: &[field("Container", Type::Str, Inert), field("EndpointConfig", Type::Object(&ENDPOINT_SETTINGS), Gated(Gate::Endpoints))],
    ignored: &[],
};

/// The body of `POST /networks/{id}/disconnect`.
pub static NETWORK_DISCONNECT: Schema =
    Schema { name: "NetworkDisconnect", fields: &[field("Container", Type::Str, Inert), field("Force", Type::Bool, Inert)], ignored: &[] };

/// `NetworkingConfig` of container create.
pub(super) static NETWORKING_CONFIG: Schema = Schema {
    name: "NetworkingConfig",
    fields: &[field("EndpointsConfig", Type::Map(&Type::Object(&ENDPOINT_SETTINGS)), Gated(Gate::Endpoints))],
    ignored: &[],
};

/// What one container asks of one network.
pub(super) static ENDPOINT_SETTINGS: Schema = Schema {
    name: "EndpointSettings",
    fields: &[
        field("IPAMConfig", Type::Object(&ENDPOINT_IPAM_CONFIG), Part),
        field("Links", STRINGS, Part),
        field("Aliases", STRINGS, Part),
        // May carry sysctls.
        since(32, "DriverOpts", STRING_MAP, Part),
        since(48, "GwPriority", INT64, Part),
        // The daemon prefers this id to the map's key.
        field("NetworkID", Type::Str, Part),
        field("EndpointID", Type::Str, Part),
        field("Gateway", Type::Str, Part),
        field("IPAddress", Type::Str, Part),
        field("MacAddress", Type::Str, Part),
        field("IPPrefixLen", INT64, Part),
        field("IPv6Gateway", Type::Str, Part),
        field("GlobalIPv6Address", Type::Str, Part),
        field("GlobalIPv6PrefixLen", INT64, Part),
        since(44, "DNSNames", STRINGS, Part),
    ],
    ignored: &[],
};

/// The addresses that an endpoint asks for.
pub(super) static ENDPOINT_IPAM_CONFIG: Schema = Schema {
    name: "EndpointIPAMConfig",
    fields: &[field("IPv4Address", Type::Str, Part), field("IPv6Address", Type::Str, Part), field("LinkLocalIPs", STRINGS, Part)],
    ignored: &[],
};

/// The address management of a new network.
pub(super) static IPAM: Schema = Schema {
    name: "IPAM",
    fields: &[
        field("Driver", Type::Str, Part),
        field("Options", STRING_MAP, Part),
        field("Config", Type::List(&Type::Object(&IPAM_CONFIG)), Part),
    ],
    ignored: &[],
};

/// One pool of addresses.
pub(super) static IPAM_CONFIG: Schema = Schema {
    name: "IPAMConfig",
    fields: &[
        field("Subnet", Type::Str, Part),
        field("IPRange", Type::Str, Part),
        field("Gateway", Type::Str, Part),
        field("AuxiliaryAddresses", STRING_MAP, Part),
    ],
    ignored: &[],
};

/// The network whose configuration a new one takes.
pub(super) static CONFIG_REFERENCE: Schema = Schema { name: "ConfigReference", fields: &[field("Network", Type::Str, Part)], ignored: &[] };

#[cfg(test)]
mod tests {
    use super::{ENDPOINT_SETTINGS, NETWORK_CREATE};

    const ENDPOINT: &[&str] = &[
        "IPAMConfig",
        "Links",
        "Aliases",
        "DriverOpts",
        "GwPriority",
        "NetworkID",
        "EndpointID",
        "Gateway",
        "IPAddress",
        "MacAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "GlobalIPv6Address",
        "GlobalIPv6PrefixLen",
        "DNSNames",
    ];

    #[test]
    fn has_every_field_of_an_endpoint() {
        for name in ENDPOINT {
            assert!(ENDPOINT_SETTINGS.fields.iter().any(|f| f.name == *name), "{name}");
        }
        assert_eq!(ENDPOINT_SETTINGS.fields.len(), ENDPOINT.len());
    }

    #[test]
    fn keeps_the_field_that_old_clients_send_to_network_create() {
        assert!(NETWORK_CREATE.fields.iter().any(|f| f.name == "CheckDuplicate" && f.until.is_some()));
    }
}
