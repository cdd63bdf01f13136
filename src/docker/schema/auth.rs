//! Registry credentials (`registry.AuthConfig`).
//! Knows nothing of how they travel.

use super::{Schema, Type, field};
use crate::docker::Class::{Gated, Inert};
use crate::docker::Gate;

/// One registry's credentials; every key is lower case on the wire.
pub static AUTH_CONFIG: Schema = Schema {
    name: "AuthConfig",
    fields: &[
        field("username", Type::Str, Inert),
        field("password", Type::Str, Inert),
        field("auth", Type::Str, Inert),
        field("email", Type::Str, Inert),
        // As a body: the daemon connects to it.
        field("serveraddress", Type::Str, Gated(Gate::RegistryServer)),
        field("identitytoken", Type::Str, Inert),
        field("registrytoken", Type::Str, Inert),
    ],
    ignored: &[],
};
