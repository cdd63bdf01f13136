//! The body of service create and update: the service, its tasks, their containers.
//! Knows nothing of what a check demands of a field.

use super::container::{EMPTY, HEALTHCHECK, MOUNT, ULIMIT};
use super::secret::DRIVER;
use super::{INT64, STRING_MAP, STRINGS, Schema, Type, UINT32, UINT64, between, field, since, until};
use crate::docker::Class::{Gated, Inert, Part};
use crate::docker::Gate;

/// The body of `POST /services/create` and `POST /services/{id}/update`.
pub static SERVICE_SPEC: Schema = Schema {
    name: "ServiceSpec",
    fields: &[
        field("Name", Type::Str, Inert),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        field("TaskTemplate", Type::Object(&TASK_TEMPLATE), Inert),
        field("Mode", Type::Object(&SERVICE_MODE), Inert),
        field("UpdateConfig", Type::Object(&UPDATE_CONFIG), Inert),
        since(28, "RollbackConfig", Type::Object(&UPDATE_CONFIG), Inert),
        // Where the networks stood before they moved into the task; newer daemons still read it from older bodies.
        until(43, "Networks", NETWORKS, Gated(Gate::ServiceNetworks)),
        field("EndpointSpec", Type::Object(&ENDPOINT_SPEC), Inert),
    ],
    ignored: &[],
};

/// A list of networks.
const NETWORKS: Type = Type::List(&Type::Object(&NETWORK_ATTACHMENT));

/// What each task of the service runs.
pub static TASK_TEMPLATE: Schema = Schema {
    name: "TaskSpec",
    fields: &[
        field("ContainerSpec", Type::Object(&SERVICE_CONTAINER), Inert),
        since(31, "PluginSpec", Type::Object(&PLUGIN_SPEC), Gated(Gate::ServiceRuntime)),
        since(38, "NetworkAttachmentSpec", Type::Object(&NETWORK_ATTACHMENT_SPEC), Gated(Gate::ServiceRuntime)),
        field("Resources", Type::Object(&RESOURCE_REQUIREMENTS), Inert),
        field("RestartPolicy", Type::Object(&TASK_RESTART_POLICY), Gated(Gate::RestartPolicy)),
        field("Placement", Type::Object(&PLACEMENT), Inert),
        since(25, "Networks", NETWORKS, Gated(Gate::ServiceNetworks)),
        field("LogDriver", Type::Object(&DRIVER), Gated(Gate::LogConfig)),
        since(25, "ForceUpdate", UINT64, Inert),
        since(30, "Runtime", Type::Str, Gated(Gate::ServiceRuntime)),
    ],
    ignored: &[],
};

/// The container of a task.
pub static SERVICE_CONTAINER: Schema = Schema {
    name: "ContainerSpec",
    fields: &[
        field("Image", Type::Str, Gated(Gate::Image)),
        field("Labels", STRING_MAP, Gated(Gate::Labels)),
        // Plain lists in every release, unlike `Cmd` and `Entrypoint` of a container.
        field("Command", STRINGS, Inert),
        field("Args", STRINGS, Inert),
        since(25, "Hostname", Type::Str, Inert),
        field("Env", STRINGS, Gated(Gate::Env)),
        field("Dir", Type::Str, Gated(Gate::WorkingDir)),
        field("User", Type::Str, Gated(Gate::User)),
        since(25, "Groups", STRINGS, Gated(Gate::GroupAdd)),
        since(30, "Privileges", Type::Object(&PRIVILEGES), Gated(Gate::ServicePrivileges)),
        since(38, "Init", Type::Bool, Inert),
        since(28, "StopSignal", Type::Str, Inert),
        since(25, "TTY", Type::Bool, Inert),
        since(25, "OpenStdin", Type::Bool, Inert),
        since(28, "ReadOnly", Type::Bool, Inert),
        field("Mounts", Type::List(&Type::Object(&MOUNT)), Gated(Gate::Mounts)),
        field("StopGracePeriod", INT64, Inert),
        since(25, "Healthcheck", Type::Object(&HEALTHCHECK), Inert),
        // As in a hosts file, `IP name name…`.
        since(25, "Hosts", STRINGS, Gated(Gate::ExtraHosts)),
        since(25, "DNSConfig", Type::Object(&DNS_CONFIG), Inert),
        since(25, "Secrets", Type::List(&Type::Object(&SECRET_REFERENCE)), Gated(Gate::ServiceSecrets)),
        since(30, "Configs", Type::List(&Type::Object(&CONFIG_REFERENCE)), Gated(Gate::ServiceConfigs)),
        since(35, "Isolation", Type::Str, Gated(Gate::Isolation)),
        since(40, "Sysctls", STRING_MAP, Gated(Gate::Sysctls)),
        since(41, "CapabilityAdd", STRINGS, Gated(Gate::CapAdd)),
        since(41, "CapabilityDrop", STRINGS, Inert),
        since(41, "Ulimits", Type::List(&Type::Object(&ULIMIT)), Gated(Gate::Ulimits)),
        since(46, "OomScoreAdj", INT64, Gated(Gate::OomScoreAdj)),
    ],
    ignored: &[],
};

/// The security settings of a task's container.
pub static PRIVILEGES: Schema = Schema {
    name: "Privileges",
    fields: &[
        field("CredentialSpec", Type::Object(&CREDENTIAL_SPEC), Part),
        field("SELinuxContext", Type::Object(&SELINUX_CONTEXT), Part),
        since(44, "Seccomp", Type::Object(&SECCOMP), Part),
        since(44, "AppArmor", Type::Object(&APP_ARMOR), Part),
        since(44, "NoNewPrivileges", Type::Bool, Part),
    ],
    ignored: &[],
};

/// Where a Windows node finds credentials: a config, a file of the host, the registry.
pub static CREDENTIAL_SPEC: Schema = Schema {
    name: "Privileges.CredentialSpec",
    fields: &[since(40, "Config", Type::Str, Part), field("File", Type::Str, Part), field("Registry", Type::Str, Part)],
    ignored: &[],
};

/// The SELinux label of the container.
pub static SELINUX_CONTEXT: Schema = Schema {
    name: "Privileges.SELinuxContext",
    fields: &[
        field("Disable", Type::Bool, Part),
        field("User", Type::Str, Part),
        field("Role", Type::Str, Part),
        field("Type", Type::Str, Part),
        field("Level", Type::Str, Part),
    ],
    ignored: &[],
};

/// The seccomp profile; `Profile` is base64.
pub static SECCOMP: Schema =
    Schema { name: "Privileges.Seccomp", fields: &[field("Mode", Type::Str, Part), field("Profile", Type::Str, Part)], ignored: &[] };

/// The AppArmor profile.
pub static APP_ARMOR: Schema = Schema { name: "Privileges.AppArmor", fields: &[field("Mode", Type::Str, Part)], ignored: &[] };

/// The name servers of a task.
pub static DNS_CONFIG: Schema = Schema {
    name: "DNSConfig",
    fields: &[field("Nameservers", STRINGS, Inert), field("Search", STRINGS, Inert), field("Options", STRINGS, Inert)],
    ignored: &[],
};

/// A secret that the container reads.
pub static SECRET_REFERENCE: Schema = Schema {
    name: "SecretReference",
    fields: &[field("File", Type::Object(&FILE_TARGET), Part), field("SecretID", Type::Str, Part), field("SecretName", Type::Str, Part)],
    ignored: &[],
};

/// A config that the container reads.
pub static CONFIG_REFERENCE: Schema = Schema {
    name: "ServiceConfigReference",
    fields: &[
        field("File", Type::Object(&FILE_TARGET), Part),
        // For credential specs: not mounted.
        since(40, "Runtime", Type::Object(&EMPTY), Part),
        field("ConfigID", Type::Str, Part),
        field("ConfigName", Type::Str, Part),
    ],
    ignored: &[],
};

/// The file that holds a secret or config in the container.
pub static FILE_TARGET: Schema = Schema {
    name: "FileTarget",
    fields: &[field("Name", Type::Str, Part), field("UID", Type::Str, Part), field("GID", Type::Str, Part), field("Mode", UINT32, Part)],
    ignored: &[],
};

/// A plugin as a task (Go `swarm.RuntimeSpec`); the keys are lower case on the wire.
pub static PLUGIN_SPEC: Schema = Schema {
    name: "PluginSpec",
    fields: &[
        field("name", Type::Str, Part),
        field("remote", Type::Str, Part),
        field("privileges", Type::List(&Type::Object(&RUNTIME_PRIVILEGE)), Part),
        field("disabled", Type::Bool, Part),
        field("env", STRINGS, Part),
    ],
    ignored: &[],
};

/// One privilege of such a plugin.
pub static RUNTIME_PRIVILEGE: Schema = Schema {
    name: "RuntimePrivilege",
    fields: &[field("name", Type::Str, Part), field("description", Type::Str, Part), field("value", STRINGS, Part)],
    ignored: &[],
};

/// A container outside of the swarm that joins one of its networks.
pub static NETWORK_ATTACHMENT_SPEC: Schema =
    Schema { name: "NetworkAttachmentSpec", fields: &[field("ContainerID", Type::Str, Part)], ignored: &[] };

/// What a task may use, and what is kept free for it.
pub static RESOURCE_REQUIREMENTS: Schema = Schema {
    name: "ResourceRequirements",
    fields: &[
        field("Limits", Type::Object(&LIMITS), Inert),
        field("Reservations", Type::Object(&RESERVATIONS), Inert),
        since(52, "SwapBytes", INT64, Inert),
        since(52, "MemorySwappiness", INT64, Inert),
    ],
    ignored: &[],
};

/// Upper bounds.
pub static LIMITS: Schema = Schema {
    name: "ResourceRequirements.Limits",
    fields: &[
        field("NanoCPUs", INT64, Inert),
        field("MemoryBytes", INT64, Inert),
        since(41, "Pids", INT64, Inert),
        // Limits and reservations were one type before.
        between(32, 40, "GenericResources", GENERIC_RESOURCES, Gated(Gate::Devices)),
    ],
    ignored: &[],
};

/// What the scheduler keeps free.
pub static RESERVATIONS: Schema = Schema {
    name: "ResourceRequirements.Reservations",
    fields: &[
        field("NanoCPUs", INT64, Inert),
        field("MemoryBytes", INT64, Inert),
        // How a service asks for devices of a node, such as GPUs.
        since(32, "GenericResources", GENERIC_RESOURCES, Gated(Gate::Devices)),
    ],
    ignored: &[],
};

/// A list of resources that the nodes name themselves.
const GENERIC_RESOURCES: Type = Type::List(&Type::Object(&GENERIC_RESOURCE));

/// One such resource.
pub static GENERIC_RESOURCE: Schema = Schema {
    name: "GenericResource",
    fields: &[
        field("NamedResourceSpec", Type::Object(&NAMED_RESOURCE), Part),
        field("DiscreteResourceSpec", Type::Object(&DISCRETE_RESOURCE), Part),
    ],
    ignored: &[],
};

/// A resource by name.
pub static NAMED_RESOURCE: Schema =
    Schema { name: "NamedResourceSpec", fields: &[field("Kind", Type::Str, Part), field("Value", Type::Str, Part)], ignored: &[] };

/// A resource by number.
pub static DISCRETE_RESOURCE: Schema =
    Schema { name: "DiscreteResourceSpec", fields: &[field("Kind", Type::Str, Part), field("Value", INT64, Part)], ignored: &[] };

/// When the swarm starts a task again; durations are nanoseconds.
pub static TASK_RESTART_POLICY: Schema = Schema {
    name: "TaskSpec.RestartPolicy",
    fields: &[
        field("Condition", Type::Str, Part),
        field("Delay", INT64, Part),
        field("MaxAttempts", UINT64, Part),
        field("Window", INT64, Part),
    ],
    ignored: &[],
};

/// The nodes that may run a task.
pub static PLACEMENT: Schema = Schema {
    name: "Placement",
    fields: &[
        field("Constraints", STRINGS, Inert),
        since(28, "Preferences", Type::List(&Type::Object(&PLACEMENT_PREFERENCE)), Inert),
        since(40, "MaxReplicas", UINT64, Inert),
        since(30, "Platforms", Type::List(&Type::Object(&PLATFORM)), Inert),
    ],
    ignored: &[],
};

/// One wish of how tasks are spread.
pub static PLACEMENT_PREFERENCE: Schema =
    Schema { name: "PlacementPreference", fields: &[field("Spread", Type::Object(&SPREAD), Inert)], ignored: &[] };

/// The node label over whose values tasks are spread.
pub static SPREAD: Schema =
    Schema { name: "PlacementPreference.Spread", fields: &[field("SpreadDescriptor", Type::Str, Inert)], ignored: &[] };

/// A platform that the image runs on.
pub static PLATFORM: Schema =
    Schema { name: "Platform", fields: &[field("Architecture", Type::Str, Inert), field("OS", Type::Str, Inert)], ignored: &[] };

/// One network of a task.
pub static NETWORK_ATTACHMENT: Schema = Schema {
    name: "NetworkAttachmentConfig",
    fields: &[
        // A name or an id; `host` is the host's own network.
        field("Target", Type::Str, Part),
        field("Aliases", STRINGS, Part),
        since(32, "DriverOpts", STRING_MAP, Part),
    ],
    ignored: &[],
};

/// How many tasks there are.
pub static SERVICE_MODE: Schema = Schema {
    name: "ServiceMode",
    fields: &[
        field("Replicated", Type::Object(&REPLICATED), Inert),
        field("Global", Type::Object(&EMPTY), Inert),
        since(41, "ReplicatedJob", Type::Object(&REPLICATED_JOB), Inert),
        since(41, "GlobalJob", Type::Object(&EMPTY), Inert),
    ],
    ignored: &[],
};

/// So many tasks.
pub static REPLICATED: Schema = Schema { name: "ServiceMode.Replicated", fields: &[field("Replicas", UINT64, Inert)], ignored: &[] };

/// So many tasks until so many are done.
pub static REPLICATED_JOB: Schema = Schema {
    name: "ServiceMode.ReplicatedJob",
    fields: &[field("MaxConcurrent", UINT64, Inert), field("TotalCompletions", UINT64, Inert)],
    ignored: &[],
};

/// How tasks are replaced; durations are nanoseconds.
pub static UPDATE_CONFIG: Schema = Schema {
    name: "UpdateConfig",
    fields: &[
        field("Parallelism", UINT64, Inert),
        field("Delay", INT64, Inert),
        field("FailureAction", Type::Str, Inert),
        since(25, "Monitor", INT64, Inert),
        since(25, "MaxFailureRatio", Type::Float, Inert),
        since(29, "Order", Type::Str, Inert),
    ],
    ignored: &[],
};

/// How a service is reached.
pub static ENDPOINT_SPEC: Schema = Schema {
    name: "EndpointSpec",
    fields: &[field("Mode", Type::Str, Inert), field("Ports", Type::List(&Type::Object(&SERVICE_PORT)), Gated(Gate::ServicePorts))],
    ignored: &[],
};

/// A port that is published: on every address of every node (`ingress`), or of the node that runs the task (`host`).
pub static SERVICE_PORT: Schema = Schema {
    name: "EndpointSpec.Ports",
    fields: &[
        field("Name", Type::Str, Part),
        field("Protocol", Type::Str, Part),
        field("TargetPort", UINT32, Part),
        field("PublishedPort", UINT32, Part),
        since(25, "PublishMode", Type::Str, Part),
    ],
    ignored: &[],
};
