//! The body of container create: Config, HostConfig with Resources, and all they hold.
//! Knows nothing of what a check demands of a field.

use super::network::NETWORKING_CONFIG;
use super::{CONSOLE_SIZE, INT64, STRING_MAP, STRINGS, Schema, Type, UINT16, UINT32, UINT64, between, field, since, until};
use crate::docker::Class::{Gated, Inert, Part, Refused};
use crate::docker::Gate;

/// The fields of Config, after those of the body that embeds it.
macro_rules! with_config {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            field("Hostname", Type::Str, Inert),
            field("Domainname", Type::Str, Inert),
            field("User", Type::Str, Gated(Gate::User)),
            field("AttachStdin", Type::Bool, Inert),
            field("AttachStdout", Type::Bool, Inert),
            field("AttachStderr", Type::Bool, Inert),
            field("ExposedPorts", Type::Map(&Type::Object(&EMPTY)), Inert),
            field("Tty", Type::Bool, Inert),
            field("OpenStdin", Type::Bool, Inert),
            field("StdinOnce", Type::Bool, Inert),
            field("Env", STRINGS, Gated(Gate::Env)),
            field("Cmd", Type::StrSlice, Inert),
            field("Healthcheck", Type::Object(&HEALTHCHECK), Inert),
            field("ArgsEscaped", Type::Bool, Inert),
            field("Image", Type::Str, Gated(Gate::Image)),
            field("Volumes", Type::Map(&Type::Object(&EMPTY)), Gated(Gate::AnonymousVolumes)),
            field("WorkingDir", Type::Str, Gated(Gate::WorkingDir)),
            field("Entrypoint", Type::StrSlice, Inert),
            field("NetworkDisabled", Type::Bool, Inert),
            // Newer daemons still read it from bodies of version 1.51 and older.
            until(51, "MacAddress", Type::Str, Refused),
            field("OnBuild", STRINGS, Inert),
            field("Labels", STRING_MAP, Gated(Gate::Labels)),
            field("StopSignal", Type::Str, Inert),
            field("StopTimeout", INT64, Inert),
            field("Shell", Type::StrSlice, Inert),
        ]
    };
}

/// The fields of Resources, after those of the body that embeds it.
macro_rules! with_resources {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            field("CpuShares", INT64, Inert),
            field("Memory", INT64, Inert),
            field("NanoCpus", INT64, Inert),
            field("CgroupParent", Type::Str, Gated(Gate::CgroupParent)),
            field("BlkioWeight", UINT16, Inert),
            field("BlkioWeightDevice", Type::List(&Type::Object(&WEIGHT_DEVICE)), Gated(Gate::BlkioDevice)),
            field("BlkioDeviceReadBps", THROTTLES, Gated(Gate::BlkioDevice)),
            field("BlkioDeviceWriteBps", THROTTLES, Gated(Gate::BlkioDevice)),
            field("BlkioDeviceReadIOps", THROTTLES, Gated(Gate::BlkioDevice)),
            field("BlkioDeviceWriteIOps", THROTTLES, Gated(Gate::BlkioDevice)),
            field("CpuPeriod", INT64, Inert),
            field("CpuQuota", INT64, Inert),
            field("CpuRealtimePeriod", INT64, Gated(Gate::RealtimeCpu)),
            field("CpuRealtimeRuntime", INT64, Gated(Gate::RealtimeCpu)),
            field("CpusetCpus", Type::Str, Inert),
            field("CpusetMems", Type::Str, Inert),
            field("Devices", Type::List(&Type::Object(&DEVICE_MAPPING)), Gated(Gate::Devices)),
            since(28, "DeviceCgroupRules", STRINGS, Gated(Gate::Devices)),
            since(40, "DeviceRequests", Type::List(&Type::Object(&DEVICE_REQUEST)), Gated(Gate::Devices)),
            until(39, "DiskQuota", INT64, Refused),
            // In the daemon's struct until 28.x (API 1.51), documented until 1.41.
            until(51, "KernelMemory", INT64, Refused),
            between(40, 51, "KernelMemoryTCP", INT64, Refused),
            field("MemoryReservation", INT64, Inert),
            field("MemorySwap", INT64, Inert),
            field("MemorySwappiness", INT64, Inert),
            field("OomKillDisable", Type::Bool, Gated(Gate::OomKillDisable)),
            field("PidsLimit", INT64, Inert),
            field("Ulimits", Type::List(&Type::Object(&ULIMIT)), Gated(Gate::Ulimits)),
            field("CpuCount", INT64, Refused),
            field("CpuPercent", INT64, Refused),
            field("IOMaximumIOps", UINT64, Refused),
            field("IOMaximumBandwidth", UINT64, Refused),
        ]
    };
}

/// The body of `POST /containers/create`.
///
/// No field of HostConfig stands here: daemons up to 26.1 honour them at this level too, so they must
/// stay unknown (refused), and never become ignored.
pub static CONTAINER_CREATE: Schema = Schema {
    name: "ContainerCreate",
    fields: with_config![
        field("HostConfig", Type::Object(&HOST_CONFIG), Inert),
        field("NetworkingConfig", Type::Object(&NETWORKING_CONFIG), Inert),
    ],
    ignored: &[],
};

/// The body of `POST /commit`: what the new image's configuration shall be; the daemon fills the rest from the container.
pub static IMAGE_COMMIT: Schema = Schema { name: "ImageCommit", fields: with_config![], ignored: &[] };

/// The body of `POST /containers/{id}/update`.
pub static CONTAINER_UPDATE: Schema = Schema {
    name: "ContainerUpdate",
    fields: with_resources![field("RestartPolicy", Type::Object(&RESTART_POLICY), Gated(Gate::RestartPolicy))],
    ignored: &[],
};

/// The value of a map that is used as a set (Go `struct{}`).
pub static EMPTY: Schema = Schema { name: "Empty", fields: &[], ignored: &[] };

/// `Healthcheck`; durations are nanoseconds.
pub static HEALTHCHECK: Schema = Schema {
    name: "Healthcheck",
    fields: &[
        field("Test", STRINGS, Inert),
        field("Interval", INT64, Inert),
        field("Timeout", INT64, Inert),
        field("StartPeriod", INT64, Inert),
        since(44, "StartInterval", INT64, Inert),
        field("Retries", INT64, Inert),
    ],
    ignored: &[],
};

/// `HostConfig`, with the fields of the embedded Resources.
pub static HOST_CONFIG: Schema = Schema {
    name: "HostConfig",
    fields: with_resources![
        field("Binds", STRINGS, Gated(Gate::Binds)),
        field("ContainerIDFile", Type::Str, Refused),
        field("LogConfig", Type::Object(&LOG_CONFIG), Gated(Gate::LogConfig)),
        field("NetworkMode", Type::Str, Gated(Gate::NetworkMode)),
        field("PortBindings", Type::Map(&Type::List(&Type::Object(&PORT_BINDING))), Gated(Gate::Ports)),
        field("RestartPolicy", Type::Object(&RESTART_POLICY), Gated(Gate::RestartPolicy)),
        field("AutoRemove", Type::Bool, Inert),
        field("VolumeDriver", Type::Str, Gated(Gate::VolumeDriver)),
        field("VolumesFrom", STRINGS, Gated(Gate::VolumesFrom)),
        field("ConsoleSize", CONSOLE_SIZE, Inert),
        since(43, "Annotations", STRING_MAP, Gated(Gate::Annotations)),
        field("CapAdd", Type::StrSlice, Gated(Gate::CapAdd)),
        field("CapDrop", Type::StrSlice, Inert),
        between(40, 40, "Capabilities", STRINGS, Refused),
        since(41, "CgroupnsMode", Type::Str, Gated(Gate::CgroupnsMode)),
        field("Dns", STRINGS, Inert),
        field("DnsOptions", STRINGS, Inert),
        field("DnsSearch", STRINGS, Inert),
        field("ExtraHosts", STRINGS, Gated(Gate::ExtraHosts)),
        field("GroupAdd", STRINGS, Gated(Gate::GroupAdd)),
        field("IpcMode", Type::Str, Gated(Gate::IpcMode)),
        field("Cgroup", Type::Str, Gated(Gate::CgroupParent)),
        field("Links", STRINGS, Gated(Gate::Links)),
        field("OomScoreAdj", INT64, Gated(Gate::OomScoreAdj)),
        field("PidMode", Type::Str, Gated(Gate::PidMode)),
        field("Privileged", Type::Bool, Gated(Gate::Privileged)),
        field("PublishAllPorts", Type::Bool, Gated(Gate::PublishAllPorts)),
        field("ReadonlyRootfs", Type::Bool, Inert),
        field("SecurityOpt", STRINGS, Gated(Gate::SecurityOpt)),
        field("StorageOpt", STRING_MAP, Gated(Gate::StorageOpt)),
        field("Tmpfs", STRING_MAP, Gated(Gate::Tmpfs)),
        field("UTSMode", Type::Str, Gated(Gate::UtsMode)),
        field("UsernsMode", Type::Str, Gated(Gate::UsernsMode)),
        field("ShmSize", INT64, Gated(Gate::ShmSize)),
        field("Sysctls", STRING_MAP, Gated(Gate::Sysctls)),
        field("Runtime", Type::Str, Gated(Gate::Runtime)),
        field("Isolation", Type::Str, Gated(Gate::Isolation)),
        since(25, "Mounts", Type::List(&Type::Object(&MOUNT)), Gated(Gate::Mounts)),
        since(38, "MaskedPaths", STRINGS, Gated(Gate::MaskedPaths)),
        since(38, "ReadonlyPaths", STRINGS, Gated(Gate::MaskedPaths)),
        since(25, "Init", Type::Bool, Inert),
        between(25, 26, "InitPath", Type::Str, Refused),
    ],
    ignored: &[],
};

/// A list of device limits.
const THROTTLES: Type = Type::List(&Type::Object(&THROTTLE_DEVICE));

/// Where the output of a container goes.
pub static LOG_CONFIG: Schema =
    Schema { name: "LogConfig", fields: &[field("Type", Type::Str, Part), field("Config", STRING_MAP, Part)], ignored: &[] };

/// When the daemon starts a container again.
pub static RESTART_POLICY: Schema =
    Schema { name: "RestartPolicy", fields: &[field("Name", Type::Str, Part), field("MaximumRetryCount", INT64, Part)], ignored: &[] };

/// A device of the host.
pub static DEVICE_MAPPING: Schema = Schema {
    name: "DeviceMapping",
    fields: &[field("PathOnHost", Type::Str, Part), field("PathInContainer", Type::Str, Part), field("CgroupPermissions", Type::Str, Part)],
    ignored: &[],
};

/// Devices that a driver chooses.
pub static DEVICE_REQUEST: Schema = Schema {
    name: "DeviceRequest",
    fields: &[
        field("Driver", Type::Str, Part),
        field("Count", INT64, Part),
        field("DeviceIDs", STRINGS, Part),
        field("Capabilities", Type::List(&STRINGS), Part),
        field("Options", STRING_MAP, Part),
    ],
    ignored: &[],
};

/// One resource limit of the processes.
pub static ULIMIT: Schema = Schema {
    name: "Ulimit",
    fields: &[field("Name", Type::Str, Part), field("Hard", INT64, Part), field("Soft", INT64, Part)],
    ignored: &[],
};

/// The I/O weight of one device of the host.
pub static WEIGHT_DEVICE: Schema =
    Schema { name: "WeightDevice", fields: &[field("Path", Type::Str, Part), field("Weight", UINT16, Part)], ignored: &[] };

/// The I/O limit of one device of the host.
pub static THROTTLE_DEVICE: Schema =
    Schema { name: "ThrottleDevice", fields: &[field("Path", Type::Str, Part), field("Rate", UINT64, Part)], ignored: &[] };

/// Where a port is published.
pub static PORT_BINDING: Schema =
    Schema { name: "PortBinding", fields: &[field("HostIp", Type::Str, Part), field("HostPort", Type::Str, Part)], ignored: &[] };

/// One entry of `Mounts`.
pub static MOUNT: Schema = Schema {
    name: "Mount",
    fields: &[
        field("Type", Type::Str, Part),
        field("Source", Type::Str, Part),
        field("Target", Type::Str, Part),
        field("ReadOnly", Type::Bool, Part),
        since(29, "Consistency", Type::Str, Part),
        field("BindOptions", Type::Object(&BIND_OPTIONS), Part),
        field("VolumeOptions", Type::Object(&VOLUME_OPTIONS), Part),
        since(48, "ImageOptions", Type::Object(&IMAGE_OPTIONS), Part),
        field("TmpfsOptions", Type::Object(&TMPFS_OPTIONS), Part),
        since(42, "ClusterOptions", Type::Object(&CLUSTER_OPTIONS), Part),
    ],
    ignored: &[],
};

/// Options of a bind mount.
pub static BIND_OPTIONS: Schema = Schema {
    name: "BindOptions",
    fields: &[
        field("Propagation", Type::Str, Part),
        since(40, "NonRecursive", Type::Bool, Part),
        since(42, "CreateMountpoint", Type::Bool, Part),
        since(44, "ReadOnlyNonRecursive", Type::Bool, Part),
        since(44, "ReadOnlyForceRecursive", Type::Bool, Part),
    ],
    ignored: &[],
};

/// Options of a volume mount.
pub static VOLUME_OPTIONS: Schema = Schema {
    name: "VolumeOptions",
    fields: &[
        field("NoCopy", Type::Bool, Part),
        field("Labels", STRING_MAP, Part),
        since(45, "Subpath", Type::Str, Part),
        field("DriverConfig", Type::Object(&DRIVER_CONFIG), Part),
    ],
    ignored: &[],
};

/// The driver that makes the volume of a mount; its options can name a host path.
pub static DRIVER_CONFIG: Schema =
    Schema { name: "DriverConfig", fields: &[field("Name", Type::Str, Part), field("Options", STRING_MAP, Part)], ignored: &[] };

/// Options of an image mount.
pub static IMAGE_OPTIONS: Schema = Schema { name: "ImageOptions", fields: &[field("Subpath", Type::Str, Part)], ignored: &[] };

/// Options of a tmpfs mount.
pub static TMPFS_OPTIONS: Schema = Schema {
    name: "TmpfsOptions",
    fields: &[field("SizeBytes", INT64, Part), field("Mode", UINT32, Part), since(46, "Options", Type::List(&STRINGS), Part)],
    ignored: &[],
};

/// Options of a cluster mount: no fields in any release.
pub static CLUSTER_OPTIONS: Schema = Schema { name: "ClusterOptions", fields: &[], ignored: &[] };

#[cfg(test)]
mod tests {
    use super::{CONTAINER_CREATE, CONTAINER_UPDATE, HOST_CONFIG, IMAGE_COMMIT, MOUNT, Schema};
    use crate::docker::{Class, Gate};
    use std::collections::HashSet;

    const CREATE: &[&str] = &[
        "Hostname",
        "Domainname",
        "User",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "ExposedPorts",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "Env",
        "Cmd",
        "Healthcheck",
        "ArgsEscaped",
        "Image",
        "Volumes",
        "WorkingDir",
        "Entrypoint",
        "NetworkDisabled",
        "OnBuild",
        "Labels",
        "StopSignal",
        "StopTimeout",
        "Shell",
        "HostConfig",
        "NetworkingConfig",
        "MacAddress",
    ];

    const HOST: &[&str] = &[
        "Binds",
        "ContainerIDFile",
        "LogConfig",
        "NetworkMode",
        "PortBindings",
        "RestartPolicy",
        "AutoRemove",
        "VolumeDriver",
        "VolumesFrom",
        "ConsoleSize",
        "Annotations",
        "CapAdd",
        "CapDrop",
        "CgroupnsMode",
        "Dns",
        "DnsOptions",
        "DnsSearch",
        "ExtraHosts",
        "GroupAdd",
        "IpcMode",
        "Cgroup",
        "Links",
        "OomScoreAdj",
        "PidMode",
        "Privileged",
        "PublishAllPorts",
        "ReadonlyRootfs",
        "SecurityOpt",
        "StorageOpt",
        "Tmpfs",
        "UTSMode",
        "UsernsMode",
        "ShmSize",
        "Sysctls",
        "Runtime",
        "Isolation",
        "CpuShares",
        "Memory",
        "NanoCpus",
        "CgroupParent",
        "BlkioWeight",
        "BlkioWeightDevice",
        "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteIOps",
        "CpuPeriod",
        "CpuQuota",
        "CpuRealtimePeriod",
        "CpuRealtimeRuntime",
        "CpusetCpus",
        "CpusetMems",
        "Devices",
        "DeviceCgroupRules",
        "DeviceRequests",
        "MemoryReservation",
        "MemorySwap",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "Ulimits",
        "CpuCount",
        "CpuPercent",
        "IOMaximumIOps",
        "IOMaximumBandwidth",
        "Mounts",
        "MaskedPaths",
        "ReadonlyPaths",
        "Init",
        "InitPath",
        "Capabilities",
        "DiskQuota",
        "KernelMemory",
        "KernelMemoryTCP",
    ];

    const MOUNTS: &[&str] = &[
        "Type",
        "Source",
        "Target",
        "ReadOnly",
        "Consistency",
        "BindOptions",
        "VolumeOptions",
        "ImageOptions",
        "TmpfsOptions",
        "ClusterOptions",
    ];

    fn assert_same_names(schema: &Schema, expected: &[&str]) {
        let have: HashSet<_> = schema.fields.iter().map(|f| f.name).collect();
        assert_eq!(have, expected.iter().copied().collect(), "{}", schema.name);
    }

    fn class_of(schema: &Schema, name: &str) -> Class {
        schema.fields.iter().find(|f| f.name == name).unwrap().class
    }

    #[test]
    fn has_every_field_of_every_release() {
        assert_same_names(&CONTAINER_CREATE, CREATE);
        assert_same_names(&HOST_CONFIG, HOST);
        assert_same_names(&MOUNT, MOUNTS);
    }

    #[test]
    fn commit_takes_the_fields_of_config_and_nothing_of_create_beside_them() {
        let config: Vec<_> = CREATE.iter().copied().filter(|name| !matches!(*name, "HostConfig" | "NetworkingConfig")).collect();
        assert_same_names(&IMAGE_COMMIT, &config);
    }

    #[test]
    fn update_takes_every_resource_with_the_class_that_create_gives_it() {
        let own = |name: &str| CONTAINER_UPDATE.fields.iter().any(|f| f.name == name);
        assert!(own("RestartPolicy") && own("Memory") && own("Devices") && own("CgroupParent") && !own("Binds"));
        assert_eq!(CONTAINER_UPDATE.fields.len(), 33);
        for field in CONTAINER_UPDATE.fields {
            assert_eq!(class_of(&HOST_CONFIG, field.name), field.class, "{}", field.name);
        }
    }

    #[test]
    fn the_top_level_has_and_ignores_no_field_of_host_config() {
        let fields = CONTAINER_CREATE.fields.iter().map(|f| f.name);
        for name in fields.chain(CONTAINER_CREATE.ignored.iter().map(|i| i.name)) {
            assert!(!HOST.iter().any(|h| h.eq_ignore_ascii_case(name)), "{name}");
        }
    }

    #[test]
    fn the_fields_that_open_the_host_are_never_inert() {
        for (name, gate) in [
            ("Privileged", Gate::Privileged),
            ("Binds", Gate::Binds),
            ("Mounts", Gate::Mounts),
            ("CapAdd", Gate::CapAdd),
            ("Devices", Gate::Devices),
            ("PidMode", Gate::PidMode),
            ("ReadonlyPaths", Gate::MaskedPaths),
            ("Cgroup", Gate::CgroupParent),
        ] {
            assert_eq!(class_of(&HOST_CONFIG, name), Class::Gated(gate), "{name}");
        }
        for name in ["ContainerIDFile", "KernelMemory", "KernelMemoryTCP", "DiskQuota", "Capabilities", "InitPath"] {
            assert_eq!(class_of(&HOST_CONFIG, name), Class::Refused, "{name}");
        }
    }
}
