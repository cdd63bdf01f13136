//! The bodies of the Engine API as tables: each field with its type, class and versions.
//! Knows nothing of JSON text (see `json`) and nothing of policies.

mod auth;
mod checkpoint;
mod container;
mod exec;
mod network;
mod plugin;
mod secret;
mod service;
mod swarm;
#[cfg(test)]
mod tests;
mod volume;

pub use auth::AUTH_CONFIG;
pub use checkpoint::CHECKPOINT_CREATE;
pub use container::{CONTAINER_CREATE, CONTAINER_UPDATE, HOST_CONFIG, IMAGE_COMMIT};
pub use exec::{EXEC_CREATE, EXEC_START};
pub use network::{NETWORK_CONNECT, NETWORK_CREATE, NETWORK_DISCONNECT};
pub use plugin::{PLUGIN_PRIVILEGES, PLUGIN_SETTINGS};
pub use secret::{CONFIG_SPEC, SECRET_SPEC};
pub use service::{SERVICE_CONTAINER, SERVICE_SPEC, TASK_TEMPLATE};
pub use swarm::{NODE_SPEC, SWARM_INIT, SWARM_JOIN, SWARM_SPEC, SWARM_UNLOCK};
pub use volume::{VOLUME_CREATE, VOLUME_UPDATE};

use super::{ApiVersion, Class};

/// A JSON object of the API whose keys are all known.
#[derive(Debug)]
pub struct Schema {
    /// The type's name in the API's documents.
    pub name: &'static str,
    /// Every field of every release.
    pub fields: &'static [Field],
    /// Keys that the daemon does not have but named clients send with a value: dropped and noted.
    pub ignored: &'static [Ignored],
}

impl Schema {
    /// The field of this exact name. Clients send fields in an order much like the tables', so the search begins at `from`.
    pub fn position(&self, key: &str, from: usize) -> Option<usize> {
        let named = |field: &Field| field.name == key;
        let (before, after) = self.fields.split_at_checked(from).unwrap_or((&[], self.fields));
        after.iter().position(named).map(|at| at + before.len()).or_else(|| before.iter().position(named))
    }
}

/// One field of an object.
#[derive(Debug)]
pub struct Field {
    /// The key in its own spelling.
    pub name: &'static str,
    /// What the value must be; `null` is always accepted, as by Go's decoder.
    pub ty: Type,
    /// What it can do.
    pub class: Class,
    /// The first API version that has it (`OLDEST` for older ones).
    pub since: ApiVersion,
    /// The last API version that has it, where it was removed.
    pub until: Option<ApiVersion>,
}

/// A key that is dropped although it has a value.
#[derive(Debug)]
pub struct Ignored {
    /// The key.
    pub name: &'static str,
    /// Who sends it.
    pub client: &'static str,
}

/// The type of a value, as the daemon's Go types read it.
#[derive(Debug)]
pub enum Type {
    /// `true` or `false`
    Bool,
    /// an integer literal within the bounds (no fraction, no exponent)
    Int(i128, i128),
    /// a number that a Go `float32` holds, fractions and exponents too
    Float,
    /// any string
    Str,
    /// a string, or a list of strings: written back as a list (Go `strslice.StrSlice`)
    StrSlice,
    /// a list
    List(&'static Type),
    /// a list of exactly so many elements (Go's decoder drops what is beyond, and zeroes what is missing)
    Array(&'static Type, usize),
    /// an object whose keys are data; only exact duplicates collide
    Map(&'static Type),
    /// an object whose keys are known
    Object(&'static Schema),
}

/// Go `int64` (and `int`, which is 64 bits wide on every platform the engine runs on).
pub const INT64: Type = Type::Int(i64::MIN as i128, i64::MAX as i128);
/// Go `uint64` and `uint`.
pub const UINT64: Type = Type::Int(0, u64::MAX as i128);
/// Go `uint32`.
pub const UINT32: Type = Type::Int(0, u32::MAX as i128);
/// Go `uint16`.
pub const UINT16: Type = Type::Int(0, u16::MAX as i128);
/// The height and width of a terminal (Go `[2]uint`).
pub const CONSOLE_SIZE: Type = Type::Array(&UINT64, 2);
/// A list of strings.
pub const STRINGS: Type = Type::List(&Type::Str);
/// A map of strings.
pub const STRING_MAP: Type = Type::Map(&Type::Str);

/// A field that every supported version has.
const fn field(name: &'static str, ty: Type, class: Class) -> Field {
    Field { name, ty, class, since: ApiVersion::OLDEST, until: None }
}

/// A field that came with version `1.minor`.
const fn since(minor: u8, name: &'static str, ty: Type, class: Class) -> Field {
    Field { name, ty, class, since: ApiVersion::minor(minor), until: None }
}

/// A field that went after version `1.minor`.
const fn until(minor: u8, name: &'static str, ty: Type, class: Class) -> Field {
    Field { name, ty, class, since: ApiVersion::OLDEST, until: Some(ApiVersion::minor(minor)) }
}

/// A field that came with `1.first` and went after `1.last`.
const fn between(first: u8, last: u8, name: &'static str, ty: Type, class: Class) -> Field {
    Field { name, ty, class, since: ApiVersion::minor(first), until: Some(ApiVersion::minor(last)) }
}

/// A body that is a list: a field without a name, whose class is that of the whole list.
const fn list(of: &'static Type, class: Class) -> Field {
    field("", Type::List(of), class)
}
