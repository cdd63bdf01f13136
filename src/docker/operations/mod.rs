//! The Engine API's operations: one row each, from which routing, rules and `docs/endpoints.md` come.
//! Knows nothing of requests, JSON text or policies.

mod table;

pub use table::{Operation, TABLE};

use super::schema::{Field, Schema};
use super::{ApiVersion, Class, Method};

/// Everything that dockgate knows about one operation.
#[derive(Debug)]
pub struct Row {
    /// The operation that this row describes.
    pub operation: Operation,
    /// The one method that reaches it.
    pub method: Method,
    /// `/containers/{id}/json`: `{id}` is one segment with an object's name, `{image}` one or more with an image reference.
    pub path: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What its request body is.
    pub body: BodyPlan,
    /// Whether its reply is finished in one go or streams while the work goes on.
    pub reply: Reply,
    /// Its query keys.
    pub query: &'static [Key],
    /// Keys that the daemon does not read but named clients send: dropped and noted, on changes too.
    pub ignored: &'static [&'static str],
    /// The groups that hold it; at least one.
    pub groups: &'static [Group],
    /// The first API version that has it (`OLDEST` for older ones).
    pub since: ApiVersion,
    /// The last API version that has it, where it was removed.
    pub until: Option<ApiVersion>,
    /// One sentence: what somebody who may call it can do.
    pub risk: &'static str,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads state that rarely holds secrets.
    Read,
    /// Reads files, tokens, secrets or contents, or makes the daemon call out.
    SensitiveRead,
    /// Reads without end.
    Stream,
    /// Turns the connection into a tunnel.
    Tunnel,
    /// Changes the daemon.
    Change,
}

/// What a request body is.
#[derive(Debug, Clone, Copy)]
pub enum BodyPlan {
    /// The daemon reads none; `{}`, `null` and objects of the operation's own query keys are dropped.
    None,
    /// A JSON object of this schema.
    Json(&'static Schema),
    /// A JSON object that may be absent or `null` (`POST /exec/{id}/start`).
    OptionalJson(&'static Schema),
    /// A JSON list that may be absent or `null`: a field without a name.
    JsonList(&'static Field),
    /// Bytes that dockgate relays without reading them (tar).
    Opaque,
    /// The same where a query key has this value (`fromSrc=-`), else none.
    OpaqueIf(&'static str, &'static str),
    /// The start of a protocol of its own (BuildKit).
    Tunnel,
}

impl BodyPlan {
    /// The schema, where the body is a JSON object. Lists have none: whoever judges bodies matches on the plan.
    pub fn object(self) -> Option<&'static Schema> {
        match self {
            Self::Json(schema) | Self::OptionalJson(schema) => Some(schema),
            Self::None | Self::JsonList(_) | Self::Opaque | Self::OpaqueIf(..) | Self::Tunnel => None,
        }
    }
}

/// How the daemon answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// At once, or after work that goes on when the client has gone.
    Once,
    /// Bit by bit; the daemon stops the work when the client has gone.
    Progress,
}

/// A query key.
#[derive(Debug)]
pub struct Key {
    /// The key, case-sensitive.
    pub name: &'static str,
    /// What its value must be.
    pub ty: KeyType,
    /// What it can do.
    pub class: Class,
    /// How often it may stand.
    pub arity: Arity,
}

/// The type of a query value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// `httputils.BoolValue`: false for the empty value, `0`, `no`, `false`, `none`; else true. Written as `1` or `0`.
    Bool,
    /// A decimal integer, with a sign or none.
    Int,
    /// Any text.
    Text,
    /// `1`, the classic builder: BuildKit's builds cannot be inspected.
    ClassicBuilder,
    /// `{"key":["value"]}` or `{"key":{"value":true}}`, written in the first form.
    Filters,
    /// A JSON object of strings.
    StringMap,
    /// A JSON list of strings.
    StringList,
    /// A JSON value that is only checked for being one (`platform`, `outputs`, `ulimits`).
    Json,
}

/// How often a query key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Once at most.
    One,
    /// Any number of times, in order.
    Many,
    /// The first counts, as for the daemon, and goes on alone: a named client sends more.
    First,
}

macro_rules! groups {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// A named set of operations, written `@name` in a rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Group { $(#[doc = $doc] $variant,)* }

        impl Group {
            /// Every group.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name with its `@`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

groups! {
    Ping "@ping" "Is the daemon there?",
    Read "@read" "What dashboards read: lists, inspects, events, stats.",
    Logs "@logs" "Logs of containers, services and tasks.",
    SwarmRead "@swarm-read" "Lists and inspects of swarm objects.",
    Content "@content" "Files, archives, layers, processes and registries.",
    Lifecycle "@lifecycle" "Starts, stops and removes containers.",
    Create "@create" "Creates and changes containers.",
    Exec "@exec" "Runs commands in containers and attaches to them.",
    Images "@images" "Pulls, tags, loads, pushes and removes images.",
    Build "@build" "Builds images.",
    Networks "@networks" "Creates, joins and removes networks.",
    Volumes "@volumes" "Creates and removes volumes.",
    Swarm "@swarm" "Changes the swarm, its nodes and services.",
    Secrets "@secrets" "Secrets and configs of the swarm.",
    Plugins "@plugins" "Installs and changes plugins.",
    System "@system" "Disk usage, registry logins, debug pages.",
}

macro_rules! operations {
    ($($operation:ident $method:ident $path:literal {
        kind: $kind:ident, body: $body:expr, reply: $reply:ident,
        query: [$($key:expr),* $(,)?],
        ignored: [$($ignored:literal),* $(,)?],
        groups: [$($group:ident),+ $(,)?],
        since: $since:expr, until: $until:expr,
        risk: $risk:literal $(,)?
    })*) => {
        /// An operation of the Engine API, by its operation id.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each variant is described by its row")]
        pub enum Operation { $($operation,)* }

        impl Operation {
            /// The operation id.
            pub fn name(self) -> &'static str {
                match self { $(Self::$operation => stringify!($operation),)* }
            }

            /// The row that describes it.
            pub fn row(self) -> &'static Row {
                match self { $(Self::$operation => {
                    static ROW: Row = Row {
                        operation: Operation::$operation,
                        method: Method::$method,
                        path: $path,
                        kind: Kind::$kind,
                        body: $body,
                        reply: Reply::$reply,
                        query: &[$($key,)*],
                        ignored: &[$($ignored,)*],
                        groups: &[$(Group::$group,)+],
                        since: $since,
                        until: $until,
                        risk: $risk,
                    };
                    &ROW
                })* }
            }
        }

        /// Every operation, in the order of the table.
        pub static TABLE: &[Operation] = &[$(Operation::$operation,)*];
    };
}
use operations;

/// A key that passes as it is.
const fn inert(name: &'static str, ty: KeyType) -> Key {
    Key { name, ty, class: Class::Inert, arity: Arity::One }
}

/// A key that passes only below `unrestricted` when empty.
const fn refused(name: &'static str, ty: KeyType) -> Key {
    Key { name, ty, class: Class::Refused, arity: Arity::One }
}

/// A key that a check decides about.
const fn gated(name: &'static str, ty: KeyType, gate: super::Gate) -> Key {
    Key { name, ty, class: Class::Gated(gate), arity: Arity::One }
}

/// The same key, whose first value counts.
const fn first(key: Key) -> Key {
    Key { arity: Arity::First, ..key }
}

/// The same key, allowed any number of times.
const fn many(key: Key) -> Key {
    Key { arity: Arity::Many, ..key }
}
