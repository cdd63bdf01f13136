//! The bodies of swarm init, join, update and unlock, and of node update.
//! Knows nothing of which addresses and authorities a check accepts.

use super::secret::DRIVER;
use super::{INT64, STRING_MAP, STRINGS, Schema, Type, UINT32, UINT64, field, since};
use crate::docker::Class::{Gated, Inert, Part};
use crate::docker::Gate;

/// The body of `POST /swarm/init`.
pub static SWARM_INIT: Schema = Schema {
    name: "SwarmInit",
    fields: &[
        field("ListenAddr", Type::Str, Gated(Gate::SwarmSettings)),
        field("AdvertiseAddr", Type::Str, Gated(Gate::SwarmSettings)),
        since(31, "DataPathAddr", Type::Str, Gated(Gate::SwarmSettings)),
        since(40, "DataPathPort", UINT32, Gated(Gate::SwarmSettings)),
        // Takes over the state of a swarm that lost its managers.
        field("ForceNewCluster", Type::Bool, Gated(Gate::SwarmSettings)),
        field("Spec", Type::Object(&SWARM_SPEC), Inert),
        since(25, "AutoLockManagers", Type::Bool, Inert),
        since(25, "Availability", Type::Str, Inert),
        since(39, "DefaultAddrPool", STRINGS, Gated(Gate::SwarmSettings)),
        since(39, "SubnetSize", UINT32, Inert),
    ],
    ignored: &[],
};

/// The body of `POST /swarm/join`.
pub static SWARM_JOIN: Schema = Schema {
    name: "SwarmJoin",
    fields: &[
        field("ListenAddr", Type::Str, Gated(Gate::SwarmSettings)),
        field("AdvertiseAddr", Type::Str, Gated(Gate::SwarmSettings)),
        since(31, "DataPathAddr", Type::Str, Gated(Gate::SwarmSettings)),
        // The managers that rule this host from now on.
        field("RemoteAddrs", STRINGS, Gated(Gate::SwarmSettings)),
        field("JoinToken", Type::Str, Inert),
        since(25, "Availability", Type::Str, Inert),
    ],
    ignored: &[],
};

/// The body of `POST /swarm/update`, and `Spec` of init.
pub static SWARM_SPEC: Schema = Schema {
    name: "SwarmSpec",
    fields: &[
        field("Name", Type::Str, Inert),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        field("Orchestration", Type::Object(&ORCHESTRATION), Inert),
        field("Raft", Type::Object(&RAFT), Inert),
        field("Dispatcher", Type::Object(&DISPATCHER), Inert),
        field("CAConfig", Type::Object(&CA_CONFIG), Inert),
        field("TaskDefaults", Type::Object(&TASK_DEFAULTS), Inert),
        since(25, "EncryptionConfig", Type::Object(&ENCRYPTION), Inert),
    ],
    ignored: &[],
};

/// How many old tasks are kept.
pub static ORCHESTRATION: Schema =
    Schema { name: "SwarmSpec.Orchestration", fields: &[field("TaskHistoryRetentionLimit", INT64, Inert)], ignored: &[] };

/// How the managers agree.
pub static RAFT: Schema = Schema {
    name: "SwarmSpec.Raft",
    fields: &[
        field("SnapshotInterval", UINT64, Inert),
        field("KeepOldSnapshots", UINT64, Inert),
        field("LogEntriesForSlowFollowers", UINT64, Inert),
        field("ElectionTick", INT64, Inert),
        field("HeartbeatTick", INT64, Inert),
    ],
    ignored: &[],
};

/// How often agents report; nanoseconds.
pub static DISPATCHER: Schema = Schema { name: "SwarmSpec.Dispatcher", fields: &[field("HeartbeatPeriod", INT64, Inert)], ignored: &[] };

/// Who signs the certificates of the nodes.
pub static CA_CONFIG: Schema = Schema {
    name: "SwarmSpec.CAConfig",
    fields: &[
        field("NodeCertExpiry", INT64, Inert),
        // The managers send them signing requests, and trust what comes back.
        field("ExternalCAs", Type::List(&Type::Object(&EXTERNAL_CA)), Gated(Gate::SwarmSettings)),
        since(30, "SigningCACert", Type::Str, Gated(Gate::SwarmSettings)),
        since(30, "SigningCAKey", Type::Str, Gated(Gate::SwarmSettings)),
        since(30, "ForceRotate", UINT64, Inert),
    ],
    ignored: &[],
};

/// A certificate authority outside of the swarm.
pub static EXTERNAL_CA: Schema = Schema {
    name: "ExternalCA",
    fields: &[
        field("Protocol", Type::Str, Part),
        field("URL", Type::Str, Part),
        field("Options", STRING_MAP, Part),
        since(30, "CACert", Type::Str, Part),
    ],
    ignored: &[],
};

/// What tasks get that do not say otherwise.
pub static TASK_DEFAULTS: Schema =
    Schema { name: "SwarmSpec.TaskDefaults", fields: &[field("LogDriver", Type::Object(&DRIVER), Gated(Gate::LogConfig))], ignored: &[] };

/// Whether managers need a key to start.
pub static ENCRYPTION: Schema =
    Schema { name: "SwarmSpec.EncryptionConfig", fields: &[field("AutoLockManagers", Type::Bool, Inert)], ignored: &[] };

/// The body of `POST /swarm/unlock`.
pub static SWARM_UNLOCK: Schema = Schema { name: "SwarmUnlock", fields: &[field("UnlockKey", Type::Str, Inert)], ignored: &[] };

/// The body of `POST /nodes/{id}/update`.
pub static NODE_SPEC: Schema = Schema {
    name: "NodeSpec",
    fields: &[
        field("Name", Type::Str, Inert),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        // A manager holds every secret and rules every node.
        field("Role", Type::Str, Gated(Gate::NodeRole)),
        field("Availability", Type::Str, Inert),
    ],
    ignored: &[],
};
