//! What holds for every table: the types of the newest release field by field, names, versions, classes.
//! Knows nothing of what a single field means.

use std::collections::{BTreeSet, HashSet};

use super::{Field, Schema, Type};
use crate::docker::Class;
use crate::docker::decode::fold;
use crate::docker::operations::{BodyPlan, TABLE};

/// The keys of the engine's own types, with those that only older releases had.
const TYPES: &[(&Schema, &[&str])] = &[
    (&super::checkpoint::CHECKPOINT_CREATE, &["CheckpointID", "CheckpointDir", "Exit"]),
    (&super::plugin::PLUGIN_PRIVILEGE, &["Name", "Description", "Value"]),
    (&super::auth::AUTH_CONFIG, &["username", "password", "auth", "serveraddress", "identitytoken", "registrytoken", "email"]),
    (&super::secret::SECRET_SPEC, &["Name", "Labels", "Data", "Driver", "Templating"]),
    (&super::secret::CONFIG_SPEC, &["Name", "Labels", "Data", "Templating"]),
    (&super::secret::DRIVER, &["Name", "Options"]),
    (
        &super::swarm::SWARM_INIT,
        &[
            "ListenAddr",
            "AdvertiseAddr",
            "DataPathAddr",
            "DataPathPort",
            "ForceNewCluster",
            "Spec",
            "AutoLockManagers",
            "Availability",
            "DefaultAddrPool",
            "SubnetSize",
        ],
    ),
    (&super::swarm::SWARM_JOIN, &["ListenAddr", "AdvertiseAddr", "DataPathAddr", "RemoteAddrs", "JoinToken", "Availability"]),
    (&super::swarm::SWARM_SPEC, &["Name", "Labels", "Orchestration", "Raft", "Dispatcher", "CAConfig", "TaskDefaults", "EncryptionConfig"]),
    (&super::swarm::ORCHESTRATION, &["TaskHistoryRetentionLimit"]),
    (&super::swarm::RAFT, &["SnapshotInterval", "KeepOldSnapshots", "LogEntriesForSlowFollowers", "ElectionTick", "HeartbeatTick"]),
    (&super::swarm::DISPATCHER, &["HeartbeatPeriod"]),
    (&super::swarm::CA_CONFIG, &["NodeCertExpiry", "ExternalCAs", "SigningCACert", "SigningCAKey", "ForceRotate"]),
    (&super::swarm::EXTERNAL_CA, &["Protocol", "URL", "Options", "CACert"]),
    (&super::swarm::TASK_DEFAULTS, &["LogDriver"]),
    (&super::swarm::ENCRYPTION, &["AutoLockManagers"]),
    (&super::swarm::SWARM_UNLOCK, &["UnlockKey"]),
    (&super::swarm::NODE_SPEC, &["Name", "Labels", "Role", "Availability"]),
    (
        &super::service::SERVICE_SPEC,
        &["Name", "Labels", "TaskTemplate", "Mode", "UpdateConfig", "RollbackConfig", "EndpointSpec", "Networks"],
    ),
    (
        &super::service::TASK_TEMPLATE,
        &[
            "ContainerSpec",
            "PluginSpec",
            "NetworkAttachmentSpec",
            "Resources",
            "RestartPolicy",
            "Placement",
            "Networks",
            "LogDriver",
            "ForceUpdate",
            "Runtime",
        ],
    ),
    (
        &super::service::SERVICE_CONTAINER,
        &[
            "Image",
            "Labels",
            "Command",
            "Args",
            "Hostname",
            "Env",
            "Dir",
            "User",
            "Groups",
            "Privileges",
            "Init",
            "StopSignal",
            "TTY",
            "OpenStdin",
            "ReadOnly",
            "Mounts",
            "StopGracePeriod",
            "Healthcheck",
            "Hosts",
            "DNSConfig",
            "Secrets",
            "Configs",
            "Isolation",
            "Sysctls",
            "CapabilityAdd",
            "CapabilityDrop",
            "Ulimits",
            "OomScoreAdj",
        ],
    ),
    (&super::service::PRIVILEGES, &["CredentialSpec", "SELinuxContext", "Seccomp", "AppArmor", "NoNewPrivileges"]),
    (&super::service::CREDENTIAL_SPEC, &["Config", "File", "Registry"]),
    (&super::service::SELINUX_CONTEXT, &["Disable", "User", "Role", "Type", "Level"]),
    (&super::service::SECCOMP, &["Mode", "Profile"]),
    (&super::service::APP_ARMOR, &["Mode"]),
    (&super::service::DNS_CONFIG, &["Nameservers", "Search", "Options"]),
    (&super::service::SECRET_REFERENCE, &["File", "SecretID", "SecretName"]),
    (&super::service::CONFIG_REFERENCE, &["File", "Runtime", "ConfigID", "ConfigName"]),
    (&super::service::FILE_TARGET, &["Name", "UID", "GID", "Mode"]),
    (&super::service::FILE_TARGET, &["Name", "UID", "GID", "Mode"]),
    (&super::service::PLUGIN_SPEC, &["name", "remote", "privileges", "disabled", "env"]),
    (&super::service::RUNTIME_PRIVILEGE, &["name", "description", "value"]),
    (&super::service::NETWORK_ATTACHMENT_SPEC, &["ContainerID"]),
    (&super::service::RESOURCE_REQUIREMENTS, &["Limits", "Reservations", "SwapBytes", "MemorySwappiness"]),
    (&super::service::LIMITS, &["NanoCPUs", "MemoryBytes", "Pids", "GenericResources"]),
    (&super::service::RESERVATIONS, &["NanoCPUs", "MemoryBytes", "GenericResources"]),
    (&super::service::GENERIC_RESOURCE, &["NamedResourceSpec", "DiscreteResourceSpec"]),
    (&super::service::NAMED_RESOURCE, &["Kind", "Value"]),
    (&super::service::DISCRETE_RESOURCE, &["Kind", "Value"]),
    (&super::service::TASK_RESTART_POLICY, &["Condition", "Delay", "MaxAttempts", "Window"]),
    (&super::service::PLACEMENT, &["Constraints", "Preferences", "MaxReplicas", "Platforms"]),
    (&super::service::PLACEMENT_PREFERENCE, &["Spread"]),
    (&super::service::SPREAD, &["SpreadDescriptor"]),
    (&super::service::PLATFORM, &["Architecture", "OS"]),
    (&super::service::NETWORK_ATTACHMENT, &["Target", "Aliases", "DriverOpts"]),
    (&super::service::SERVICE_MODE, &["Replicated", "Global", "ReplicatedJob", "GlobalJob"]),
    (&super::service::REPLICATED, &["Replicas"]),
    (&super::service::REPLICATED_JOB, &["MaxConcurrent", "TotalCompletions"]),
    (&super::service::UPDATE_CONFIG, &["Parallelism", "Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order"]),
    (&super::service::ENDPOINT_SPEC, &["Mode", "Ports"]),
    (&super::service::SERVICE_PORT, &["Name", "Protocol", "TargetPort", "PublishedPort", "PublishMode"]),
    (&super::volume::VOLUME_UPDATE, &["Spec"]),
    (
        &super::volume::CLUSTER_VOLUME_SPEC,
        &["Group", "AccessMode", "AccessibilityRequirements", "CapacityRange", "Secrets", "Availability"],
    ),
];

/// Calls with every field, and with the class of the nearest field around it that is not a part of something.
fn visit(fields: &'static [Field], schema: &'static str, around: Option<Class>, each: &mut dyn FnMut(&'static str, &Field, Option<Class>)) {
    for field in fields {
        each(schema, field, around);
        let around = if field.class == Class::Part { around } else { Some(field.class) };
        if let Some(inner) = object(&field.ty) {
            visit(inner.fields, inner.name, around, each);
        }
    }
}

fn object(ty: &Type) -> Option<&'static Schema> {
    match ty {
        Type::Object(schema) => Some(schema),
        Type::List(of) | Type::Array(of, _) | Type::Map(of) => object(of),
        Type::Bool | Type::Int(..) | Type::Float | Type::Str | Type::StrSlice => None,
    }
}

fn every_field(each: &mut dyn FnMut(&'static str, &Field, Option<Class>)) {
    for operation in TABLE {
        match operation.row().body {
            BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => visit(schema.fields, schema.name, None, each),
            BodyPlan::JsonList(list) => visit(std::slice::from_ref(list), operation.name(), None, each),
            BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => {}
        }
    }
}

fn every_schema(each: &mut dyn FnMut(&'static Schema)) {
    fn down(schema: &'static Schema, each: &mut dyn FnMut(&'static Schema)) {
        each(schema);
        schema.fields.iter().filter_map(|field| object(&field.ty)).for_each(|inner| down(inner, each));
    }
    for operation in TABLE {
        match operation.row().body {
            BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => down(schema, each),
            BodyPlan::JsonList(list) => object(&list.ty).into_iter().for_each(|schema| down(schema, each)),
            BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => {}
        }
    }
}

#[test]
fn has_every_field_of_every_release_of_the_smaller_types() {
    for (schema, expected) in TYPES {
        let have: BTreeSet<_> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(have, expected.iter().copied().collect(), "{}", schema.name);
    }
}

#[test]
fn names_are_unique_under_folding_in_every_schema() {
    every_schema(&mut |schema| {
        let mut seen = HashSet::new();
        let fields = schema.fields.iter().map(|field| field.name);
        for name in fields.chain(schema.ignored.iter().map(|ignored| ignored.name)) {
            assert!(name.is_ascii() && !name.is_empty(), "{}.{name}", schema.name);
            assert!(seen.insert(fold(name)), "{}.{name}", schema.name);
        }
    });
}

#[test]
fn no_two_schemas_share_a_name() {
    let mut seen: Vec<&'static Schema> = Vec::new();
    every_schema(&mut |schema| {
        assert!(!seen.iter().any(|other| other.name == schema.name && !std::ptr::eq(*other, schema)), "{}", schema.name);
        seen.push(schema);
    });
    assert!(seen.len() > 60, "{}", seen.len());
}

#[test]
fn no_field_is_removed_before_it_came() {
    every_field(&mut |schema, field, _| assert!(field.until.is_none_or(|last| last >= field.since), "{schema}.{}", field.name));
}

#[test]
fn every_part_lies_inside_of_what_a_check_decides() {
    every_field(&mut |schema, field, around| {
        let decided = matches!(around, Some(Class::Gated(_) | Class::Refused));
        assert!(field.class != Class::Part || decided, "{schema}.{}", field.name);
    });
}

#[test]
fn no_table_has_more_fields_than_the_duplicates_check_has_bits() {
    every_schema(&mut |schema| assert!(schema.fields.len() <= 128, "{}", schema.name));
}
