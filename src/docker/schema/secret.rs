//! The bodies of secret and config create and update.
//! Knows nothing of who may read a secret; `Data` is base64, and nothing shows it.

use super::{STRING_MAP, Schema, Type, field, since};
use crate::docker::Class::{Gated, Inert, Part};
use crate::docker::Gate;

/// The body of `POST /secrets/create` and `POST /secrets/{id}/update`.
pub static SECRET_SPEC: Schema = Schema {
    name: "SecretSpec",
    fields: &[
        field("Name", Type::Str, Inert),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        field("Data", Type::Str, Inert),
        // A plugin that is asked for the secret each time.
        since(31, "Driver", Type::Object(&DRIVER), Gated(Gate::SecretDriver)),
        since(37, "Templating", Type::Object(&DRIVER), Gated(Gate::SecretDriver)),
    ],
    ignored: &[],
};

/// The body of `POST /configs/create` and `POST /configs/{id}/update`.
pub static CONFIG_SPEC: Schema = Schema {
    name: "ConfigSpec",
    fields: &[
        field("Name", Type::Str, Inert),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        field("Data", Type::Str, Inert),
        // A template reads secrets and the environment of the service that uses it.
        since(37, "Templating", Type::Object(&DRIVER), Gated(Gate::SecretDriver)),
    ],
    ignored: &[],
};

/// A driver of the swarm (Go `swarm.Driver`): of logs, secrets and templates.
pub(super) static DRIVER: Schema =
    Schema { name: "Driver", fields: &[field("Name", Type::Str, Part), field("Options", STRING_MAP, Part)], ignored: &[] };
