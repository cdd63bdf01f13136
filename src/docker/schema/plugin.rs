//! The bodies of plugin pull, upgrade and set: lists.
//! Knows nothing of which privileges and settings a check accepts.

use super::{Field, STRINGS, Schema, Type, field, list};
use crate::docker::Class::{Gated, Part};
use crate::docker::Gate;

/// The body of `POST /plugins/pull` and `POST /plugins/{image}/upgrade`: what the plugin is given.
pub static PLUGIN_PRIVILEGES: Field = list(&Type::Object(&PLUGIN_PRIVILEGE), Gated(Gate::PluginPrivileges));

/// The body of `POST /plugins/{image}/set`: `NAME=VALUE`, where the name may be a mount or a device.
pub static PLUGIN_SETTINGS: Field = list(&Type::Str, Gated(Gate::PluginSettings));

/// One privilege: `network` `["host"]`, `mount` `["/"]`, `capabilities` `["CAP_SYS_ADMIN"]`.
pub static PLUGIN_PRIVILEGE: Schema = Schema {
    name: "PluginPrivilege",
    fields: &[field("Name", Type::Str, Part), field("Description", Type::Str, Part), field("Value", STRINGS, Part)],
    ignored: &[],
};
